//! Reading shards: from where, and what a read returns or waits for. Nobody sees what is not committed.

use std::{ops::Range, pin::pin, time::Duration};

use super::{LocalStream, StreamInner, look::Seen};
use crate::{
    clock::{Timestamp, millis},
    error::{Error, Result},
    pipeline::Ticket,
    queue::{
        fetch::{damaged_row, first_since},
        row::RowHead,
    },
    storage::{Durability, Page, Storage, StorageError},
    stream::{
        number::{RecordNumber, ShardIterator},
        record::{Record, Records, StartingPosition},
        shard::ShardId,
        state::Look,
    },
};

/// Where the records begin that were put at this time or later. Most often that is with the first one: then the others
/// are not looked at.
fn begin_since(
    store: &dyn Storage,
    partition: u64,
    range: Range<u64>,
    time: u64,
) -> Result<u64, StorageError> {
    let first = store.rows(partition, range.clone(), Page { entries: 1, bytes: 1 })?;
    let Some((first, row)) = first.first() else { return Ok(range.end) };
    let head = RowHead::read(row).map_err(|what| damaged_row(partition, *first, what))?;
    if head.sent_at >= time { Ok(*first) } else { first_since(store, partition, first + 1..range.end, time) }
}

impl LocalStream {
    /// Where to begin to read a shard. Good for five minutes; every read gives a new one. Cancel safe.
    pub async fn iterator(&self, shard: ShardId, from: StartingPosition) -> Result<ShardIterator> {
        let cell = &*self.cell;
        let look = |inner: &mut StreamInner, now: u64| {
            let found = inner.state.shard(shard).ok_or_else(|| Self::no_shard(shard))?;
            let (head, tail) = (found.head, found.readable());
            let horizon = inner.state.horizon(now);
            let since = |time: u64| Err((found.definition.partition, head..tail, time.max(horizon)));
            let within = |number: RecordNumber| {
                if number.shard != shard.0 || number.epoch != found.definition.epoch {
                    let reason = format!("is not of {shard}");
                    return Err(Error::invalid("starting_sequence_number", number, reason));
                }
                Ok(number.seq)
            };
            Ok(match from {
                StartingPosition::At(number) => Ok(within(number)?),
                StartingPosition::After(number) => Ok(within(number)?.saturating_add(1)),
                // What has expired may not be trimmed yet.
                StartingPosition::TrimHorizon => since(0),
                StartingPosition::Latest => Ok(tail),
                StartingPosition::AtTimestamp(time) if time.as_millis() > now => {
                    return Err(Error::invalid("timestamp", format!("{time}"), "must not lie in the future"));
                }
                StartingPosition::AtTimestamp(time) => since(time.as_millis()),
            })
        };
        let (found, ticket) = cell.operate(Durability::Memory, look)?;
        let position = match found {
            Ok(position) => position,
            Err((partition, range, time)) => {
                let pipeline = &cell.engine.pipeline;
                pipeline.read(move |store| begin_since(store, partition, range, time)).await?
            }
        };
        ticket.wait().await?;
        let now = cell.engine.timeline.now();
        Ok(ShardIterator::new(cell.engine.seed, cell.id, shard.0, position, now))
    }

    /// The number of the record that an iterator stands before, whether there is such a record already or not: a
    /// [`StartingPosition::At`] of it goes on there, also when the iterator has expired. Of an iterator of another stream it
    /// means nothing.
    pub fn number_at(&self, iterator: &ShardIterator) -> RecordNumber {
        self.number(iterator.shard(), iterator.position)
    }

    /// Reads up to `max` records, 1 to 10,000, and at most 10 MiB. Returns at once, perhaps with none.
    ///
    /// Fails with [`Error::ExpiredIterator`] five minutes after the iterator was given out, and on a throttled stream with
    /// [`Error::ProvisionedThroughputExceeded`]. Cancel safe.
    pub async fn read(&self, iterator: &ShardIterator, max: usize) -> Result<Records> {
        self.read_within(iterator, max, Duration::ZERO).await
    }

    /// The same, and if there is nothing, waits for it: until there is a record, the shard was closed, or the time is up.
    ///
    /// No polling: whoever waits sleeps until there is news. Cancel safe.
    pub async fn read_within(&self, iterator: &ShardIterator, max: usize, wait: Duration) -> Result<Records> {
        let cell = &*self.cell;
        let now = self.check_read(iterator, max)?;
        let deadline = now.saturating_add(millis(wait));
        let (shard, mut position) = (ShardId(iterator.shard), iterator.position);
        let mut throttled = true;
        loop {
            // Enabled before the look: what happens after it is not missed.
            let mut news = pin!(cell.news.notified());
            news.as_mut().enable();
            let mut stopped = pin!(cell.engine.pipeline.stopped());
            stopped.as_mut().enable();
            let (seen, ticket) = self.look(shard, position, max, std::mem::take(&mut throttled))?;
            match seen.look {
                Look::End => {
                    // A crash must not take back the split or merge that a reader was told of.
                    ticket.wait().await?;
                    return Ok(self.end(iterator, &seen));
                }
                Look::Nothing if cell.engine.timeline.now() >= deadline => {
                    return Ok(self.found(iterator, &seen, Vec::new(), seen.position.max(position)));
                }
                Look::Nothing => {
                    let coming = Ticket::wait_if_any(seen.coming.as_ref());
                    tokio::select! {
                        biased;
                        committed = coming => committed?,
                        () = news => {}
                        () = stopped => {}
                        () = cell.engine.timeline.sleep_until(deadline) => {}
                    }
                }
                Look::Recent(..) | Look::Stored(..) => {
                    let Some(rows) = self.rows(shard, &seen, max).await? else { continue };
                    let (records, next) = self.records(&seen, rows)?;
                    if !records.is_empty() {
                        return Ok(self.found(iterator, &seen, records, next));
                    }
                    // Only expired ones: go on behind them.
                    position = next;
                }
            }
        }
    }

    /// Refuses what cannot be a read. Returns the time.
    fn check_read(&self, iterator: &ShardIterator, max: usize) -> Result<u64> {
        let cell = &*self.cell;
        let limits = &cell.engine.limits.streams;
        if iterator.stream != cell.id || !iterator.is_genuine(cell.engine.seed) {
            return Err(Error::invalid("iterator", iterator, "is not one of this stream"));
        }
        if !(1..=limits.read_records_max).contains(&max) {
            let reason = format!("must be between 1 and {}", limits.read_records_max);
            return Err(Error::invalid("max", max, reason));
        }
        let now = cell.engine.timeline.now();
        if now > iterator.issued_at.saturating_add(millis(limits.iterator_valid)) {
            return Err(Error::ExpiredIterator {
                issued_at: iterator.issued_at(),
                now: Timestamp::from_millis(now),
            });
        }
        Ok(now)
    }

    /// The records of a shard from a position on, as far as they are committed, and the position behind them.
    pub(crate) async fn fetch(
        &self,
        shard: ShardId,
        position: u64,
        max: usize,
    ) -> Result<(Vec<Record>, u64)> {
        loop {
            let (seen, ticket) = self.look(shard, position, max, false)?;
            if let Look::End | Look::Nothing = seen.look {
                if let Look::End = seen.look {
                    ticket.wait().await?;
                }
                return Ok((Vec::new(), position.max(seen.position)));
            }
            if let Some(rows) = self.rows(shard, &seen, max).await? {
                let (records, next) = self.records(&seen, rows)?;
                return Ok((records, next.max(position)));
            }
        }
    }

    /// Whether there is this shard, made in this epoch.
    pub(crate) fn has_shard(&self, shard: ShardId, epoch: u32) -> bool {
        let inner = self.cell.inner.lock();
        inner.state.shard(shard).is_some_and(|shard| shard.definition.epoch == epoch)
    }

    /// An error if the stream was deleted.
    pub(crate) fn check_there(&self) -> Result<()> {
        if self.cell.inner.lock().state.deleted { Err(self.cell.missing()) } else { Ok(()) }
    }

    /// Whether a shard is closed, and has nothing from this position on.
    pub(crate) fn is_at_end(&self, shard: ShardId, position: u64) -> bool {
        let inner = self.cell.inner.lock();
        inner
            .state
            .shard(shard)
            .is_none_or(|shard| !shard.is_open() && position.max(shard.head) >= shard.tail())
    }

    /// The number of a record of a shard.
    pub(crate) fn number(&self, shard: ShardId, seq: u64) -> RecordNumber {
        let inner = self.cell.inner.lock();
        let epoch = inner.state.shard(shard).map_or(0, |shard| shard.definition.epoch);
        RecordNumber { epoch, shard: shard.0, seq }
    }

    /// What a read returns. What was passed over to get there had been trimmed.
    fn found(&self, iterator: &ShardIterator, seen: &Seen, records: Vec<Record>, next: u64) -> Records {
        let cell = &*self.cell;
        if let Some(shard) = cell.inner.lock().state.shard_mut(ShardId(iterator.shard)) {
            shard.traffic.read(records.iter().map(|record| record.data.len()).sum());
        }
        let behind = match records.last() {
            Some(last) if next < seen.readable => seen.now.saturating_sub(last.arrived_at.as_millis()),
            None if next < seen.readable => seen.now.saturating_sub(seen.newest_at),
            _ => 0,
        };
        let now = cell.engine.timeline.now();
        let first = records.first().map_or(next, |first| first.number.seq);
        Records {
            missed: first.saturating_sub(iterator.position),
            records,
            next: Some(ShardIterator::new(cell.engine.seed, cell.id, iterator.shard, next, now)),
            millis_behind_latest: behind,
            child_shards: Vec::new(),
        }
    }

    /// The end of a closed shard (rule K54).
    fn end(&self, iterator: &ShardIterator, seen: &Seen) -> Records {
        Records {
            next: None,
            child_shards: seen.children.clone(),
            ..self.found(iterator, seen, Vec::new(), seen.readable)
        }
    }
}

//! Reading shards: the newest records from memory, older ones from storage in pages. Nobody sees what is not committed.

use std::{pin::pin, time::Duration};

use bytes::Bytes;

use super::{LocalStream, StreamInner};
use crate::{
    clock::{Timestamp, millis},
    error::{Error, Result},
    pipeline::Ticket,
    queue::{
        fetch::{damaged_row, first_since},
        row::{RowContent, RowHead},
    },
    storage::{Durability, Page},
    stream::{
        number::ShardIterator,
        record::{Record, Records, StartingPosition},
        shard::ShardId,
        state::Look,
    },
};

/// What a look at a shard finds.
struct Seen {
    look: Look,
    /// The first sequence that can be there.
    position: u64,
    partition: u64,
    /// Records that were put before this are expired.
    horizon: u64,
    readable: u64,
    newest_at: u64,
    children: Vec<ShardId>,
    number: crate::stream::number::RecordNumber,
    /// Records that are on their way.
    coming: Option<Ticket>,
    now: u64,
}

impl LocalStream {
    /// Where to begin to read a shard. Good for five minutes; every read gives a new one. Cancel safe.
    pub async fn iterator(&self, shard: ShardId, from: StartingPosition) -> Result<ShardIterator> {
        let cell = &*self.cell;
        let look = |inner: &mut StreamInner, now: u64| {
            let found = inner.state.shard(shard).ok_or_else(|| Self::no_shard(shard))?;
            let (head, tail) = (found.head, found.readable());
            let within = |number: crate::stream::number::RecordNumber| {
                if number.shard != shard.0 || number.epoch != found.definition.epoch {
                    let reason = format!("is not of {shard}");
                    return Err(Error::invalid("starting_sequence_number", number, reason));
                }
                Ok(number.seq)
            };
            Ok(match from {
                StartingPosition::At(number) => Ok(within(number)?),
                StartingPosition::After(number) => Ok(within(number)?.saturating_add(1)),
                StartingPosition::TrimHorizon => Ok(head),
                StartingPosition::Latest => Ok(tail),
                StartingPosition::AtTimestamp(time) if time.as_millis() > now => {
                    return Err(Error::invalid("timestamp", format!("{time}"), "must not lie in the future"));
                }
                StartingPosition::AtTimestamp(time) => {
                    Err((found.definition.partition, head..tail, time.as_millis()))
                }
            })
        };
        let (found, ticket) = cell.operate(Durability::Memory, look)?;
        let position = match found {
            Ok(position) => position,
            Err((partition, range, time)) => {
                let pipeline = &cell.engine.pipeline;
                pipeline.read(move |store| first_since(store, partition, range, time)).await?
            }
        };
        ticket.wait().await?;
        let now = cell.engine.timeline.now();
        Ok(ShardIterator::new(cell.engine.seed, cell.id, shard.0, position, now))
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
        let deadline = now.saturating_add(millis(wait));
        let mut position = iterator.position;
        let mut throttled = true;
        loop {
            // Enabled before the look: what happens after it is not missed.
            let mut news = pin!(cell.news.notified());
            news.as_mut().enable();
            let mut stopped = pin!(cell.engine.pipeline.stopped());
            stopped.as_mut().enable();
            let seen = self.look(ShardId(iterator.shard), position, max, std::mem::take(&mut throttled))?;
            let rows = match &seen.look {
                Look::Recent(from, rows) => (*from..).zip(rows.iter().cloned()).collect(),
                Look::Stored(from, to) => {
                    let page = Page { entries: max, bytes: limits.read_bytes_max };
                    let (partition, range) = (seen.partition, *from..*to);
                    cell.engine.pipeline.read(move |store| store.rows(partition, range, page)).await?
                }
                Look::End => return Ok(self.end(iterator, &seen)),
                Look::Nothing => {
                    if cell.engine.timeline.now() >= deadline {
                        return Ok(self.found(iterator, &seen, Vec::new(), seen.position.max(position)));
                    }
                    let coming = async {
                        match &seen.coming {
                            Some(ticket) => ticket.wait().await,
                            None => std::future::pending().await,
                        }
                    };
                    tokio::select! {
                        biased;
                        committed = coming => committed?,
                        () = news => {}
                        () = stopped => {}
                        () = cell.engine.timeline.sleep_until(deadline) => {}
                    }
                    continue;
                }
            };
            let (records, next) = Self::records(&seen, rows, limits.read_bytes_max)?;
            if records.is_empty() && next > position {
                // Only expired ones: go on behind them.
                position = next;
                continue;
            }
            let missed =
                records.first().map_or(0, |first| first.number.seq.saturating_sub(iterator.position));
            return Ok(Records { missed, ..self.found(iterator, &seen, records, next) });
        }
    }

    /// The records of a shard from a position on, as far as they are committed, and the position behind them.
    pub(crate) async fn fetch(
        &self,
        shard: ShardId,
        position: u64,
        max: usize,
    ) -> Result<(Vec<Record>, u64)> {
        let bytes_max = self.cell.engine.limits.streams.read_bytes_max;
        let seen = self.look(shard, position, max, false)?;
        let rows = match &seen.look {
            Look::Recent(from, rows) => (*from..).zip(rows.iter().cloned()).collect(),
            Look::Stored(from, to) => {
                let page = Page { entries: max, bytes: bytes_max };
                let (partition, range) = (seen.partition, *from..*to);
                self.cell.engine.pipeline.read(move |store| store.rows(partition, range, page)).await?
            }
            Look::End | Look::Nothing => return Ok((Vec::new(), position.max(seen.position))),
        };
        let (records, next) = Self::records(&seen, rows, bytes_max)?;
        Ok((records, next.max(position)))
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
    pub(crate) fn number(&self, shard: ShardId, seq: u64) -> crate::stream::number::RecordNumber {
        let inner = self.cell.inner.lock();
        let epoch = inner.state.shard(shard).map_or(0, |shard| shard.definition.epoch);
        crate::stream::number::RecordNumber { epoch, shard: shard.0, seq }
    }

    /// Looks at a shard.
    fn look(&self, shard: ShardId, position: u64, max: usize, throttled: bool) -> Result<Seen> {
        let cell = &*self.cell;
        let limits = &cell.engine.limits.streams;
        let look = |inner: &mut StreamInner, now: u64| {
            if throttled && inner.state.settings.throttled {
                let stream = || cell.name.clone();
                let found = inner.state.shard_mut(shard).ok_or_else(|| Self::no_shard(shard))?;
                if !found.traffic.may_read(limits, now) {
                    return Err(Error::ProvisionedThroughputExceeded { stream: stream(), shard });
                }
            }
            let horizon = now.saturating_sub(inner.state.settings.retention_ms);
            let children = inner.state.children(shard.0);
            let last_put = inner.last_put.clone();
            let found = inner.state.shard(shard).ok_or_else(|| Self::no_shard(shard))?;
            Ok(Seen {
                look: found.look(position, max),
                position: found.head,
                partition: found.definition.partition,
                horizon,
                readable: found.readable(),
                newest_at: found.newest_at(),
                children,
                number: found.number(0),
                coming: (found.readable() < found.tail()).then_some(last_put),
                now,
            })
        };
        Ok(cell.operate(Durability::Memory, look)?.0)
    }

    fn no_shard(shard: ShardId) -> Error {
        Error::invalid("shard", shard, "is not a shard of this stream")
    }

    /// The records of these rows, but for expired ones, and the sequence behind them.
    fn records(seen: &Seen, rows: Vec<(u64, Bytes)>, bytes_max: usize) -> Result<(Vec<Record>, u64)> {
        let mut records = Vec::with_capacity(rows.len());
        let (mut bytes, mut next) = (0usize, seen.position);
        for (seq, row) in rows {
            let damaged = |what| damaged_row(seen.partition, seq, what);
            let head = RowHead::read(&row).map_err(damaged)?;
            if head.sent_at < seen.horizon {
                next = seq + 1;
                continue;
            }
            let content = RowContent::read(&row).map_err(damaged)?;
            bytes = bytes.saturating_add(content.body.len());
            if bytes > bytes_max && !records.is_empty() {
                break;
            }
            next = seq + 1;
            records.push(Record {
                number: crate::stream::number::RecordNumber { seq, ..seen.number },
                partition_key: content.group_id.unwrap_or_default(),
                data: content.body,
                arrived_at: Timestamp::from_millis(head.sent_at),
            });
        }
        Ok((records, next))
    }

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
        Records {
            records,
            next: Some(ShardIterator::new(cell.engine.seed, cell.id, iterator.shard, next, now)),
            millis_behind_latest: behind,
            child_shards: Vec::new(),
            missed: 0,
        }
    }

    /// The end of a closed shard (rule K54).
    fn end(&self, iterator: &ShardIterator, seen: &Seen) -> Records {
        Records {
            next: None,
            child_shards: seen.children.clone(),
            ..self.found(iterator, seen, Vec::new(), 0)
        }
    }
}

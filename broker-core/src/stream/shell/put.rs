//! Putting records.

use super::{LocalStream, StreamCell};
use crate::{
    error::{Error, Result},
    pipeline::{Admission, Ticket},
    queue::{
        attributes::MessageAttributes,
        row::{RowHead, RowParts, UnstampedRow},
    },
    stream::{
        check,
        hash::hash_key,
        record::{PutOutcome, PutRecord},
        shard::ShardId,
    },
};

/// Records have no attributes.
static NO_ATTRIBUTES: MessageAttributes = MessageAttributes::new();

/// A record that passed the checks, ready to be stamped and stored.
struct Prepared {
    hash: u128,
    size_bytes: usize,
    after: Option<crate::stream::number::RecordNumber>,
    row: UnstampedRow,
}

impl LocalStream {
    /// Puts a record and returns when it has the stream's durability. Waits while too many bytes wait for their commit
    /// ([`BrokerBuilder::bytes_in_flight_max`](crate::BrokerBuilder::bytes_in_flight_max)).
    ///
    /// On a throttled stream it fails with [`Error::ProvisionedThroughputExceeded`] if the shard has had as much as it takes
    /// in a second; try again later.
    ///
    /// Cancel safe in this sense: a dropped call has put the record or not, and later calls agree on which.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// # let broker = broker_core::Broker::open(broker_mem::MemStorage::new()).await?;
    /// use broker_core::{PutRecord, StartingPosition};
    ///
    /// let clicks = broker.stream("clicks").shards(2).await?;
    /// let put = clicks.put(PutRecord::new("user-7", "buy")).await?;
    /// let from = clicks.iterator(put.shard, StartingPosition::TrimHorizon).await?;
    /// assert_eq!(&clicks.read(&from, 10).await?.records[0].data[..], b"buy");
    /// # Ok::<(), broker_core::Error>(()) }).unwrap();
    /// ```
    pub async fn put(&self, record: PutRecord) -> Result<PutOutcome> {
        check::record(&record, &self.cell.engine.limits.streams)?;
        let bytes = record.size_bytes();
        let outcomes = self.put_all(vec![record], bytes).await?.pop();
        outcomes.expect("a batch of one has one outcome")
    }

    /// Puts several records in one commit: after a crash all accepted ones are there, or none.
    ///
    /// A record that is too large or that a throttled shard does not take fails alone, and the others are put all the same
    /// (rule K41). The call fails if the batch as a whole is refused: no records, more than 500, more than 10 MiB together, or
    /// a key that cannot be. Cancel safe as [`put`](Self::put) is.
    pub async fn put_batch(&self, records: Vec<PutRecord>) -> Result<Vec<Result<PutOutcome>>> {
        let bytes = check::batch(&records, &self.cell.engine.limits.streams)?;
        self.put_all(records, bytes).await
    }

    async fn put_all(&self, records: Vec<PutRecord>, bytes: usize) -> Result<Vec<Result<PutOutcome>>> {
        let cell = &*self.cell;
        let mut prepared = Vec::with_capacity(records.len());
        for record in records {
            prepared.push(cell.prepare(&record));
        }
        let admission = cell.engine.pipeline.admit(bytes).await?;
        let (outcomes, ticket, trims) = cell.append(prepared, admission)?;
        // Readers wait for the commit by themselves: this call may be dropped here.
        cell.news.notify_waiters();
        if trims {
            self.trim();
        }
        ticket.wait().await?;
        Ok(outcomes)
    }
}

impl StreamCell {
    /// The encoding, which needs no lock.
    fn prepare(&self, record: &PutRecord) -> Result<Prepared> {
        let row = UnstampedRow::of(&RowParts {
            group_id: Some(&record.partition_key),
            trace_header: None,
            deduplication_id: None,
            attributes: &NO_ATTRIBUTES,
            origin: None,
            body: &record.data,
        });
        let max = self.engine.pipeline.profile().value_bytes_max;
        if row.len() > max {
            return Err(Error::MessageTooLong { bytes: row.len(), max });
        }
        let hash = record.explicit_hash_key.unwrap_or_else(|| hash_key(&record.partition_key));
        Ok(Prepared { hash, size_bytes: record.size_bytes(), after: record.after, row })
    }

    /// Adds the records to their shards. Returns also whether it is time to look for expired ones.
    fn append(
        &self,
        prepared: Vec<Result<Prepared>>,
        admission: Admission<'_>,
    ) -> Result<(Vec<Result<PutOutcome>>, Ticket, bool)> {
        let mut guard = self.inner.lock();
        let inner = &mut *guard;
        if inner.state.deleted {
            return Err(self.missing());
        }
        let pipeline = &self.engine.pipeline;
        inner.state.committed(pipeline.completed());
        let now = self.engine.timeline.now();
        let mut touched: Vec<u32> = Vec::new();
        let mut outcomes = Vec::with_capacity(prepared.len());
        for record in prepared {
            let outcome = record.and_then(|record| {
                self.check(inner, &record, now)?;
                let Prepared { hash, size_bytes, row, .. } = record;
                let stamp = |at| row.stamp(RowHead::sent(at, 0));
                let number = inner.state.put(hash, size_bytes, now, stamp, &mut inner.batch);
                if !touched.contains(&number.shard) {
                    touched.push(number.shard);
                }
                Ok(PutOutcome { shard: ShardId(number.shard), number })
            });
            outcomes.push(outcome);
        }
        if touched.is_empty() {
            return Ok((outcomes, pipeline.barrier()?, false));
        }
        for number in &touched {
            if let Some(shard) = inner.state.shard(ShardId(*number)) {
                shard.save(&mut inner.batch);
            }
        }
        let durability = inner.state.settings.durability.into();
        let ticket = pipeline.submit(&mut inner.batch, durability, Some(admission))?;
        inner.state.submitted(&touched, ticket.number());
        inner.last_put = ticket.clone();
        let trims = inner.is_time_to_trim(now);
        Ok((outcomes, ticket, trims))
    }

    /// What depends on the stream's state.
    fn check(&self, inner: &mut super::StreamInner, record: &Prepared, now: u64) -> Result<()> {
        let settings = &inner.state.settings;
        let (bytes, max) = (record.size_bytes, settings.max_record_size);
        if bytes > max {
            return Err(Error::MessageTooLong { bytes, max });
        }
        let throttled = settings.throttled;
        if let Some(after) = record.after
            && !inner.state.has_given_out(after)
        {
            let reason = "is not a sequence number that this stream has given out";
            return Err(Error::invalid("after", after, reason));
        }
        let shard = inner.state.shard_of(record.hash);
        if throttled && !shard.traffic.may_write(bytes, &self.engine.limits.streams, now) {
            let shard = ShardId(shard.definition.number);
            return Err(Error::ProvisionedThroughputExceeded { stream: self.name.clone(), shard });
        }
        Ok(())
    }
}

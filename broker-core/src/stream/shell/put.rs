//! Putting records.

use super::{LocalStream, StreamCell, StreamInner};
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
pub(super) struct Prepared {
    pub(super) hash: u128,
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
        let cell = &*self.cell;
        let key_min = cell.key_chars_min(std::slice::from_ref(&record));
        check::record(&record, key_min, &cell.engine.limits.streams)?;
        let prepared = cell.prepare(&record)?;
        let admission = cell.engine.pipeline.admit(record.size_bytes()).await?;
        self.append(admission, |inner, now| cell.add(inner, prepared, now)).await?
    }

    /// Puts several records in one commit: after a crash all accepted ones are there, or none.
    ///
    /// A record that is too large or that a throttled shard does not take fails alone, and the others are put all the same
    /// (rule K41). The call fails if the batch as a whole is refused: no records, more than 500, more than 10 MiB together, or
    /// a key that cannot be. Cancel safe as [`put`](Self::put) is.
    pub async fn put_batch(&self, records: Vec<PutRecord>) -> Result<Vec<Result<PutOutcome>>> {
        let cell = &*self.cell;
        let bytes = check::batch(&records, cell.key_chars_min(&records), &cell.engine.limits.streams)?;
        let prepared: Vec<_> = records.into_iter().map(|record| cell.prepare(&record)).collect();
        let admission = cell.engine.pipeline.admit(bytes).await?;
        let add_all = |inner: &mut StreamInner, now| {
            prepared
                .into_iter()
                .map(|record| record.and_then(|record| cell.add(inner, record, now)))
                .collect()
        };
        self.append(admission, add_all).await
    }

    /// Lets `add` put records into the state, and returns when they are committed.
    async fn append<T>(
        &self,
        admission: Admission<'_>,
        add: impl FnOnce(&mut StreamInner, u64) -> T,
    ) -> Result<T> {
        let (outcome, ticket, trims) = self.cell.submit(admission, add)?;
        // Before the wait: this call may be dropped there.
        self.cell.tell_readers();
        if trims {
            self.start_trimming();
        }
        ticket.wait().await?;
        Ok(outcome)
    }
}

impl StreamCell {
    /// How many characters a partition key has at least: none if there are records without one and the stream does not need it.
    pub(super) fn key_chars_min(&self, records: &[PutRecord]) -> usize {
        let without = records.iter().any(|record| record.partition_key.is_empty());
        usize::from(!without || !self.inner.lock().state.places_itself())
    }

    /// The encoding, which needs no lock.
    pub(super) fn prepare(&self, record: &PutRecord) -> Result<Prepared> {
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

    /// Lets `add` put records into the state, and submits them. Returns also whether somebody must begin to look for expired
    /// ones.
    fn submit<T>(
        &self,
        admission: Admission<'_>,
        add: impl FnOnce(&mut StreamInner, u64) -> T,
    ) -> Result<(T, Ticket, bool)> {
        let mut guard = self.inner.lock();
        let inner = &mut *guard;
        if inner.state.deleted {
            return Err(self.missing());
        }
        let pipeline = &self.engine.pipeline;
        inner.state.committed(pipeline.completed());
        let now = self.engine.timeline.now();
        let outcome = add(inner, now);
        if !inner.state.save_touched(&mut inner.batch) {
            return Ok((outcome, pipeline.barrier()?, false));
        }
        let durability = inner.state.settings.durability.into();
        let ticket = pipeline.submit(&mut inner.batch, durability, Some(admission))?;
        let trims = inner.puts_submitted(&ticket);
        Ok((outcome, ticket, trims))
    }

    /// Adds a record to its shard, unless the stream's state is against it.
    fn add(&self, inner: &mut StreamInner, mut record: Prepared, now: u64) -> Result<PutOutcome> {
        Self::place(inner, &mut record);
        self.check(inner, &record, now)?;
        Ok(Self::keep(inner, record, now))
    }

    /// Gives the record its place, if that is for the stream to say.
    pub(super) fn place(inner: &mut StreamInner, record: &mut Prepared) {
        if inner.state.places_itself() {
            record.hash = inner.state.spread();
        }
    }

    /// Adds a record to its shard, nothing being against it.
    pub(super) fn keep(inner: &mut StreamInner, record: Prepared, now: u64) -> PutOutcome {
        let Prepared { hash, size_bytes, row, .. } = record;
        let stamp = |at| row.stamp(RowHead::sent(at, 0));
        let number = inner.state.put(hash, size_bytes, now, stamp, &mut inner.batch);
        PutOutcome { shard: ShardId(number.shard), number }
    }

    /// What depends on the stream's state.
    pub(super) fn check(&self, inner: &mut StreamInner, record: &Prepared, now: u64) -> Result<()> {
        let settings = &inner.state.settings;
        let (bytes, max) = (record.size_bytes, settings.max_record_size);
        if bytes > max {
            return Err(Error::MessageTooLong { bytes, max });
        }
        if let Some(after) = record.after
            && !inner.state.has_given_out(after)
        {
            let reason = "is not a sequence number that this stream has given out";
            return Err(Error::invalid("after", after, reason));
        }
        if settings.throttled {
            let shard = inner.state.shard_of(record.hash);
            if !shard.traffic.may_write(bytes, &self.engine.limits.streams, now) {
                let shard = ShardId(shard.definition.number);
                return Err(Error::ProvisionedThroughputExceeded { stream: self.name.clone(), shard });
            }
        }
        Ok(())
    }
}

//! Messages between their lease and their receiver: given back if they do not get there.

use bytes::Bytes;

use super::{Operation, QueueCell};
use crate::{
    codec::Malformed,
    error::{Error, Result},
    queue::{fetch::damaged_row, message::Message, state::Leased},
    seeded::seeded,
    storage::Durability,
};

/// Leased messages on their way to the consumer. Dropped before they arrive, they go back.
pub(super) struct Handout<'a> {
    pub(super) cell: &'a QueueCell,
    pub(super) leased: Vec<Leased>,
    /// An earlier receive has handed them out already: they are not this one's to give back.
    pub(super) repeated: bool,
}

impl Handout<'_> {
    /// Reads the rows that were not at hand and makes messages of all. One that has gone meanwhile (purged, expired,
    /// deleted by an older receipt) is left out.
    pub(super) async fn complete(mut self, partition: u64) -> Result<Vec<Message>> {
        let missing: Vec<u64> =
            self.leased.iter().filter(|leased| leased.row.is_none()).map(|leased| leased.seq).collect();
        if !missing.is_empty() {
            let read = move |store: &dyn crate::storage::Storage| {
                missing.into_iter().map(|seq| Ok((seq, store.row(partition, seq)?))).collect()
            };
            let rows: Vec<(u64, Option<Bytes>)> = self.cell.engine.pipeline.read(read).await?;
            let mut rows = rows.into_iter().peekable();
            for leased in &mut self.leased {
                if let Some((_, row)) = rows.next_if(|(seq, _)| *seq == leased.seq) {
                    leased.row = row;
                }
            }
        }
        let mut damage = self.lost_row(partition)?;
        let mut messages = Vec::with_capacity(self.leased.len());
        let cell = self.cell;
        self.leased.retain(|leased| match cell.message(partition, leased) {
            Some(Ok(message)) => {
                messages.push(message);
                true
            }
            Some(Err(error)) => {
                if !seeded("damaged-row-skipped") {
                    damage.get_or_insert(error);
                }
                false
            }
            None => false,
        });
        if let Some(damage) = damage {
            // The others go back. The damaged one stays in flight for its timeout, so that it does not stand before
            // the others at every receive.
            return Err(damage);
        }
        self.leased.clear();
        Ok(messages)
    }

    /// The error of a message that has no row although it has not gone.
    fn lost_row(&self, partition: u64) -> Result<Option<Error>> {
        let missing: Vec<u64> =
            self.leased.iter().filter(|leased| leased.row.is_none()).map(|leased| leased.seq).collect();
        if missing.is_empty() {
            return Ok(None);
        }
        let find =
            |op: &mut Operation<'_>| Ok(missing.into_iter().find(|seq| op.state.has_live(partition, *seq)));
        let (lost, _) = self.cell.operate(Durability::Buffered, None, find)?;
        Ok(lost.map(|seq| damaged_row(partition, seq, Malformed("is missing")).into()))
    }
}

impl Drop for Handout<'_> {
    fn drop(&mut self) {
        if self.leased.is_empty() || self.repeated || seeded("cancelled-receive-keeps-its-lease") {
            return;
        }
        let taken_back = self.cell.operate(Durability::Buffered, None, |op| {
            for leased in &self.leased {
                op.state.take_back(leased.seq, leased.lease.deliveries, op.now, op.batch);
            }
            Ok(())
        });
        // Nobody waits for it. If the broker has stopped or the queue is gone, there is nothing to give back.
        drop(taken_back);
    }
}

//! Staging what happens in streams and their consumer groups.

use super::{
    OperationKind, Transaction,
    step::{Staged, What},
};
use crate::{
    error::Result,
    stream::{LocalStream, group::Checkpoint, record::PutRecord},
};

impl Transaction {
    /// Puts a record, as [`LocalStream::put`] does. Returns the operation's number.
    #[expect(clippy::needless_pass_by_value, reason = "as for a put outside of a transaction")]
    pub fn put_record(&mut self, stream: &LocalStream, record: PutRecord) -> Result<usize> {
        let (put, bytes) = stream.stage_put(&record)?;
        self.room(bytes)?;
        self.join_stream(stream)?;
        let number = self.count(OperationKind::PutRecord, bytes);
        self.0.staged.push(Staged { number, what: What::Put(stream.cell.id, put) });
        Ok(number)
    }

    /// Says that a record and all before it in its shard are consumed, as [`Consumed::checkpoint`](crate::Consumed::checkpoint) does: give
    /// it the record that [`Consumer::next`](crate::Consumer::next) returned, or what [`Checkpointer::at`](crate::Checkpointer::at) makes of one.
    /// Returns the operation's number. If the lease is lost by then, or the record is checkpointed already, the transaction is rejected: so
    /// the work of a record is done once.
    pub fn checkpoint(&mut self, at: impl Into<Checkpoint>) -> Result<usize> {
        let at = at.into();
        self.room(0)?;
        let stream = at.stream().clone();
        self.join_stream(&stream)?;
        let number = self.count(OperationKind::Checkpoint, 0);
        self.0.staged.push(Staged { number, what: What::Checkpoint(stream.cell.id, at) });
        Ok(number)
    }

    fn join_stream(&mut self, stream: &LocalStream) -> Result<()> {
        self.check_own(&stream.cell.engine, "stream", &stream.cell.name)?;
        self.0.streams.or_insert_with(stream.cell.id, || stream.cell.clone());
        Ok(())
    }
}

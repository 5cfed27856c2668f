//! What a transaction puts into a stream: first it is looked whether all of it can be, then all of it is.

use super::{LocalStream, StreamCell, StreamInner, put::Prepared};
use crate::{
    error::Result,
    pipeline::Ticket,
    stream::{
        check,
        record::{PutOutcome, PutRecord},
        state::Allowances,
    },
};

/// A record to be put, until it is.
pub(crate) struct StagedPut(Option<Prepared>);

impl LocalStream {
    /// The checks that need no lock but for a moment. Returns also how many bytes the record has.
    pub(crate) fn stage_put(&self, record: &PutRecord) -> Result<(StagedPut, usize)> {
        let cell = &*self.cell;
        let key_min = cell.key_chars_min(std::slice::from_ref(record));
        check::record(record, key_min, &cell.engine.limits.streams)?;
        Ok((StagedPut(Some(cell.prepare(record)?)), record.size_bytes()))
    }
}

impl StreamCell {
    /// Tells readers that something was put: they wait for its commit by themselves.
    pub(crate) fn tell_readers(&self) {
        self.news.notify_waiters();
    }

    /// Whether the record can be put. Then [`StagedPut::apply`] does not fail. What it takes of the allowance of a throttled
    /// shard is noted, to be given back if the transaction is rejected.
    pub(crate) fn check_put(
        &self,
        inner: &mut StreamInner,
        put: &mut StagedPut,
        taken: &mut Allowances,
        now: u64,
    ) -> Result<()> {
        let Some(record) = &mut put.0 else { return Ok(()) };
        Self::place(inner, record);
        taken.note(&mut inner.state, record.hash);
        self.check(inner, record, now)
    }
}

impl StagedPut {
    /// Puts the record, which can be.
    pub(crate) fn apply(&mut self, inner: &mut StreamInner, now: u64) -> PutOutcome {
        let record = self.0.take().expect("a record is put once, and that ends the transaction");
        StreamCell::keep(inner, record, now)
    }
}

impl StreamInner {
    /// Notes that what was put is on its way. Returns whether somebody must begin to look for what expires.
    pub(crate) fn puts_submitted(&mut self, ticket: &Ticket) -> bool {
        self.state.submitted(ticket.number());
        self.last_put = ticket.clone();
        self.needs_trimming()
    }
}

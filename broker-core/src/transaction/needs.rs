//! What must be read before it can be decided whether a transaction can be done.

use std::collections::BTreeMap;

use super::{
    plan::first,
    rejected,
    step::{Missing, Step, What},
};
use crate::{
    error::Result,
    queue::{
        shell::{Operation, StagedSend},
        state::Want,
    },
    topic::shell::Publishing,
};

impl Step<'_> {
    /// What must be read before it can be decided. Also makes messages live again that were put out of memory.
    pub(super) fn missing(&mut self, ops: &mut [Operation<'_>]) -> Result<Missing> {
        let mut missing = Missing::default();
        if self.needs_nothing(ops) {
            return Ok(missing);
        }
        let mut settled: Vec<(u64, u64)> = Vec::new();
        let mut sends: BTreeMap<u64, Vec<&StagedSend>> = BTreeMap::new();
        for staged in &*self.staged {
            match &staged.what {
                What::Settle(queue, settlement) => {
                    settled.push((*queue, settlement.seq()));
                    if settlement.is_move() {
                        self.row_of(*queue, settlement.seq(), ops, &mut missing);
                    }
                }
                What::Send(queue, send) if self.named.queues[*queue].is_fifo() => {
                    sends.entry(*queue).or_default().push(send);
                }
                _ => {}
            }
        }
        settled.sort_unstable();
        for settled in settled.chunk_by(|one, next| one.0 == next.0) {
            let id = settled[0].0;
            let seqs: Vec<u64> = settled.iter().map(|(_, seq)| *seq).collect();
            let cell = &self.named.queues[id];
            let at = self.parts.place(cell);
            if let Some(leases) = cell.recall(&mut ops[at], &seqs, self.known.leases.remove(id))? {
                missing.leases.push((cell.clone(), leases, seqs));
            }
        }
        let looked_up = &self.known.looked_up;
        for (id, sends) in sends {
            let known = looked_up.get(&id).unwrap_or(&self.nothing);
            let cell = &self.named.queues[id];
            let ids = cell.missing_ids(sends.into_iter(), known, &ops[self.parts.place(cell)]);
            missing.ids.extend(ids.map(|ids| (id, ids)));
        }
        for (id, part) in self.named.topics.iter() {
            let what = (&self.parts.plans[id], part.drafts.as_slice());
            let judged =
                Publishing::judge(&part.topic.cell, &self.owners.topics[id], what, looked_up, self.now);
            match judged.map_err(|error| rejected(self.kinds, first(self.staged, id), error))? {
                Ok(publishing) => {
                    missing.ids.extend(publishing.missing(looked_up, ops)?);
                    self.publishing.push(id, publishing);
                }
                Err(ids) => missing.ids.push((id, ids)),
            }
        }
        Ok(missing)
    }

    /// Asks for the row of a message that is to be a dead letter, unless it was read. If the queue was purged since, the message is
    /// gone, and its row does not matter.
    fn row_of(&self, id: u64, seq: u64, ops: &[Operation<'_>], missing: &mut Missing) {
        if !self.known.rows.contains_key(&(id, seq)) {
            let cell = &self.named.queues[id];
            let partition = ops[self.parts.place(cell)].state.partition();
            missing.rows.push((cell.clone(), partition, seq));
        }
    }

    /// Whether all that is needed is in memory, as it is for messages that were just received.
    fn needs_nothing(&self, ops: &mut [Operation<'_>]) -> bool {
        self.named.topics.is_empty()
            && self.staged.iter().all(|staged| match &staged.what {
                What::Settle(queue, settlement) => {
                    let cell = &self.named.queues[*queue];
                    if settlement.is_move() {
                        return false;
                    }
                    let op = &mut ops[self.parts.place(cell)];
                    !op.state.must_recall(settlement.seq()) && op.state.need(op.now, Want::Nothing).is_none()
                }
                What::Send(queue, _) => !self.named.queues[*queue].is_fifo(),
                _ => true,
            })
    }
}

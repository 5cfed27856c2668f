//! Under the locks: whether all of a transaction can be done, and doing it. Nothing changes before it is certain that all can.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use super::{
    OperationKind, Outcome, Reason,
    by_id::ById,
    commit::MissingLeases,
    owners::{Owners, group_of},
    plan::Parts,
    rejected,
};
use crate::{
    error::Result,
    pipeline::Ticket,
    queue::shell::{ColdLeases, LookedUp, Operation, QueueCell, Settlement, StagedSend, ToLookUp},
    seeded::seeded,
    space::{History, KeyWrites, ReadSet},
    storage::Batch,
    stream::{
        group::Checkpoint,
        shell::{StagedPut, StreamCell, StreamInner},
        state::Allowances,
    },
    topic::shell::{LookedUpAll, Publishing, TopicPart},
};

/// An operation that is to be done, and its number.
pub(super) struct Staged {
    pub(super) number: usize,
    pub(super) what: What,
}

/// What is to be done, and the id of the queue, the topic or the stream that it is done to.
pub(super) enum What {
    Settle(u64, Settlement),
    Send(u64, StagedSend),
    /// This one of what is published to the topic.
    Publish(u64, usize),
    Put(u64, StagedPut),
    Checkpoint(u64, Checkpoint),
}

impl What {
    /// Ids are given out once, whatever they are for.
    pub(super) fn owner(&self) -> u64 {
        match self {
            Self::Settle(id, _)
            | Self::Send(id, _)
            | Self::Publish(id, _)
            | Self::Put(id, _)
            | Self::Checkpoint(id, _) => *id,
        }
    }
}

/// What was read for the decision: deduplication ids, and leases by the ids of the queues.
#[derive(Default)]
pub(super) struct Known {
    pub(super) looked_up: LookedUpAll,
    pub(super) leases: HashMap<u64, ColdLeases>,
}

/// What must be read before there is a decision.
#[derive(Default)]
pub(super) struct Missing {
    /// Each with the id of its queue or topic.
    pub(super) ids: Vec<(u64, ToLookUp)>,
    pub(super) leases: Vec<MissingLeases>,
}

/// What is left to be done when all is on its way.
pub(super) struct Submitted {
    /// The streams that records were put into, and whether somebody must begin to look for what expires.
    pub(super) trims: Vec<(u64, bool)>,
    /// Groups of which a shard may have ended.
    pub(super) ended: BTreeSet<usize>,
    pub(super) forgotten_ids: Vec<(u64, u64)>,
}

/// The queues, topics and streams that a transaction names, by their ids.
pub(super) struct Named<'a> {
    pub(super) queues: &'a ById<Arc<QueueCell>>,
    pub(super) topics: &'a ById<TopicPart>,
    pub(super) streams: &'a ById<Arc<StreamCell>>,
}

/// A transaction under its locks.
pub(super) struct Step<'a> {
    pub(super) kinds: &'a [OperationKind],
    pub(super) staged: &'a mut [Staged],
    pub(super) named: Named<'a>,
    pub(super) parts: &'a Parts,
    pub(super) known: &'a mut Known,
    pub(super) owners: Owners<'a>,
    pub(super) publishing: ById<Publishing<'a>>,
    pub(super) nothing: LookedUp,
    pub(super) now: u64,
    submitted: Submitted,
}

impl<'a> Step<'a> {
    pub(super) fn new(
        (kinds, staged): (&'a [OperationKind], &'a mut [Staged]),
        named: Named<'a>,
        parts: &'a Parts,
        known: &'a mut Known,
        owners: Owners<'a>,
    ) -> Self {
        let submitted = Submitted { trims: Vec::new(), ended: BTreeSet::new(), forgotten_ids: Vec::new() };
        let (publishing, nothing) = (ById::default(), LookedUp::default());
        Self { kinds, staged, named, parts, known, owners, publishing, nothing, now: 0, submitted }
    }

    /// Does all of it, or says what must be read first, or what is in the way.
    pub(super) fn run(
        &mut self,
        ops: &mut [Operation<'_>],
        (reads, writes, history): (&ReadSet, &KeyWrites, &History),
        now: u64,
        batch: &mut Batch,
    ) -> Result<Result<Vec<Outcome>, Missing>> {
        self.now = now;
        let missing = self.missing(ops)?;
        if !missing.ids.is_empty() || !missing.leases.is_empty() {
            return Ok(Err(missing));
        }
        let overtaken =
            reads.gone().or_else(|| reads.overtaken(history).filter(|_| !seeded("read-set-not-checked")));
        if let Some(overtaken) = overtaken {
            return Err(rejected(self.kinds, overtaken.operation, overtaken.reason));
        }
        if let Some((number, error)) = writes.gone() {
            return Err(rejected(self.kinds, number, error));
        }
        let mut taken = Allowances::default();
        if let Err((number, reason)) = self.check(ops, &mut taken) {
            for (_, inner) in self.owners.streams.iter_mut() {
                taken.give_back(&mut inner.state);
            }
            return Err(rejected(self.kinds, number, reason));
        }
        writes.put_into(batch);
        self.apply(ops, batch).map(Ok)
    }

    /// Whether all can be done; if not, which operation cannot, and why. Of throttled shards it notes what it takes.
    fn check(&mut self, ops: &[Operation<'_>], taken: &mut Allowances) -> Result<(), (usize, Reason)> {
        let (mut settled, mut moved) = (BTreeSet::new(), BTreeMap::new());
        let several = self.staged.iter().filter(|one| matches!(one.what, What::Settle(..))).nth(1).is_some();
        for Staged { number, what } in &mut *self.staged {
            let checked: Result<(), Reason> = match what {
                What::Settle(id, settlement) if !several || settled.insert((*id, settlement.seq())) => {
                    let cell = &self.named.queues[*id];
                    settlement.check(cell, &ops[self.parts.place(cell)])
                }
                What::Settle(_, settlement) => Err(settlement.again().into()),
                What::Send(id, send) => {
                    let known = self.known.looked_up.get(id).unwrap_or(&self.nothing);
                    let cell = &self.named.queues[*id];
                    cell.check_send(send, known, &ops[self.parts.place(cell)]).map_err(Reason::from)
                }
                What::Publish(..) => Ok(()),
                What::Put(id, put) => {
                    let (cell, inner) = (&self.named.streams[*id], self.owners.streams.get_mut(*id));
                    let inner = inner.expect("every stream is locked");
                    cell.check_put(inner, put, taken, self.now).map_err(Reason::from)
                }
                What::Checkpoint(id, at) => {
                    let (stream, group) = (&self.owners.streams[*id].state, group_of(at));
                    let before = moved.get(&(group, at.shard())).copied();
                    let next = at.check(stream, &self.owners.groups[&group], before);
                    next.map(|next| _ = moved.insert((group, at.shard()), next)).map_err(Reason::from)
                }
            };
            checked.map_err(|reason| (*number, reason))?;
        }
        Ok(())
    }

    /// Does it. What can be refused has been checked.
    fn apply(&mut self, ops: &mut [Operation<'_>], batch: &mut Batch) -> Result<Vec<Outcome>> {
        let mut outcomes = vec![Outcome::Done; self.kinds.len()];
        for Staged { number, what } in &mut *self.staged {
            outcomes[*number] = match what {
                What::Settle(id, settlement) => {
                    let cell = &self.named.queues[*id];
                    let until = settlement.apply(cell, &mut ops[self.parts.place(cell)])?;
                    until.map_or(Outcome::Done, Outcome::VisibleAt)
                }
                What::Send(id, message) => {
                    let known = self.known.looked_up.get(id).unwrap_or(&self.nothing);
                    let cell = &self.named.queues[*id];
                    let op = &mut ops[self.parts.place(cell)];
                    let sent = cell.apply_send(message, known, op)?;
                    self.submitted.forgotten_ids.extend(op.state.take_forgotten_ids(self.now));
                    Outcome::Sent(sent)
                }
                What::Publish(id, draft) => {
                    let publishing = self.publishing.get_mut(*id).expect("every topic was judged");
                    publishing.hand_over(Some(*draft), &self.known.looked_up, ops)?;
                    Outcome::Published(publishing.published()[*draft])
                }
                What::Put(id, put) => {
                    let inner = self.owners.streams.get_mut(*id).expect("every stream is locked");
                    Outcome::Put(put.apply(inner, self.now))
                }
                What::Checkpoint(id, at) => {
                    let key = group_of(at);
                    let group = self.owners.groups.get_mut(&key).expect("every group is locked");
                    at.apply(group, self.now, batch)?;
                    if at.may_end(&self.owners.streams[*id].state) {
                        self.submitted.ended.insert(key);
                    }
                    Outcome::Done
                }
            };
        }
        for (id, publishing) in self.publishing.iter_mut() {
            let inner = self.owners.topics.get_mut(id).expect("every topic is locked");
            publishing.accept(inner, self.now, batch);
        }
        for (id, inner) in self.owners.streams.iter_mut() {
            let StreamInner { state, batch: records, .. } = &mut **inner;
            if state.save_touched(records) {
                self.submitted.trims.push((id, false));
            }
            batch.append(records);
        }
        Ok(outcomes)
    }

    /// Notes that all is on its way, and lets go of the locks.
    pub(super) fn submitted(mut self, ticket: &Ticket) -> Submitted {
        for (id, publishing) in self.publishing.into_iter() {
            let inner = self.owners.topics.get_mut(id).expect("every topic is locked");
            publishing.submitted(inner, ticket, self.now);
        }
        for (id, trims) in &mut self.submitted.trims {
            let inner = self.owners.streams.get_mut(*id).expect("every stream is locked");
            *trims = inner.puts_submitted(ticket);
        }
        self.submitted
    }
}

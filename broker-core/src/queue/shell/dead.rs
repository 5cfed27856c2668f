//! Dead letters: moving messages to another queue, because they were received too often or because their consumer gave
//! them up.

use std::{collections::HashMap, sync::Arc};

use bytes::Bytes;

use super::{LocalQueue, Operation, QueueCell, receive::Look};
use crate::{
    clock::Timestamp,
    codec::Malformed,
    error::{Error, Result},
    ids::{MessageId, ReceiptHandle},
    pipeline::Ticket,
    queue::{
        fetch::damaged_row,
        lease::Lease,
        options::{DeadLettered, Deleted, ReceiveOptions},
        redrive::{DeadLetter, Origin, REASON_BYTES_MAX},
        row::{RowContent, UnstampedRow},
        state::{Place, Recalled, Spent, SpentRule, Want},
    },
    storage::{Durability, Storage, StorageError},
};

type Rows = HashMap<u64, Bytes>;

/// What a look at a queue with spent messages came to.
enum SpentLook {
    Done(Look),
    /// These rows are needed to move their messages.
    Rows(u64, Vec<u64>),
    /// Spent messages were moved, and nothing was left to return: there may be more.
    OnlyMoved,
}

impl LocalQueue {
    /// The queue that this one's dead letters go to, if it has one and that exists.
    pub(crate) fn dead_letter_queue(&self) -> Option<Arc<QueueCell>> {
        let policy = self.cell.settings().redrive_policy;
        let (name, _) = policy.target()?;
        // Another type of queue may have got the name since.
        self.broker.cell(name).filter(|cell| cell.is_fifo() == self.cell.is_fifo() && cell.id != self.cell.id)
    }

    /// A look at a queue in which messages wait that were received as often as they may be (rule Q80): those that the
    /// receive comes to go to the dead-letter queue in its commit.
    pub(super) async fn look_and_move(&self, options: &ReceiveOptions) -> Result<(Look, Ticket)> {
        let cell = &*self.cell;
        let mut rows = Rows::new();
        let mut lost = Vec::new();
        loop {
            let Some(target) = self.dead_letter_queue() else {
                let look = |op: &mut Operation<'_>| cell.look(op, options, Some(&mut SpentRule::HandOut));
                return cell.operate(Durability::Buffered, None, look);
            };
            let step = |op: &mut Operation<'_>, other: &mut Operation<'_>| {
                // Messages without a row are gone since, or damaged: handing those out says so.
                op.state.hand_out_all_the_same(&lost);
                let missing = op.state.spent_without_row(&rows);
                if !missing.is_empty() {
                    return Ok(SpentLook::Rows(op.state.partition(), missing));
                }
                let mut rule = SpentRule::TakeOut { rows: &rows, taken: Vec::new(), missing: None };
                let look = cell.look(op, options, Some(&mut rule))?;
                let SpentRule::TakeOut { taken, missing, .. } = rule else {
                    return Ok(SpentLook::Done(look));
                };
                let moved = taken.len();
                for Spent { seq, lease, content } in taken {
                    let receives = cell.put_dead(seq, &lease, content, None, other);
                    op.state.note_moved(seq, &target.name, receives, op.now);
                }
                Ok(match (look, missing) {
                    (Look::Leased(_, leased), _) if leased.is_empty() && moved > 0 => SpentLook::OnlyMoved,
                    // Paged in by this very look.
                    (Look::Leased(partition, leased), Some(seq)) if leased.is_empty() => {
                        SpentLook::Rows(partition, vec![seq])
                    }
                    (look, _) => SpentLook::Done(look),
                })
            };
            let durability = cell.durability_of_move(&target);
            let looked = match cell.operate_both(&target, durability, step) {
                // The dead-letter queue was deleted in between.
                Err(Error::QueueDoesNotExist { name }) if name == target.name => continue,
                looked => looked?,
            };
            match looked {
                (SpentLook::Done(look), ticket) => return Ok((look, ticket)),
                (SpentLook::OnlyMoved, ticket) => ticket.wait().await?,
                (SpentLook::Rows(partition, seqs), _) => {
                    rows.extend(self.rows(partition, seqs.clone()).await?);
                    lost.extend(seqs.into_iter().filter(|seq| !rows.contains_key(seq)));
                }
            }
        }
    }

    /// The rows of these messages, those that are gone left out.
    async fn rows(&self, partition: u64, seqs: Vec<u64>) -> Result<Vec<(u64, Bytes)>> {
        let read = move |store: &dyn Storage| {
            let row = |seq| Ok(store.row(partition, seq)?.map(|row| (seq, row)));
            seqs.into_iter().filter_map(|seq| row(seq).transpose()).collect::<Result<_, StorageError>>()
        };
        self.cell.engine.pipeline.read(read).await
    }

    /// Gives the message of this receipt up to the queue's dead-letter queue, at once and however often it was received.
    /// `reason`, 1 to 1,024 bytes, is kept with it there.
    ///
    /// Fails with [`Error::NoDeadLetterQueue`] if the queue has none. A message that is gone, or that somebody else has
    /// received since, is an outcome. Returns when it has the queue's durability. Cancel safe in this sense: a dropped call
    /// has moved the message or not; it is never in both queues, nor in none.
    pub async fn dead_letter(
        &self,
        receipt: ReceiptHandle,
        reason: impl Into<String>,
    ) -> Result<DeadLettered> {
        let reason = reason.into();
        check_reason(&reason)?;
        let cell = &*self.cell;
        let place = self.open_receipt(receipt)?;
        let mut read: Option<Read> = None;
        loop {
            let target = self.dead_letter_queue().ok_or_else(|| cell.no_dead_letter_queue())?;
            let step = |op: &mut Operation<'_>, other: &mut Operation<'_>| {
                Ok(match give_up(op, place, read.take())? {
                    GivenUp::Taken(lease, content) => {
                        let receives = cell.put_dead(place.seq, &lease, content, Some(reason.clone()), other);
                        op.state.note_moved(place.seq, &target.name, receives, op.now);
                        Ok(DeadLettered::Moved { queue: target.name.clone() })
                    }
                    GivenUp::Not(outcome) => Ok(outcome.into()),
                    GivenUp::Unread(unread) => Err(unread),
                })
            };
            match cell.operate_both(&target, cell.durability_of_move(&target), step) {
                Err(Error::QueueDoesNotExist { name }) if name == target.name => {}
                Err(error) => return Err(error),
                Ok((Ok(outcome), ticket)) => {
                    ticket.wait().await?;
                    return Ok(outcome);
                }
                Ok((Err(unread), _)) => {
                    // What is due in the time index must leave it before it can be told from what is untouched.
                    cell.page_in(Want::Nothing).await?;
                    cell.fence().wait().await?;
                    let reading = move |store: &dyn Storage| unread.read(store, place.seq);
                    read = Some(cell.engine.pipeline.read(reading).await?);
                }
            }
        }
    }
}

/// Refuses a reason that is not 1 to 1,024 bytes.
pub(super) fn check_reason(reason: &str) -> Result<()> {
    if reason.is_empty() || reason.len() > REASON_BYTES_MAX {
        let allowed = format!("must have 1 to {REASON_BYTES_MAX} bytes");
        return Err(Error::invalid("reason", reason, allowed));
    }
    Ok(())
}

/// What must be read of a message before it can be given up: from which partition, in which epoch, at which time.
#[derive(Clone, Copy)]
struct Unread {
    partition: u64,
    epoch: u64,
    now: u64,
}

/// What was read of it.
struct Read {
    of: Unread,
    row: Option<Bytes>,
    lease: Option<Recalled>,
}

/// What an attempt to take a message out of its queue came to.
enum GivenUp {
    Taken(Lease, RowContent),
    /// It is not this consumer's any more.
    Not(Deleted),
    Unread(Unread),
}

impl Unread {
    fn read(self, store: &dyn Storage, seq: u64) -> Result<Read, StorageError> {
        let row = store.row(self.partition, seq)?;
        Ok(Read { of: self, row, lease: Recalled::read(store, self.partition, seq, self.now)? })
    }
}

/// Takes the message out of the queue if it is there and this delivery is the latest.
fn give_up(op: &mut Operation<'_>, place: Place, read: Option<Read>) -> Result<GivenUp> {
    let Place { seq, .. } = place;
    let unread = Unread { partition: op.state.partition(), epoch: op.state.epoch(), now: op.now };
    if op.state.need(op.now, Want::Nothing).is_some() {
        return Ok(GivenUp::Unread(unread));
    }
    let read = read.filter(|read| read.of.partition == unread.partition);
    if op.state.must_recall(seq) {
        match &read {
            Some(Read { of, lease, .. }) if of.epoch == unread.epoch => {
                if let Some(lease) = lease {
                    op.state.recall(seq, lease, op.batch);
                }
            }
            _ => return Ok(GivenUp::Unread(unread)),
        }
    }
    if let Err(outcome) = op.state.can_give_up(place)? {
        return Ok(GivenUp::Not(outcome));
    }
    let Some(read) = read else { return Ok(GivenUp::Unread(unread)) };
    let content = read.row.as_ref().ok_or(Malformed("is missing")).and_then(RowContent::read);
    let content = content.map_err(|what| damaged_row(unread.partition, seq, what))?;
    let lease = op.state.give_up(place, op.now, op.batch).expect("it could be given up a moment ago");
    Ok(GivenUp::Taken(lease, content))
}

impl From<Deleted> for DeadLettered {
    fn from(outcome: Deleted) -> Self {
        match outcome {
            Deleted::Gone => Self::Gone,
            Deleted::Stale => Self::Stale,
        }
    }
}

impl QueueCell {
    pub(crate) fn no_dead_letter_queue(&self) -> Error {
        Error::NoDeadLetterQueue { name: self.name.clone() }
    }

    /// A move is a delete here and a send there, and never less durable than a receive.
    pub(crate) fn durability_of_move(&self, target: &Self) -> Durability {
        let of = |cell: &Self| Durability::from(cell.settings().durability);
        of(self).max(of(target)).max(Durability::Buffered)
    }

    /// Adds a message that was taken out of this queue to its dead-letter queue: with its id, and why. Returns how often it
    /// was received.
    pub(super) fn put_dead(
        &self,
        seq: u64,
        lease: &Lease,
        content: RowContent,
        reason: Option<String>,
        target: &mut Operation<'_>,
    ) -> u32 {
        let (message, origin) = content.into_message();
        let before = origin.as_ref().map_or(0, |origin| origin.why.receive_count);
        let first_received_at = Timestamp::from_millis(lease.first_received_at);
        let why = DeadLetter {
            source: self.name.clone(),
            receive_count: before.saturating_add(lease.deliveries),
            first_received_at: origin
                .as_ref()
                .map_or(first_received_at, |origin| origin.why.first_received_at),
            last_received_at: Timestamp::from_millis(lease.received_at),
            moved_at: Timestamp::from_millis(target.now),
            reason,
        };
        let receives = why.receive_count;
        let id = origin.map_or_else(|| MessageId::new(self.engine.seed, self.id, seq), |origin| origin.id);
        let row = UnstampedRow::new(&message, Some(&Origin { id, of_topic: false, why: Box::new(why) }));
        let group = message.group_id.as_deref();
        let moved =
            target.state.append_moved(lease.sent_at, target.now, group, |head| row.stamp(head), target.batch);
        target.state.note_arrived(id, moved);
        receives
    }
}

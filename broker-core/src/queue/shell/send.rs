//! Sending.

use sha2::{Digest, Sha256};

use super::{LocalQueue, LookedUp, Operation, QueueCell, ToLookUp};
use crate::{
    error::{Error, Result},
    ids::{MessageId, SequenceNumber},
    pipeline::{Admission, Ticket},
    queue::{
        check,
        entries::{Entries, EntryId, Outcomes},
        message::{SendMessage, Sent},
        row::{ORIGIN_BYTES_MAX, UnstampedRow},
        settings::DeduplicationScope,
        state::ScopedId,
    },
    reclaim,
    storage::{Batch, Durability},
};

/// A message that passed the checks, ready to be stamped and stored.
pub(crate) struct Prepared {
    pub(super) size_bytes: usize,
    delay_ms: Option<u64>,
    group_id: Option<String>,
    /// On a FIFO queue, the deduplication id.
    pub(super) id: Option<ScopedId>,
    /// Whether that was computed from the body.
    pub(super) id_computed: bool,
    row: UnstampedRow,
}

/// The outcomes of a batch, or what must be looked up before there are any.
type Step = std::result::Result<Vec<(EntryId, Result<Sent>)>, ToLookUp>;

impl LocalQueue {
    /// Sends one message and returns when it has the queue's durability. Waits while too many bytes wait for their
    /// commit ([`BrokerBuilder::bytes_in_flight_max`](crate::BrokerBuilder::bytes_in_flight_max)).
    ///
    /// On a FIFO queue the message needs a group, and a deduplication id unless the queue takes the body for one. If its id
    /// was accepted in the last five minutes, the message is not enqueued, and the answer is that of the original.
    ///
    /// Cancel safe in this sense: a dropped call has sent the message or not, and later calls agree on which.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// # let broker = broker_core::Broker::open(broker_mem::MemStorage::new()).await?;
    /// let orders = broker.queue("orders").await?;
    /// let sent = orders.send("order 1").await?;
    /// println!("{}", sent.id);
    /// # Ok::<(), broker_core::Error>(()) }).unwrap();
    /// ```
    pub async fn send(&self, message: impl Into<SendMessage>) -> Result<Sent> {
        let prepared = self.prepare(message.into())?;
        if self.cell.is_fifo() {
            let bytes = prepared.size_bytes;
            let one = vec![(EntryId::Position(0), Ok(prepared))];
            let sent = self.send_in_order(one, bytes, None).await?.pop();
            return sent.expect("a batch of one has one outcome").1;
        }
        let admission = self.cell.engine.pipeline.admit(prepared.size_bytes).await?;
        let (seq, ticket) = self.cell.operate(None, Some(admission), |op| prepared.append(op))?;
        ticket.wait().await?;
        Ok(self.cell.sent(seq))
    }

    /// Sends several messages in one commit: after a crash all of them are there, or none.
    ///
    /// An entry that is refused fails alone, so look at the [`Outcomes`]; the call fails if the batch as a whole is
    /// refused: no entries, more than 10, ids that are not distinct, more than 1 MiB together; on a FIFO queue also an
    /// entry without a group or without a deduplication id. Cancel safe as [`send`](Self::send) is.
    pub async fn send_batch(&self, entries: Entries<SendMessage>) -> Result<Outcomes<Sent>> {
        let limits = &self.cell.engine.limits;
        entries.check(limits)?;
        let bytes = entries.entries.iter().map(|(_, message)| message.size_bytes()).sum();
        if bytes > limits.batch_bytes_max {
            return Err(Error::BatchTooLong { bytes, max: limits.batch_bytes_max });
        }
        if self.cell.is_fifo() && entries.entries.iter().any(|(_, message)| message.group_id.is_none()) {
            return Err(Error::MissingParameter { field: "group_id" });
        }
        let durability = entries.durability;
        let prepare = |(id, message)| (id, self.prepare(message));
        let prepared: Vec<_> = entries.entries.into_iter().map(prepare).collect();
        if self.cell.is_fifo() {
            return self.send_in_order(prepared, bytes, durability).await.map(Outcomes);
        }
        let admission = self.cell.engine.pipeline.admit(bytes).await?;
        let (outcomes, ticket) = self.cell.operate(durability, Some(admission), |op| {
            let append = |(id, prepared): (_, Result<Prepared>)| {
                let seq = prepared.and_then(|prepared| prepared.append(op));
                (id, seq.map(|seq| self.cell.sent(seq)))
            };
            Ok(prepared.into_iter().map(append).collect())
        })?;
        ticket.wait().await?;
        Ok(Outcomes(outcomes))
    }

    /// The checks and the encoding, which need no lock.
    pub(super) fn prepare(&self, mut message: SendMessage) -> Result<Prepared> {
        let limits = &self.cell.engine.limits;
        check::message(&message, self.cell.is_fifo(), limits)?;
        let size_bytes = message.size_bytes();
        if size_bytes > limits.message_bytes_max {
            return Err(Error::MessageTooLong { bytes: size_bytes, max: limits.message_bytes_max });
        }
        let id_computed = self.cell.is_fifo() && message.deduplication_id.is_none();
        let id = self.cell.fifo.map(|scope| {
            let group = message.group_id.as_deref().filter(|_| scope == DeduplicationScope::MessageGroup);
            ScopedId::new(group, message.deduplication_id.get_or_insert_with(|| content_id(&message.body)))
        });
        let row = UnstampedRow::new(&message, None);
        // With very many attributes a row can be much larger than what counts as its size. A store that refused it
        // would stop the broker.
        let max = self.cell.engine.pipeline.profile().value_bytes_max;
        if row.len().saturating_add(ORIGIN_BYTES_MAX) > max {
            return Err(Error::MessageTooLong { bytes: row.len(), max });
        }
        let delay_ms = message.delay.map(crate::clock::millis);
        Ok(Prepared { size_bytes, delay_ms, group_id: message.group_id, id, id_computed, row })
    }

    /// Sends to a FIFO queue: what is a duplicate is not enqueued.
    async fn send_in_order(
        &self,
        prepared: Vec<(EntryId, Result<Prepared>)>,
        bytes: usize,
        durability: Option<Durability>,
    ) -> Result<Vec<(EntryId, Result<Sent>)>> {
        let cell = &*self.cell;
        let mut prepared = Some(prepared);
        let mut looked_up = LookedUp::default();
        let admission = cell.engine.pipeline.admit(bytes).await?;
        let (mut step, mut ticket) = cell.try_send(&mut prepared, &looked_up, durability, admission)?;
        if step.is_err() {
            // With the turn, an id that must be looked up is either committed, so that a read finds it, or it was never
            // accepted, and nobody else can send it before this call does: it is perhaps known for everyone.
            let _turn = cell.looking_up.lock().await;
            let admission = cell.engine.pipeline.admit(bytes).await?;
            (step, ticket) = cell.try_send(&mut prepared, &looked_up, durability, admission)?;
            while let Err(missing) = step {
                looked_up.add(cell.engine.pipeline.read(move |store| missing.find(store)).await?);
                let admission = cell.engine.pipeline.admit(bytes).await?;
                (step, ticket) = cell.try_send(&mut prepared, &looked_up, durability, admission)?;
            }
        }
        let outcomes = step.unwrap_or_default();
        if outcomes.iter().any(|(_, sent)| sent.as_ref().is_ok_and(|sent| sent.duplicate)) {
            // The original may have been sent with less durability than this call is to have.
            let durability = durability.unwrap_or_else(|| cell.settings().durability.into());
            ticket = cell.engine.pipeline.submit(&mut Batch::new(), durability, None)?;
        }
        ticket.wait().await?;
        Ok(outcomes)
    }
}

pub(super) fn no_deduplication_id() -> Error {
    let reason = "must be given, or the queue must have content-based deduplication";
    Error::invalid("deduplication_id", "missing", reason)
}

/// Lower-case hex of the body's SHA-256 (rule F11).
pub(crate) fn content_id(body: &[u8]) -> String {
    use std::fmt::Write;
    let mut id = String::with_capacity(64);
    for byte in Sha256::digest(body) {
        let _ = write!(id, "{byte:02x}");
    }
    id
}

impl QueueCell {
    /// Sends the messages, unless ids must be looked up first: then nothing has happened.
    fn try_send(
        &self,
        prepared: &mut Option<Vec<(EntryId, Result<Prepared>)>>,
        looked_up: &LookedUp,
        durability: Option<Durability>,
        admission: Admission<'_>,
    ) -> Result<(Step, Ticket)> {
        let (outcome, ticket) = self.operate(durability, Some(admission), |op| {
            let fifo = op.state.settings.fifo.unwrap_or_default();
            let entries = prepared.as_ref().map_or(&[][..], Vec::as_slice);
            let passed = || entries.iter().filter_map(|(_, prepared)| prepared.as_ref().ok());
            if !fifo.content_based_deduplication && passed().any(|prepared| prepared.id_computed) {
                return Err(no_deduplication_id());
            }
            let ids = passed().filter_map(|prepared| prepared.id.as_ref());
            if let Some(missing) = looked_up.missing(self, ids, op) {
                return Ok((Err(missing), None));
            }
            let append = |(id, entry): (EntryId, Result<Prepared>)| {
                (id, entry.and_then(|entry| self.send_once(entry, looked_up, op)))
            };
            let outcomes = prepared.take().unwrap_or_default().into_iter().map(append).collect();
            Ok((Ok(outcomes), op.state.take_forgotten_ids(op.now)))
        })?;
        let (step, forgotten) = outcome;
        if let Some((partition, below)) = forgotten {
            reclaim::start_ids(&self.engine, partition, below);
        }
        Ok((step, ticket))
    }

    /// Appends the message, unless its id is known.
    pub(super) fn send_once(
        &self,
        mut entry: Prepared,
        looked_up: &LookedUp,
        op: &mut Operation<'_>,
    ) -> Result<Sent> {
        let mut id = entry.id.take().expect("every message of a FIFO queue has a deduplication id");
        entry.check_size(op)?;
        if let Some(original) = looked_up.original(self, &mut id, op)? {
            return Ok(Sent { duplicate: true, ..self.sent(original.seq) });
        }
        let seq = entry.append(op)?;
        op.state.remember_id(id, seq, op.now, op.batch);
        Ok(self.sent(seq))
    }

    pub(super) fn sent(&self, seq: u64) -> Sent {
        Sent {
            id: MessageId::new(self.engine.seed, self.id, seq),
            sequence_number: self.is_fifo().then(|| SequenceNumber::new(seq)),
            duplicate: false,
        }
    }
}

impl Prepared {
    pub(super) fn check_size(&self, op: &Operation<'_>) -> Result<()> {
        let max = op.state.settings.max_message_size;
        if self.size_bytes > max {
            return Err(Error::MessageTooLong { bytes: self.size_bytes, max });
        }
        Ok(())
    }

    pub(super) fn append(self, op: &mut Operation<'_>) -> Result<u64> {
        self.check_size(op)?;
        let delay_ms = self.delay_ms.unwrap_or(op.state.settings.delay_ms);
        Ok(op.state.append(op.now, delay_ms, self.group_id.as_deref(), |head| self.row.stamp(head), op.batch))
    }
}

//! Sending.

use super::{LocalQueue, Operation};
use crate::{
    error::{Error, Result},
    ids::MessageId,
    queue::{
        check,
        entries::{Entries, Outcomes},
        message::{SendMessage, Sent},
        row::UnstampedRow,
    },
};

/// A message that passed the checks, ready to be stamped and stored.
struct Prepared {
    size_bytes: usize,
    delay_ms: Option<u64>,
    row: UnstampedRow,
}

impl Prepared {
    fn append(self, op: &mut Operation<'_>) -> Result<u64> {
        let max = op.state.settings.max_message_size;
        if self.size_bytes > max {
            return Err(Error::MessageTooLong { bytes: self.size_bytes, max });
        }
        let delay_ms = self.delay_ms.unwrap_or(op.state.settings.delay_ms);
        Ok(op.state.append(op.now, delay_ms, self.row, op.batch))
    }
}

impl LocalQueue {
    /// Sends one message and returns when it has the queue's durability. Waits while too many bytes wait for their
    /// commit ([`BrokerBuilder::bytes_in_flight_max`](crate::BrokerBuilder::bytes_in_flight_max)).
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
        let prepared = self.prepare(&message.into())?;
        let admission = self.cell.engine.pipeline.admit(prepared.size_bytes).await?;
        let (seq, ticket) = self.cell.operate(None, Some(admission), |op| prepared.append(op))?;
        ticket.wait().await?;
        Ok(self.sent(seq))
    }

    /// Sends several messages in one commit: after a crash all of them are there, or none.
    ///
    /// An entry that is refused fails alone, so look at the [`Outcomes`]; the call fails if the batch as a whole is
    /// refused: no entries, more than 10, ids that are not distinct, more than 1 MiB together. Cancel safe as
    /// [`send`](Self::send) is.
    pub async fn send_batch(&self, entries: Entries<SendMessage>) -> Result<Outcomes<Sent>> {
        let limits = &self.cell.engine.limits;
        entries.check(limits)?;
        let bytes = entries.entries.iter().map(|(_, message)| message.size_bytes()).sum();
        if bytes > limits.batch_bytes_max {
            return Err(Error::BatchTooLong { bytes, max: limits.batch_bytes_max });
        }
        let prepare = |(id, message): (_, SendMessage)| (id, self.prepare(&message));
        let prepared: Vec<_> = entries.entries.into_iter().map(prepare).collect();
        let admission = self.cell.engine.pipeline.admit(bytes).await?;
        let (outcomes, ticket) = self.cell.operate(entries.durability, Some(admission), |op| {
            let append = |(id, prepared): (_, Result<Prepared>)| {
                let seq = prepared.and_then(|prepared| prepared.append(op));
                (id, seq.map(|seq| self.sent(seq)))
            };
            Ok(prepared.into_iter().map(append).collect())
        })?;
        ticket.wait().await?;
        Ok(Outcomes(outcomes))
    }

    /// The checks and the encoding, which need no lock.
    fn prepare(&self, message: &SendMessage) -> Result<Prepared> {
        let limits = &self.cell.engine.limits;
        check::message(message, false, limits)?;
        let size_bytes = message.size_bytes();
        if size_bytes > limits.message_bytes_max {
            return Err(Error::MessageTooLong { bytes: size_bytes, max: limits.message_bytes_max });
        }
        let delay_ms = message.delay.map(crate::clock::millis);
        let row = UnstampedRow::new(message, None);
        // With very many attributes a row can be much larger than what counts as its size. A store that refused it
        // would stop the broker.
        let max = self.cell.engine.pipeline.profile().value_bytes_max;
        if row.len() > max {
            return Err(Error::MessageTooLong { bytes: row.len(), max });
        }
        Ok(Prepared { size_bytes, delay_ms, row })
    }

    fn sent(&self, seq: u64) -> Sent {
        Sent {
            id: MessageId::new(self.cell.engine.seed, self.cell.id, seq),
            sequence_number: None,
            duplicate: false,
        }
    }
}

//! Staging what happens in queues and topics.

use std::time::Duration;

use super::{
    OperationKind, Transaction,
    step::{Staged, What},
};
use crate::{
    error::Result,
    ids::ReceiptHandle,
    queue::{LocalQueue, message::SendMessage, shell::Settlement},
    stream::queue::StreamQueue,
    topic::{LocalTopic, message::PublishMessage, shell::TopicPart},
};

impl Transaction {
    /// Deletes the message of this receipt: its work is done by this very transaction. Returns the operation's number.
    ///
    /// Unlike [`LocalQueue::delete`] it has to be the receipt that holds the message: if somebody else has received the message since, or it
    /// is gone, the whole transaction is rejected. So the work of a message is done once.
    pub fn ack(&mut self, queue: &LocalQueue, receipt: ReceiptHandle) -> Result<usize> {
        self.settle(queue, OperationKind::Ack, queue.stage_delete(receipt)?)
    }

    /// Changes how long a received message stays invisible, as [`LocalQueue::change_visibility`] does; it has to be the receipt
    /// that holds the message. Returns the operation's number.
    pub fn change_visibility(
        &mut self,
        queue: &LocalQueue,
        receipt: ReceiptHandle,
        timeout: Duration,
    ) -> Result<usize> {
        self.settle(queue, OperationKind::ChangeVisibility, queue.stage_visibility(receipt, timeout)?)
    }

    /// Moves the message of this receipt to the queue's dead-letter queue, as [`LocalQueue::dead_letter`] does, for a reason of 1 to
    /// 1,024 bytes; it has to be the receipt that holds the message. Which queue that is is decided when the transaction commits; if
    /// there is none by then, it is rejected. Returns the operation's number.
    pub fn dead_letter(
        &mut self,
        queue: &LocalQueue,
        receipt: ReceiptHandle,
        reason: impl Into<String>,
    ) -> Result<usize> {
        let reason = reason.into();
        let bytes = reason.len();
        let settlement = queue.stage_dead_letter(receipt, reason)?;
        self.settle_with(queue, OperationKind::DeadLetter, settlement, bytes)
    }

    /// The record of this receipt is done, as [`StreamQueue::acknowledge`] says outside of a transaction. As [`ack`](Self::ack) otherwise.
    pub fn acknowledge(&mut self, queue: &StreamQueue, receipt: ReceiptHandle) -> Result<usize> {
        self.ack(&queue.ready(), receipt)
    }

    /// Changes how long a received record stays invisible, as [`StreamQueue::update_visibility`] does. As
    /// [`change_visibility`](Self::change_visibility) otherwise.
    pub fn update_visibility(
        &mut self,
        queue: &StreamQueue,
        receipt: ReceiptHandle,
        timeout: Duration,
    ) -> Result<usize> {
        self.change_visibility(&queue.ready(), receipt, timeout)
    }

    fn settle(&mut self, queue: &LocalQueue, kind: OperationKind, settlement: Settlement) -> Result<usize> {
        self.settle_with(queue, kind, settlement, 0)
    }

    fn settle_with(
        &mut self,
        queue: &LocalQueue,
        kind: OperationKind,
        settlement: Settlement,
        bytes: usize,
    ) -> Result<usize> {
        self.room(bytes)?;
        self.join_queue(queue)?;
        let number = self.count(kind, bytes);
        self.0.staged.push(Staged { number, what: What::Settle(queue.cell.id, settlement) });
        Ok(number)
    }

    /// Sends a message, as [`LocalQueue::send`] does. Returns the operation's number. If a FIFO queue knows the message's
    /// deduplication id already, that is no reason to reject the transaction: the outcome is that of the original.
    pub fn send(&mut self, queue: &LocalQueue, message: impl Into<SendMessage>) -> Result<usize> {
        let (send, bytes) = queue.stage_send(message.into())?;
        self.room(bytes)?;
        self.join_queue(queue)?;
        let number = self.count(OperationKind::Send, bytes);
        self.0.staged.push(Staged { number, what: What::Send(queue.cell.id, send) });
        Ok(number)
    }

    /// Publishes a message, as [`LocalTopic::publish`] does: who gets it is decided when the transaction commits. Returns the
    /// operation's number.
    pub fn publish(&mut self, topic: &LocalTopic, message: impl Into<PublishMessage>) -> Result<usize> {
        let message = message.into();
        let bytes = message.size_bytes();
        self.check_own(&topic.cell.engine, "topic", &topic.cell.name)?;
        self.room(bytes)?;
        let part = self.0.topics.or_insert_with(topic.cell.id, || TopicPart::new(topic.clone()));
        let draft = part.stage(message);
        if part.drafts.is_empty() {
            self.0.topics.remove(topic.cell.id);
        }
        let draft = draft?;
        let number = self.count(OperationKind::Publish, bytes);
        self.0.staged.push(Staged { number, what: What::Publish(topic.cell.id, draft) });
        Ok(number)
    }

    fn join_queue(&mut self, queue: &LocalQueue) -> Result<()> {
        self.check_own(&queue.cell.engine, "queue", &queue.cell.name)?;
        self.0.queues.or_insert_with(queue.cell.id, || queue.cell.clone());
        Ok(())
    }
}

//! Queues whose messages can be settled in a transaction, for code that takes any of them.

use std::time::Duration;

use super::Transaction;
use crate::{
    broker::Broker,
    error::Result,
    ids::ReceiptHandle,
    queue::{LocalQueue, Queue},
};

/// A queue whose messages can be settled in a [`Transaction`] of its broker: what a consumer runtime needs to commit the work of a
/// message together with its acknowledgement.
///
/// Implementors owe what [`Transaction`] says of its methods of the same name. A queue that wraps another one forwards.
pub trait TransactionalQueue: Queue {
    /// The broker whose transactions these are.
    fn broker(&self) -> &Broker;

    /// See [`Transaction::ack`].
    fn ack_in(&self, tx: &mut Transaction, receipt: ReceiptHandle) -> Result<usize>;

    /// See [`Transaction::change_visibility`].
    fn change_visibility_in(
        &self,
        tx: &mut Transaction,
        receipt: ReceiptHandle,
        timeout: Duration,
    ) -> Result<usize>;

    /// See [`Transaction::dead_letter`].
    fn dead_letter_in(&self, tx: &mut Transaction, receipt: ReceiptHandle, reason: String) -> Result<usize>;
}

impl TransactionalQueue for LocalQueue {
    fn broker(&self) -> &Broker {
        &self.broker
    }

    fn ack_in(&self, tx: &mut Transaction, receipt: ReceiptHandle) -> Result<usize> {
        tx.ack(self, receipt)
    }

    fn change_visibility_in(
        &self,
        tx: &mut Transaction,
        receipt: ReceiptHandle,
        timeout: Duration,
    ) -> Result<usize> {
        tx.change_visibility(self, receipt, timeout)
    }

    fn dead_letter_in(&self, tx: &mut Transaction, receipt: ReceiptHandle, reason: String) -> Result<usize> {
        tx.dead_letter(self, receipt, reason)
    }
}

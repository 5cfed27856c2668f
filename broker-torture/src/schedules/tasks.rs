//! What the tasks of a schedule do.

use std::{future::Future, pin::pin, task::Poll, time::Duration};

use broker_core::{
    Clock as _, Deleted, LocalQueue, ManualClock, Message, ReceiveOptions, SendMessage, Timestamp,
    VisibilityChanged,
};

use super::{LEASES, book::Book, executor::Dice};

/// The longest wait of a receive.
pub(crate) const WAIT_MAX: Duration = Duration::from_secs(20);
const STEPS_MAX: u64 = 6;
const GROUPS: u64 = 2;

/// One of the tasks of a queue.
#[derive(Clone, Copy)]
pub(crate) struct Worker<'a> {
    pub(crate) queue: &'a LocalQueue,
    pub(crate) clock: &'a ManualClock,
    pub(crate) book: &'a Book,
    pub(crate) is_fifo: bool,
}

impl Worker<'_> {
    /// Takes a few steps, as the dice fall.
    pub(crate) async fn work(self, task: u64, mut dice: Dice) {
        let mut held = Vec::new();
        for step in 0..=dice.roll(STEPS_MAX) {
            let body = format!("{task}.{step}");
            // Some mostly send, and most mostly receive: then many wait.
            let done = match (dice.roll(8), task.is_multiple_of(3)) {
                (0..5, true) | (0, false) => self.send(body, &mut dice).await,
                (5 | 6, true) | (1..6, false) => self.receive(&mut held, &mut dice).await,
                (6, false) => self.delete(&mut held).await,
                _ => self.give_back(&mut held).await,
            };
            if let Err(error) = done {
                return self.book.wrong(format!("task {task}, step {step}: {error}"));
            }
        }
    }

    async fn send(self, body: String, dice: &mut Dice) -> broker_core::Result<()> {
        let (group, delay) = (format!("g{}", dice.roll(GROUPS)), Duration::from_secs(3 * dice.roll(2)));
        let message = SendMessage::new(body);
        let (message, group) = if self.is_fifo {
            (message.group_id(group.clone()), Some(group))
        } else {
            (message.delay(delay), None)
        };
        // A send that is dropped half-way has happened or not: nothing is known of it.
        if let Some(sent) = until_dropped(self.queue.send(message), dice).await {
            let sent = sent?;
            self.book.sent(sent.id, group, sent.sequence_number);
        }
        Ok(())
    }

    async fn receive(self, held: &mut Vec<Message>, dice: &mut Dice) -> broker_core::Result<()> {
        let lease = LEASES[dice.index(LEASES.len())];
        let options = ReceiveOptions::up_to(1 + dice.index(3)).visibility_timeout(lease);
        let wait = if dice.roll(3) == 0 { Duration::ZERO } else { WAIT_MAX };
        if let Some(received) = until_dropped(self.queue.receive(options.wait_time(wait)), dice).await {
            let (received, now) = (received?, self.clock.now());
            let until = now.as_millis() + u64::try_from(lease.as_millis()).unwrap_or(u64::MAX);
            self.book.received(&received, now, Timestamp::from_millis(until));
            held.extend(received);
        }
        Ok(())
    }

    async fn delete(self, held: &mut Vec<Message>) -> broker_core::Result<()> {
        let Some(message) = held.pop() else { return Ok(()) };
        self.book.deleting(message.id);
        match self.queue.delete(message.receipt).await {
            Ok(Deleted::Gone) => self.book.deleted(message.id),
            // A FIFO queue refuses a receipt whose lease has ended.
            Ok(Deleted::Stale) | Err(broker_core::Error::ReceiptHandleExpired { .. }) => {
                self.book.not_deleted(message.id);
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    async fn give_back(self, held: &mut Vec<Message>) -> broker_core::Result<()> {
        let Some(message) = held.pop() else { return Ok(()) };
        let until = self.book.releasing(message.id);
        match self.queue.change_visibility(message.receipt, Duration::ZERO).await {
            Ok(VisibilityChanged::Until(_)) => {}
            Ok(_) | Err(broker_core::Error::ReceiptHandleExpired { .. }) => {
                self.book.not_released(message.id, until);
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

/// Runs the future to its end, or one time in four drops it after a few polls.
async fn until_dropped<T>(future: impl Future<Output = T>, dice: &mut Dice) -> Option<T> {
    let mut patience = if dice.roll(4) == 0 { dice.roll(3) } else { u64::MAX };
    let mut future = pin!(future);
    std::future::poll_fn(|context| {
        if patience == 0 {
            return Poll::Ready(None);
        }
        patience -= 1;
        let polled = future.as_mut().poll(context);
        if polled.is_pending() && patience == 0 {
            // Not dropped at once: others may wake it before.
            context.waker().wake_by_ref();
        }
        polled.map(Some)
    })
    .await
}

//! The calls of a history that send, receive and settle.

use std::time::Duration;

use broker_core::{
    DeadLettered, Deleted, Entries, Error, MessageId, MoveTask, MoveTaskStatus, ReceiveOptions, Result,
    SendMessage, VisibilityChanged,
};

use super::{
    driver::Run,
    line::Outcome,
    pair::{Receipt, Side},
    receive::Received,
    steps::Letter,
    world::peek,
};
use crate::driver::Ground;

/// What consumers say when they give up.
const REASON: &str = "cannot be read";

impl<G: Ground> Run<G> {
    pub(super) fn receipt(&self, nth: usize) -> Option<Receipt> {
        self.model.receipts.iter().rev().nth(nth).copied()
    }

    fn message(&mut self, to: Side, letter: Letter) -> SendMessage {
        self.sent += 1;
        let Letter { group, id, body } = letter;
        // Sizes around the bound of what is staged.
        let message = SendMessage::from(format!("{body}-{}", "x".repeat(body * 7 % 80)));
        let line = self.model.line(to);
        if !line.fifo {
            return message;
        }
        let message = message.group_id(format!("g{group}"));
        match id {
            Some(id) => message.deduplication_id(format!("id{id}")),
            None if line.by_content => message,
            None => message.deduplication_id(format!("new{}", self.sent)),
        }
    }

    pub(super) async fn send(&mut self, to: Side, letter: Letter, delay_s: Option<u64>) {
        let mut message = self.message(to, letter);
        if !self.model.line(to).fifo {
            message.delay = delay_s.map(Duration::from_secs);
        }
        let sent = self.world.queue(to).send(message.clone()).await.unwrap();
        let now = self.now();
        self.model.line(to).send(now, &message, sent);
    }

    pub(super) async fn send_batch(&mut self, to: Side, letters: &[Letter]) {
        let messages: Vec<_> = letters.iter().map(|letter| self.message(to, *letter)).collect();
        let entries: Entries<_> = messages.iter().cloned().collect();
        let sent = self.world.queue(to).send_batch(entries).await.unwrap().all().unwrap();
        let now = self.now();
        for (message, sent) in messages.iter().zip(sent) {
            self.model.line(to).send(now, message, sent);
        }
    }

    pub(super) async fn receive(
        &mut self,
        from: Side,
        max: usize,
        timeout_s: Option<u64>,
        attempt: Option<u8>,
    ) {
        let now = self.now();
        let attempt = attempt.filter(|_| self.model.main.fifo);
        let options = ReceiveOptions {
            max_messages: max,
            wait_time: None,
            visibility_timeout: timeout_s.map(Duration::from_secs),
            attempt_id: attempt.map(|attempt| format!("attempt{attempt}")),
        };
        let got = self.world.queue(from).receive(options).await.unwrap();
        self.note_commits();
        if self.is_repeat(from, attempt, timeout_s, &got) {
            return;
        }
        let (spent, moved) = match from {
            Side::Main => (self.model.spent(now), self.moved(now).await),
            Side::Dead => (Vec::new(), Vec::new()),
        };
        let received = Received {
            max,
            timeout_ms: timeout_s.map(|s| s * 1_000),
            bounds: self.bounds,
            got: &got,
            spent: &spent,
            moved: &moved,
        };
        self.model.receive(now, from, &received);
        self.note_attempt(from, attempt, timeout_s, &got);
    }

    /// Which messages a receive at that time has moved. Which groups it came to is up to the queue.
    pub(super) async fn moved(&mut self, at: u64) -> Vec<MessageId> {
        let (left, _) = peek(&self.world.main).await;
        let mut spent = self.model.spent(at);
        spent.retain(|id| left.iter().all(|(left, _)| left != id));
        spent
    }

    pub(super) async fn delete(&mut self, receipt: Receipt) {
        let deleted = self.world.queue(receipt.side).delete(receipt.handle).await;
        let now = self.now();
        assert_eq!(deletion(&deleted), self.model.delete(now, receipt), "{receipt:?} at {now}");
    }

    pub(super) async fn delete_batch(&mut self, count: usize) {
        let newest: Vec<_> = self.model.receipts.iter().rev().take(count).copied().collect();
        for side in [Side::Main, Side::Dead] {
            let receipts: Vec<_> = newest.iter().filter(|receipt| receipt.side == side).collect();
            if receipts.is_empty() {
                continue;
            }
            let entries = receipts.iter().map(|receipt| receipt.handle).collect();
            let deleted = self.world.queue(side).delete_batch(entries).await.unwrap();
            let now = self.now();
            for (receipt, (_, deleted)) in receipts.into_iter().zip(deleted.0) {
                assert_eq!(deletion(&deleted), self.model.delete(now, *receipt), "{receipt:?} at {now}");
            }
        }
    }

    pub(super) async fn change(&mut self, nth: usize, timeout_s: u64) {
        let Some(receipt) = self.receipt(nth) else { return };
        let timeout = Duration::from_secs(timeout_s);
        let changed = match self.world.queue(receipt.side).change_visibility(receipt.handle, timeout).await {
            Ok(VisibilityChanged::Until(time)) => Outcome::Until(time.as_millis()),
            Ok(VisibilityChanged::Stale) => Outcome::Stale,
            Ok(VisibilityChanged::Gone) => Outcome::Gone,
            Err(Error::InvalidParameter { field: "timeout", .. }) => Outcome::Refused,
            Err(Error::ReceiptHandleExpired { .. }) => Outcome::Expired,
            Err(other) => panic!("{other}"),
        };
        let now = self.now();
        assert_eq!(changed, self.model.change(now, receipt, timeout_s * 1_000), "{receipt:?} at {now}");
    }

    pub(super) async fn give_up(&mut self, nth: usize) {
        let Some(receipt) = self.receipt(nth) else { return };
        let given_up = match self.world.queue(receipt.side).dead_letter(receipt.handle, REASON).await {
            Ok(DeadLettered::Moved { queue }) => {
                assert_eq!(queue, self.model.dead.name);
                Outcome::Moved
            }
            Ok(DeadLettered::Stale) => Outcome::Stale,
            Ok(DeadLettered::Gone) => Outcome::Gone,
            Err(Error::NoDeadLetterQueue { .. }) => Outcome::Nowhere,
            Err(Error::ReceiptHandleExpired { .. }) => Outcome::Expired,
            Err(other) => panic!("{other}"),
        };
        let now = self.now();
        assert_eq!(given_up, self.model.give_up(now, receipt, REASON), "{receipt:?} at {now}");
    }

    /// Sends dead letters back to work: all, or each to where it came from.
    pub(super) async fn redrive(&mut self, all: bool) {
        let task = MoveTask::from(self.model.dead.name);
        let task = if all { task.to(self.model.main.name) } else { task };
        let started = self.world.broker.start_move_task(task).await;
        if self.model.limit.is_none() {
            assert!(matches!(started, Err(Error::NotADeadLetterQueue { .. })), "{started:?}");
            return;
        }
        started.unwrap();
        let done = loop {
            let task = self.world.broker.list_move_tasks(self.model.dead.name, 1).await.unwrap().remove(0);
            if task.status != MoveTaskStatus::Running {
                break task;
            }
            tokio::task::yield_now().await;
        };
        let now = self.now();
        let moved = self.model.redrive(now, !all);
        assert_eq!(done.moved, moved.len() as u64, "{done:?}");
        let (order, _) = peek(&self.world.main).await;
        let known = |id| self.model.main.items.iter().any(|item| item.id == id);
        let new: Vec<_> = order.into_iter().filter(|(id, _)| !known(*id)).collect();
        assert_eq!(new.len(), moved.len(), "each is there once");
        for (item, (id, sequence)) in moved.into_iter().zip(new) {
            self.model.main.send_back(now, item, id, sequence);
        }
    }
}

fn deletion(deleted: &Result<Deleted>) -> Outcome {
    match deleted {
        Ok(Deleted::Gone) => Outcome::Gone,
        Ok(Deleted::Stale) => Outcome::Stale,
        Err(Error::ReceiptHandleExpired { .. }) => Outcome::Expired,
        Err(other) => panic!("{other}"),
    }
}

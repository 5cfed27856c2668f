//! Producers and consumers as they are in life: they drop calls, give messages back, use old receipts.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use broker_core::{Deleted, Error, LocalQueue, Message, Result, SendMessage, VisibilityChanged};

use crate::{
    ground::{Dice, LEASE, cut, long_poll, short_poll},
    ledger::Ledger,
};

/// What every task of a run needs.
#[derive(Clone)]
pub(crate) struct Run {
    pub(crate) queue: LocalQueue,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) stop: Arc<AtomicBool>,
    /// Whether messages may be delayed, by up to twenty milliseconds.
    pub(crate) delays: bool,
}

impl Run {
    pub(crate) fn new(queue: &LocalQueue, delays: bool) -> Self {
        Self { queue: queue.clone(), ledger: Arc::default(), stop: Arc::default(), delays }
    }

    pub(crate) fn stops(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }

    /// Sends `count` messages, some of which are dropped on their way.
    pub(crate) async fn produce(self, seed: usize, count: usize) -> Result<()> {
        let mut dice = Dice::new(seed);
        for number in 0..count {
            let body = format!("{seed}-{number}");
            self.ledger.attempts(&body);
            let delay = if self.delays && dice.one_in(3) { dice.below(20) } else { 0 };
            let message = SendMessage::from(body).delay(Duration::from_millis(delay as u64));
            let turns = if dice.one_in(4) { dice.below(6) } else { usize::MAX };
            match cut(turns, self.queue.send(message)).await {
                Some(sent) => self.ledger.acked(sent?.id),
                None => tokio::task::yield_now().await,
            }
        }
        Ok(())
    }

    /// Receives and settles until it is told to stop.
    pub(crate) async fn consume(self, seed: usize) -> Result<()> {
        let mut dice = Dice::new(seed);
        while !self.stops() {
            // Some short polls get to their end however long a read takes, or nobody would ever get on.
            let (options, turns) = match dice.below(4) {
                0 => (short_poll(), usize::MAX),
                1 => (short_poll(), dice.below(40)),
                _ => (long_poll(1 + dice.below(10)), dice.below(40)),
            };
            let Some(got) = cut(turns, self.queue.receive(options)).await else { continue };
            let got = got?;
            for message in &got {
                self.ledger.delivered(message);
            }
            for message in got {
                self.settle(&message, &mut dice).await?;
            }
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    async fn settle(&self, message: &Message, dice: &mut Dice) -> Result<()> {
        let Message { id, receipt, .. } = *message;
        match dice.below(10) {
            // Given back, perhaps.
            0 | 1 => {
                self.ledger.releases(id);
                if cut(dice.below(6), self.queue.change_visibility(receipt, Duration::ZERO)).await.is_none() {
                    return self.settle_again(message).await;
                }
                // An old receipt deletes unless somebody has received the message meanwhile.
                if dice.one_in(4) {
                    self.ledger.ending(id);
                    if self.queue.delete(receipt).await? == Deleted::Gone {
                        self.ledger.ended(id);
                    }
                }
                return Ok(());
            }
            2 => {
                let extended = self.queue.change_visibility(receipt, LEASE).await?;
                assert!(matches!(extended, VisibilityChanged::Until(_)), "{extended:?}");
            }
            3 => {
                self.ledger.ending(id);
                _ = cut(dice.below(6), self.queue.delete(receipt)).await.transpose()?;
            }
            _ => {}
        }
        self.ledger.ending(id);
        assert_eq!(self.queue.delete(receipt).await?, Deleted::Gone, "nobody else has {id}");
        self.ledger.ended(id);
        Ok(())
    }

    /// The call that gave the message back was dropped: it may be with somebody else, visible, or still here.
    async fn settle_again(&self, message: &Message) -> Result<()> {
        let Message { id, receipt, .. } = *message;
        match self.queue.change_visibility(receipt, LEASE).await? {
            VisibilityChanged::Until(_) => {
                self.ledger.holds_again(id);
                self.ledger.ending(id);
                assert_eq!(self.queue.delete(receipt).await?, Deleted::Gone);
                self.ledger.ended(id);
            }
            VisibilityChanged::Stale | VisibilityChanged::Gone => {}
        }
        Ok(())
    }
}

/// The result of a task when the broker was closed under it: that, and no other error.
pub(crate) fn closed_or_done(result: Result<()>) {
    match result {
        Ok(()) | Err(Error::Closed) => {}
        Err(other) => panic!("{other:?}"),
    }
}

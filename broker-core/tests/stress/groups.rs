//! Many message groups at once, with consumers that fail in every way: within a group no message is delivered before the
//! older ones are deleted or dead letters, each message is enqueued once, and at the end no group is stuck.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use broker_core::{
    Broker, DeadLettered, Deleted, Entries, Error, LocalQueue, ManualClock, Message, Result, SendMessage,
    VisibilityChanged,
};
use futures_util::future::join_all;
use parking_lot::Mutex;
use tokio::sync::RwLock;

use crate::{
    ground::{Dice, EMPTY, Ground, LEASE, cut, short_poll},
    group_book::{Book, DELIVERIES_MAX, Place, place},
    on_every_ground,
};

const PRODUCERS: usize = 4;
const CONSUMERS: usize = 8;
const GROUPS: usize = 10_000;
const PER_GROUP: usize = 3;
/// A consumer that dies keeps its messages for so long.
const SHORT: Duration = Duration::from_millis(20);

#[derive(Clone)]
struct Run {
    queue: LocalQueue,
    dead: LocalQueue,
    groups: usize,
    book: Arc<Mutex<Book>>,
    all_sent: Arc<AtomicBool>,
    clock: ManualClock,
    /// Held for writing while time passes: nobody is then between a receive with a short lease and its entry in the book.
    time: Arc<RwLock<()>>,
}

impl Run {
    async fn new(ground: &Ground, broker: &Broker) -> Self {
        let dead = broker.queue("dead.fifo").fifo().visibility_timeout(LEASE).await.unwrap();
        let groups = if ground.is_tiny() { GROUPS / 10 } else { GROUPS };
        let queue = broker.queue("groups.fifo").fifo().dead_letter("dead.fifo", DELIVERIES_MAX);
        Self {
            queue: queue.visibility_timeout(LEASE).await.unwrap(),
            dead,
            groups: ground.scaled(ground.scaled(groups)),
            book: Arc::default(),
            all_sent: Arc::default(),
            clock: ground.clock.clone(),
            time: Arc::default(),
        }
    }

    /// Sends the messages of its groups, in batches that it repeats until they are answered: the queue takes each once.
    async fn produce(self, seed: usize) -> Result<()> {
        let mut dice = Dice::new(seed);
        let groups: Vec<_> = (seed..self.groups).step_by(PRODUCERS).collect();
        for number in 0..PER_GROUP {
            let mut left = groups.as_slice();
            while !left.is_empty() {
                let (some, others) = left.split_at(left.len().min(1 + dice.below(10)));
                left = others;
                let message = |group: &usize| {
                    let body = format!("{group}-{number}");
                    SendMessage::from(body.as_str()).group_id(group.to_string()).deduplication_id(body)
                };
                let batch: Entries<_> = some.iter().map(message).collect();
                loop {
                    let turns = if dice.one_in(4) { dice.below(6) } else { usize::MAX };
                    if let Some(sent) = cut(turns, self.queue.send_batch(batch.clone())).await {
                        sent?.all()?;
                        break;
                    }
                }
            }
        }
        Ok(())
    }

    /// Receives and settles until every message is out of the queue.
    async fn consume(self, seed: usize) -> Result<()> {
        let mut dice = Dice::new(seed);
        loop {
            if dice.one_in(12) {
                self.die().await?;
                continue;
            }
            let turns = if dice.one_in(6) { dice.below(6) } else { usize::MAX };
            let Some(got) = cut(turns, self.queue.receive(short_poll())).await else { continue };
            let got = got?;
            self.book.lock().delivered(&got);
            for message in &got {
                self.settle(message, &mut dice).await?;
            }
            if got.is_empty() && self.all_sent.load(Ordering::SeqCst) && self.queue.counters().await? == EMPTY
            {
                return Ok(());
            }
            tokio::task::yield_now().await;
        }
    }

    /// A consumer that is never heard of again: its messages come back by themselves.
    async fn die(&self) -> Result<()> {
        {
            let _time_stands_still = self.time.read().await;
            let got = self.queue.receive(short_poll().visibility_timeout(SHORT)).await?;
            let mut book = self.book.lock();
            book.delivered(&got);
            for message in &got {
                book.released(place(message));
            }
        }
        let _nobody_receives = self.time.write().await;
        self.clock.advance(SHORT);
        Ok(())
    }

    async fn settle(&self, message: &Message, dice: &mut Dice) -> Result<()> {
        let (receipt, place) = (message.receipt, place(message));
        match dice.below(10) {
            0 | 1 => {
                self.book.lock().released(place);
                let back = self.queue.change_visibility(receipt, Duration::ZERO);
                if cut(dice.below(6), back).await.is_some() || !self.still_holds(message).await? {
                    return Ok(());
                }
            }
            2 => return self.give_up(message, dice).await,
            3 => {
                self.book.lock().ending(place);
                _ = cut(dice.below(6), self.queue.delete(receipt)).await.transpose()?;
            }
            4 => {
                let extended = self.queue.change_visibility(receipt, LEASE).await?;
                assert!(matches!(extended, VisibilityChanged::Until(_)), "{extended:?}");
            }
            _ => {}
        }
        self.book.lock().ending(place);
        assert_eq!(self.queue.delete(receipt).await?, Deleted::Gone, "nobody else has {message:?}");
        self.book.lock().ended(place, true);
        Ok(())
    }

    /// The call that gave the message back was dropped. Whether it has been given back is found out with the receipt.
    async fn still_holds(&self, message: &Message) -> Result<bool> {
        match self.queue.change_visibility(message.receipt, LEASE).await {
            Ok(VisibilityChanged::Until(_)) => {
                self.book.lock().holds_again(place(message));
                Ok(true)
            }
            Ok(VisibilityChanged::Stale | VisibilityChanged::Gone)
            | Err(Error::ReceiptHandleExpired { .. }) => Ok(false),
            Err(other) => Err(other),
        }
    }

    async fn give_up(&self, message: &Message, dice: &mut Dice) -> Result<()> {
        let place = place(message);
        self.book.lock().ending(place);
        let give_up = || self.queue.dead_letter(message.receipt, "it is bad");
        let turns = if dice.one_in(2) { dice.below(6) } else { usize::MAX };
        let outcome = match cut(turns, give_up()).await {
            Some(outcome) => outcome?,
            None => give_up().await?,
        };
        // Gone, if the call that was dropped had moved it.
        assert!(matches!(outcome, DeadLettered::Moved { .. } | DeadLettered::Gone), "{outcome:?}");
        self.book.lock().ended(place, false);
        Ok(())
    }

    /// Whatever was not deleted is in the dead-letter queue, once.
    async fn check(&self) {
        assert_eq!(self.queue.counters().await.unwrap(), EMPTY);
        let mut dead: HashMap<Place, Message> = HashMap::new();
        loop {
            let got = self.dead.receive(short_poll()).await.unwrap();
            if got.is_empty() {
                break;
            }
            let receipts = got.iter().map(|message| message.receipt).collect();
            let _ = self.dead.delete_batch(receipts).await.unwrap();
            for message in got {
                let twice = dead.insert(place(&message), message);
                assert!(twice.is_none(), "{twice:?} is there twice");
            }
        }
        assert_eq!(self.dead.counters().await.unwrap(), EMPTY);
        let book = self.book.lock();
        for group in 0..self.groups {
            for place in (0..PER_GROUP).map(|number| (group, number)) {
                book.check_end(place, dead.remove(&place));
            }
        }
        assert!(dead.is_empty(), "nobody has sent {dead:?}");
    }
}

async fn no_message_overtakes_its_group(ground: Ground) {
    let (broker, _) = ground.open().await;
    let run = Run::new(&ground, &broker).await;
    let producers: Vec<_> = (0..PRODUCERS).map(|seed| tokio::spawn(run.clone().produce(seed))).collect();
    let consumers: Vec<_> =
        (0..CONSUMERS).map(|seed| tokio::spawn(run.clone().consume(1_000 + seed))).collect();
    for producer in join_all(producers).await {
        producer.unwrap().unwrap();
    }
    run.all_sent.store(true, Ordering::SeqCst);
    for consumer in join_all(consumers).await {
        consumer.unwrap().unwrap();
    }
    run.check().await;
    broker.close().await.unwrap();
}

on_every_ground! { no_message_overtakes_its_group }

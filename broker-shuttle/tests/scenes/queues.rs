//! Everything that can be done to a queue at once, as chance has it: nothing is lost, nothing comes twice, no leases overlap,
//! groups keep their order, and what is stored is what is there.

use std::{sync::Arc, time::Duration};

use broker_core::{
    Clock as _, DeadLettered, Deleted, Entries, Error, LocalQueue, ManualClock, MemoryBounds, Message,
    MessageId, PeekOptions, ReceiveOptions, SendMessage,
};
use broker_shuttle::{Store, random};
use shuttle::{
    future::{spawn, yield_now},
    rand::{Rng as _, thread_rng},
};

use crate::{
    book::Book,
    world::{FOR_EVER, TINY, World, check},
};

/// How far the clock moves at a time.
const STEP: Duration = Duration::from_secs(7);
/// Some end while the scene lasts, and some do not.
const LEASES_MS: [u64; 3] = [0, 10_000, 60_000];

/// How many tasks there are, and how many steps each takes.
const TASKS: usize = 3;
const STEPS: usize = 4;

#[derive(Clone)]
struct Worker {
    queue: LocalQueue,
    dead: String,
    clock: ManualClock,
    book: Arc<Book>,
    /// Whether messages may be taken away by what is no delete.
    may_purge: bool,
}

fn roll(sides: usize) -> usize {
    thread_rng().gen_range(0..sides)
}

impl Worker {
    fn is_fifo(&self) -> bool {
        self.queue.name().ends_with(".fifo")
    }

    async fn work(self, task: usize) -> Result<(), Error> {
        let mut held = Vec::new();
        for step in 0..STEPS {
            let done = match roll(12) {
                0..3 => self.send(format!("{task}.{step}")).await,
                3..7 => self.receive(&mut held).await,
                7..9 => self.delete(&mut held).await,
                9 => self.give_back(&mut held).await,
                10 => self.give_up(&mut held).await,
                _ => self.purge().await,
            };
            match done {
                // A FIFO queue refuses a receipt whose lease has ended; and a purge soon after another one is too many.
                Ok(()) | Err(Error::ReceiptHandleExpired { .. } | Error::PurgeQueueInProgress { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    async fn send(&self, text: String) -> Result<(), Error> {
        let group = self.is_fifo().then(|| ["g", "h"][roll(2)]);
        let message = |text: String| match group {
            Some(group) => SendMessage::new(text).group_id(group),
            None => SendMessage::new(text).delay(STEP * u32::try_from(roll(2)).unwrap_or(0)),
        };
        let batch: Entries<_> = (0..1 + roll(2)).map(|at| message(format!("{text}.{at}"))).collect();
        for sent in self.queue.send_batch(batch).await?.all()? {
            self.book.sent(sent.id, group, sent.sequence_number);
        }
        Ok(())
    }

    async fn receive(&self, held: &mut Vec<Message>) -> Result<(), Error> {
        let lease_ms = LEASES_MS[roll(LEASES_MS.len())];
        let wait = [Duration::ZERO, FOR_EVER][roll(2)];
        let options = ReceiveOptions::up_to(1 + roll(3)).visibility_timeout(Duration::from_millis(lease_ms));
        let began = self.book.receiving(self.clock.now());
        let (queue, options) = (self.queue.clone(), options.wait_time(wait));
        let receive = spawn(async move { queue.receive(options).await });
        if roll(4) == 0 {
            receive.abort();
        }
        if let Ok(received) = receive.await {
            let received = received?;
            // What a FIFO queue hands out without a lease may go on to the next one at once.
            let lease_ms = if wait.is_zero() { lease_ms } else { 0 };
            self.book.received(&received, &began, lease_ms, self.clock.now());
            held.extend(received);
        }
        Ok(())
    }

    async fn delete(&self, held: &mut Vec<Message>) -> Result<(), Error> {
        let Some(message) = held.pop() else { return Ok(()) };
        self.book.deleting(message.id);
        if self.queue.delete(message.receipt).await? == Deleted::Gone {
            self.book.deleted(message.id);
        }
        Ok(())
    }

    async fn give_back(&self, held: &mut Vec<Message>) -> Result<(), Error> {
        let Some(message) = held.pop() else { return Ok(()) };
        self.book.releasing(message.id);
        self.queue
            .change_visibility(message.receipt, STEP * u32::try_from(roll(2)).unwrap_or(0))
            .await
            .map(drop)
    }

    /// It goes to the dead-letter queue: where it was, it is as good as deleted.
    async fn give_up(&self, held: &mut Vec<Message>) -> Result<(), Error> {
        let Some(message) = held.pop() else { return Ok(()) };
        self.book.deleting(message.id);
        let given_up = self.queue.dead_letter(message.receipt, "no reason").await?;
        if let DeadLettered::Moved { queue } = given_up {
            assert_eq!(queue, self.dead);
        }
        Ok(())
    }

    async fn purge(&self) -> Result<(), Error> {
        if !self.may_purge {
            return Ok(());
        }
        self.book.losing();
        self.queue.purge().await
    }
}

async fn everything(store: Store, fifo: bool, may_purge: bool) {
    let memory = if roll(2) == 0 { TINY } else { MemoryBounds::default() };
    let world = World::with_memory(store, memory).await;
    let broker = &world.broker;
    let end = if fifo { ".fifo" } else { "" };
    let (name, dead) = (format!("q{end}"), format!("dead{end}"));
    let (queue, dead) = if fifo {
        let dead = broker.queue(dead).fifo().dedup_by_content().await.expect("a queue can be made");
        // Nothing is received so often: a message leaves its group by hand alone.
        let queue = broker.queue(name).fifo().dedup_by_content().dead_letter(dead.name(), 100);
        (queue.await.expect("a queue can be made"), dead)
    } else {
        let dead = broker.queue(dead).await.expect("a queue can be made");
        (broker.queue(name).dead_letter(dead.name(), 2).await.expect("a queue can be made"), dead)
    };
    let book = Arc::new(Book::default());
    let worker = Worker {
        queue: queue.clone(),
        dead: dead.name().to_owned(),
        clock: world.clock.clone(),
        book: book.clone(),
        may_purge,
    };
    let tasks: Vec<_> = (0..TASKS).map(|task| spawn(worker.clone().work(task))).collect();
    while !tasks.iter().all(|task| task.is_finished()) {
        world.clock.advance(STEP);
        yield_now().await;
    }
    for task in tasks {
        task.await.expect("nobody drops it").expect("nothing fails here");
    }
    book.settle(&left(&queue).await, &left(&dead).await);
    broker.flush().await.expect("nothing fails here");
    check(&world.store);
}

/// What is in a queue, which counts as many.
async fn left(queue: &LocalQueue) -> Vec<MessageId> {
    let peeked = queue.peek(PeekOptions::up_to(100)).await.expect("the queue is there");
    let counters = queue.counters().await.expect("the queue is there");
    assert_eq!(counters.visible + counters.in_flight + counters.delayed, peeked.len() as u64);
    peeked.into_iter().map(|peeked| peeked.id).collect()
}

#[test]
fn a_standard_queue_loses_nothing() {
    random("queues, standard", 1_500, || everything(Store::inline(), false, false));
    random("queues, standard, grouped", 1_500, || everything(Store::grouped(), false, false));
}

#[test]
fn a_fifo_queue_loses_nothing_and_keeps_its_order() {
    random("queues, fifo", 1_500, || everything(Store::inline(), true, false));
    random("queues, fifo, grouped", 1_500, || everything(Store::grouped(), true, false));
}

#[test]
fn a_purge_may_come_at_any_time() {
    random("queues, purged", 1_000, || everything(Store::inline(), false, true));
    random("queues, purged, fifo, grouped", 1_000, || everything(Store::grouped(), true, true));
}

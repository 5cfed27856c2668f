//! Move tasks while consumers work on the same dead-letter queue at the same moments, most of it not in memory (Q86,
//! F54, IQ9).

use std::sync::{Arc, Mutex};

use broker_core::{
    Deleted, LocalQueue, MemoryBounds, Message, MoveTask, QueueSettings, RedrivePolicy, SendMessage,
};
use tokio::time::interval;

use crate::{
    move_histories::{Dice, drained},
    moves::ended,
    support::{World, bulk, counts, numbers, poll_for, secs},
};

/// Almost nothing stays in memory.
const TINY: MemoryBounds = MemoryBounds { ready: 3, delayed: 2, staged: 2, staged_bytes: 100, searched: 6 };

const MESSAGES: usize = 60;

fn name(base: &str, fifo: bool) -> String {
    if fifo { format!("{base}.fifo") } else { base.to_owned() }
}

/// A dead-letter queue with messages in every place there is.
async fn prepare(world: &World, dice: &mut Dice, fifo: bool) {
    let broker = world.broker().await;
    let make = async |base: &str| {
        let builder = broker.queue(name(base, fifo));
        if fifo { builder.fifo().await.unwrap() } else { builder.await.unwrap() }
    };
    let (dead, source) = (make("dead").await, make("source").await);
    make("to").await;
    let policy = QueueSettings::new().redrive_policy(RedrivePolicy::to(name("dead", fifo), 9));
    source.set_attributes(policy).await.unwrap();
    for n in 0..MESSAGES {
        let mut message = SendMessage::from(n.to_string());
        if fifo {
            message = message.group_id(format!("g{}", dice.roll(9))).deduplication_id(n.to_string());
        } else {
            message = message.delay(secs([0, 0, 0, 0, 1, 2][dice.roll(6)]));
        }
        dead.send(message).await.unwrap();
    }
    for timeout in [0, 1, 2, 0, 3] {
        poll_for(&dead, dice.roll(9) + 1, secs(timeout)).await;
    }
    broker.close().await.unwrap();
}

/// Works on the queue in bursts, a second apart, until it is empty. Deletes only what it certainly holds.
async fn consume(dead: LocalQueue, mut dice: Dice, deleted: Arc<Mutex<Vec<usize>>>) {
    let mut seconds = interval(secs(1));
    let mut held: Vec<Message> = Vec::new();
    for _ in 0..200 {
        seconds.tick().await;
        for _ in 0..dice.roll(5) {
            match dice.roll(4) {
                0 => held.extend(poll_for(&dead, dice.roll(3) + 1, secs(5)).await),
                1 => drop(poll_for(&dead, dice.roll(4) + 1, secs([0, 1, 2][dice.roll(3)])).await),
                _ => {
                    let Some(message) = held.pop() else { continue };
                    if dice.roll(2) == 0 {
                        dead.change_visibility(message.receipt, secs(0)).await.unwrap();
                    } else {
                        assert_eq!(dead.delete(message.receipt).await.unwrap(), Deleted::Gone);
                        deleted.lock().unwrap().extend(numbers(&[message]));
                    }
                }
            }
        }
        // What it cannot hold much longer it gives back.
        for message in held.drain(..) {
            dead.change_visibility(message.receipt, secs(0)).await.unwrap();
        }
        if counts(&dead).await == [0, 0, 0] {
            return;
        }
    }
}

async fn race(seed: usize, fifo: bool) {
    let world = World::threaded().limits(bulk()).bounds(TINY);
    let mut dice = Dice(seed as u64);
    prepare(&world, &mut dice, fifo).await;
    let broker = world.broker().await;
    let dead = broker.open_queue(&name("dead", fifo)).await.unwrap();
    let deleted = Arc::new(Mutex::new(Vec::new()));
    let consumers = [1, 2, 3].map(|n| {
        let dice = Dice((seed * 10 + n) as u64);
        tokio::spawn(consume(dead.clone(), dice, deleted.clone()))
    });
    let task = MoveTask::from(name("dead", fifo)).to(name("to", fifo)).max_per_second(4);
    for rounds in 0.. {
        broker.start_move_task(task.clone()).await.unwrap();
        let done = ended(&broker, &name("dead", fifo)).await;
        assert_eq!(done.failure(), None, "seed {seed}");
        if counts(&dead).await == [0, 0, 0] {
            break;
        }
        tokio::time::sleep(secs(1)).await;
        assert!(rounds < 200, "seed {seed}");
    }
    for consumer in consumers {
        consumer.await.unwrap();
    }
    let to = broker.open_queue(&name("to", fifo)).await.unwrap();
    let mut found = drained(&to).await;
    found.extend(deleted.lock().unwrap().drain(..));
    found.sort_unstable();
    assert_eq!(found, (0..MESSAGES).collect::<Vec<_>>(), "seed {seed}");
    assert_eq!(counts(&dead).await, [0, 0, 0], "seed {seed}");
}

#[tokio::test(start_paused = true)]
async fn a_message_is_moved_or_deleted_whatever_happens_at_once() {
    for seed in 0..30 {
        race(seed, false).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_fifo_message_is_moved_or_deleted_whatever_happens_at_once() {
    for seed in 0..30 {
        race(seed, true).await;
    }
}

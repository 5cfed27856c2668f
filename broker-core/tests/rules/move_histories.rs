//! Move tasks after random histories of their dead-letter queue (Q86, IQ9).

use std::collections::BTreeSet;

use broker_core::{Broker, Deleted, LocalQueue, MoveTask, SendMessage};

use crate::{
    move_backlogs::TINY,
    moves::moved,
    support::{World, advance, bulk, counts, numbers, poll, poll_for, secs},
};

/// A few numbers that look random.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % sides
    }
}

/// One of the things that happen to a dead-letter queue. Deleted numbers leave `present`.
async fn something(
    dice: &mut Dice,
    dead: &LocalQueue,
    held: &mut Vec<broker_core::Message>,
    present: &mut BTreeSet<usize>,
    next: &mut usize,
) {
    match dice.roll(6) {
        0 | 1 => {
            let fifo = dead.attributes().await.unwrap().fifo.is_some();
            for _ in 0..=dice.roll(12) {
                let mut message = SendMessage::from(next.to_string());
                if fifo || dice.roll(3) == 0 {
                    message = message.group_id(format!("g{}", dice.roll(4)));
                }
                if fifo {
                    message = message.deduplication_id(next.to_string());
                } else {
                    message = message.delay(secs([0, 0, 0, 7][dice.roll(4)]));
                }
                dead.send(message).await.unwrap();
                present.insert(*next);
                *next += 1;
            }
        }
        2 | 3 => {
            let timeout = secs([0, 5, 50][dice.roll(3)]);
            held.extend(poll_for(dead, dice.roll(9) + 1, timeout).await);
        }
        4 if !held.is_empty() => {
            let message = held.swap_remove(dice.roll(held.len()));
            // A FIFO receipt may have expired; then nothing happens.
            if let Ok(Deleted::Gone) = dead.delete(message.receipt).await {
                present.remove(&numbers(&[message])[0]);
            }
        }
        _ => advance(secs([0, 2, 5, 7][dice.roll(4)])).await,
    }
}

/// Receives and deletes everything.
pub(crate) async fn drained(queue: &LocalQueue) -> Vec<usize> {
    let mut all = Vec::new();
    loop {
        let some = poll(queue, 100).await;
        if some.is_empty() {
            return all;
        }
        all.extend(numbers(&some));
        for message in some {
            queue.delete(message.receipt).await.unwrap();
        }
    }
}

/// Q86, IQ9: whatever was done to a queue before, a task moves all that can be received and nothing else.
async fn history(world: &World, seed: u64, fifo: bool) {
    let suffix = if fifo { ".fifo" } else { "" };
    let name = |base: &str| format!("{base}{seed}{suffix}");
    let mut broker = world.broker().await;
    let make = async |broker: &Broker, name: String| {
        if fifo { broker.queue(name).fifo().await.unwrap() } else { broker.queue(name).await.unwrap() }
    };
    make(&broker, name("dead")).await;
    make(&broker, name("to")).await;
    let policy = broker_core::RedrivePolicy::to(name("dead"), 9);
    let policy = broker_core::QueueSettings::new().redrive_policy(policy);
    make(&broker, name("source")).await.set_attributes(policy).await.unwrap();
    let mut dice = Dice(seed);
    let (mut held, mut present, mut next) = (Vec::new(), BTreeSet::new(), 0);
    let mut found = Vec::new();
    for round in 0..4 {
        let dead = broker.open_queue(&name("dead")).await.unwrap();
        for _ in 0..dice.roll(25) {
            something(&mut dice, &dead, &mut held, &mut present, &mut next).await;
        }
        if dice.roll(2) == 0 {
            broker.close().await.unwrap();
            drop((broker, dead));
            broker = world.broker().await;
        }
        let dead = broker.open_queue(&name("dead")).await.unwrap();
        if round == 3 {
            // All that was hidden is visible.
            advance(secs(60)).await;
        }
        let [visible, in_flight, delayed] = counts(&dead).await;
        let task = MoveTask::from(name("dead")).to(name("to"));
        let plan = broker.plan_move(&task).await.unwrap();
        assert_eq!((plan.matching, plan.in_flight), (visible, in_flight + delayed), "seed {seed}");
        assert_eq!(moved(&broker, &name("dead"), task).await, visible, "seed {seed}");
        assert_eq!(counts(&dead).await, [0, in_flight, delayed], "seed {seed}");
        assert!(poll(&dead, 10).await.is_empty(), "seed {seed}");
        let to = broker.open_queue(&name("to")).await.unwrap();
        let received = drained(&to).await;
        assert_eq!(received.len() as u64, visible, "seed {seed}");
        assert!(fifo || received.is_sorted(), "seed {seed}: {received:?}");
        found.extend(received);
        held.retain(|message| !found.contains(&numbers(std::slice::from_ref(message))[0]));
    }
    found.sort_unstable();
    assert_eq!(found, present.into_iter().collect::<Vec<_>>(), "seed {seed}");
    for queue in broker.list_queues("") {
        broker.delete_queue(&queue).await.unwrap();
    }
    broker.close().await.unwrap();
}

async fn whatever_happened_before_a_task_moves_what_is_visible(world: World) {
    let world = world.limits(bulk()).bounds(TINY);
    for seed in 0..20 {
        history(&world, seed, false).await;
    }
}

/// F54.
async fn whatever_happened_before_a_task_moves_what_is_visible_in_a_fifo_queue(world: World) {
    let world = world.limits(bulk()).bounds(TINY);
    for seed in 0..20 {
        history(&world, seed, true).await;
    }
}

everywhere! {
    whatever_happened_before_a_task_moves_what_is_visible,
    whatever_happened_before_a_task_moves_what_is_visible_in_a_fifo_queue,
}

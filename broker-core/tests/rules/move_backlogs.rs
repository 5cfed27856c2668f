//! Move tasks on dead-letter queues that are not in memory, and that others work on meanwhile (Q86, Q88, IQ9).

use std::collections::BTreeSet;

use broker_core::{
    Broker, Deleted, LocalQueue, MemoryBounds, MoveTask, MoveTaskStatus, QueueExt, ReceiveOptions,
    SendMessage,
};

use crate::{
    moves::{ended, moved, newest},
    support::{World, advance, bulk, counts, numbers, poll, poll_for, secs, send_numbers, settle_down},
};

/// Almost nothing stays in memory.
const TINY: MemoryBounds = MemoryBounds { ready: 4, delayed: 3, staged: 3, staged_bytes: 200, searched: 6 };

/// A queue `dead`, which is a dead-letter queue, and a queue `orders`.
async fn queues(broker: &Broker) -> (LocalQueue, LocalQueue) {
    let dead = broker.queue("dead").retention(secs(86_400)).await.unwrap();
    broker.queue("source").dead_letter("dead", 1).await.unwrap();
    (dead, broker.queue("orders").await.unwrap())
}

fn all() -> MoveTask {
    MoveTask::from("dead").to("orders")
}

async fn received(queue: &LocalQueue) -> Vec<usize> {
    numbers(&poll_for(queue, 20_000, secs(3_600)).await)
}

/// Q86: staged, put out, delayed, in flight, deleted, never looked at: each as it should be.
async fn a_backlog_is_moved_wherever_it_is(world: World) {
    let world = world.limits(bulk()).bounds(TINY);
    let broker = world.broker().await;
    let (dead, _orders) = queues(&broker).await;
    send_numbers(&dead, 0..1_000, |n| secs(if n % 10 == 0 { 60 } else { 0 })).await;
    let first = poll_for(&dead, 300, secs(0)).await;
    let held = poll_for(&dead, 50, secs(100)).await;
    for message in first.iter().skip(100).take(20) {
        assert_eq!(dead.delete(message.receipt).await.unwrap(), Deleted::Gone);
    }
    let hidden = numbers(&held);
    let deleted: Vec<_> = numbers(&first).into_iter().skip(100).take(20).collect();
    assert_eq!(counts(&dead).await, [830, 50, 100]);
    let plan = broker.plan_move(&all()).await.unwrap();
    assert_eq!((plan.matching, plan.in_flight, plan.skipped), (830, 150, 0));
    assert_eq!(moved(&broker, "dead", all()).await, 830);
    assert_eq!(counts(&dead).await, [0, 50, 100]);
    broker.close().await.unwrap();
    drop((broker, dead));
    let broker = world.broker().await;
    let (dead, orders) = queues(&broker).await;
    assert_eq!(counts(&dead).await, [0, 50, 100]);
    let others = |n: &usize| !n.is_multiple_of(10) && !hidden.contains(n) && !deleted.contains(n);
    assert_eq!(received(&orders).await, (0..1_000).filter(others).collect::<Vec<_>>());
    advance(secs(100)).await;
    assert_eq!(moved(&broker, "dead", all()).await, 150);
    assert_eq!(counts(&dead).await, [0, 0, 0]);
    let rest = |n: &usize| n.is_multiple_of(10) || hidden.contains(n);
    assert_eq!(received(&orders).await, (0..1_000).filter(rest).collect::<Vec<_>>());
    assert_eq!(dead.delete(held[0].receipt).await.unwrap(), Deleted::Gone);
}

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

/// IQ9: each message is either deleted by those who work on the dead-letter queue, or moved.
async fn others_can_work_on_the_queue_meanwhile(world: World) {
    let world = world.limits(bulk()).bounds(TINY);
    let broker = world.broker().await;
    let (dead, orders) = queues(&broker).await;
    send_numbers(&dead, 0..1_500, |_| secs(0)).await;
    let worker = |patience: u64| {
        let dead = dead.clone();
        tokio::spawn(async move {
            let mut done = Vec::new();
            loop {
                let options = ReceiveOptions::up_to(3).wait_time(secs(2)).visibility_timeout(secs(patience));
                let messages = dead.receive(options).await.unwrap();
                if messages.is_empty() {
                    return done;
                }
                for message in messages {
                    tokio::task::yield_now().await;
                    // Every other one is given back.
                    if message.receive_count % 2 == 1 {
                        dead.change_visibility(message.receipt, secs(0)).await.unwrap();
                    } else if dead.delete(message.receipt).await.unwrap() == Deleted::Gone {
                        done.push(numbers(&[message])[0]);
                    }
                }
            }
        })
    };
    let workers = [worker(1), worker(1), worker(1)];
    let mut rounds = 0;
    while counts(&dead).await != [0, 0, 0] {
        broker.start_move_task(all().max_per_second(100)).await.unwrap();
        ended(&broker, "dead").await;
        tokio::time::sleep(secs(1)).await;
        rounds += 1;
        assert!(rounds < 100);
    }
    let mut found = received(&orders).await;
    let by_task = found.len();
    for worker in workers {
        found.extend(worker.await.unwrap());
    }
    assert!(by_task > 0);
    found.sort_unstable();
    assert_eq!(found, (0..1_500).collect::<Vec<_>>());
}

/// Q88: killed again and again.
async fn a_task_goes_on_however_often_the_broker_ends(world: World) {
    let world = world.limits(bulk()).bounds(TINY);
    let mut broker = world.broker().await;
    let (dead, orders) = queues(&broker).await;
    send_numbers(&dead, 0..600, |_| secs(0)).await;
    broker.start_move_task(all().max_per_second(100)).await.unwrap();
    drop((dead, orders));
    let mut restarts = 0;
    while newest(&broker, "dead").await.status == MoveTaskStatus::Running {
        settle_down().await;
        broker.close().await.unwrap();
        drop(broker);
        advance(secs(1)).await;
        broker = world.broker().await;
        restarts += 1;
        assert!(restarts < 100);
    }
    assert!(restarts > 3);
    let task = newest(&broker, "dead").await;
    assert_eq!((task.status, task.moved), (MoveTaskStatus::Completed, 600));
    let (dead, orders) = queues(&broker).await;
    assert_eq!(counts(&dead).await, [0, 0, 0]);
    assert_eq!(received(&orders).await, (0..600).collect::<Vec<_>>());
}

/// Q8, Q88: what was purged is not moved, and what is sent after the start of the task stays.
async fn a_purge_ends_what_there_is_to_move(world: World) {
    let broker = world.broker().await;
    let (dead, orders) = queues(&broker).await;
    send_numbers(&dead, 0..10, |_| secs(0)).await;
    broker.start_move_task(all().max_per_second(4)).await.unwrap();
    settle_down().await;
    dead.purge().await.unwrap();
    dead.send("10").await.unwrap();
    let task = ended(&broker, "dead").await;
    assert_eq!((task.status, task.moved), (MoveTaskStatus::Completed, 4));
    assert_eq!((counts(&dead).await, counts(&orders).await), ([1, 0, 0], [4, 0, 0]));
    assert_eq!(moved(&broker, "dead", all()).await, 1);
}

/// Q7, Q88: with its source a task is gone.
async fn a_task_ends_with_its_source(world: World) {
    let broker = world.broker().await;
    let (dead, orders) = queues(&broker).await;
    send_numbers(&dead, 0..10, |_| secs(0)).await;
    broker.start_move_task(all().max_per_second(4)).await.unwrap();
    settle_down().await;
    broker.delete_queue("dead").await.unwrap();
    let (dead, _) = queues(&broker).await;
    send_numbers(&dead, 0..10, |_| secs(0)).await;
    advance(secs(10)).await;
    settle_down().await;
    assert_eq!((counts(&dead).await, counts(&orders).await), ([10, 0, 0], [4, 0, 0]));
    assert!(broker.list_move_tasks("dead", 10).await.unwrap().is_empty());
    drop(orders);
    let (broker, orders) = world.reopened(broker).await;
    assert!(broker.list_move_tasks("dead", 10).await.unwrap().is_empty());
    assert_eq!(moved(&broker, "dead", all()).await, 10);
    assert_eq!(orders.recv().await.unwrap().receive_count, 1);
}

everywhere! {
    a_backlog_is_moved_wherever_it_is,
    whatever_happened_before_a_task_moves_what_is_visible,
    whatever_happened_before_a_task_moves_what_is_visible_in_a_fifo_queue,
    others_can_work_on_the_queue_meanwhile,
    a_task_goes_on_however_often_the_broker_ends,
    a_purge_ends_what_there_is_to_move,
    a_task_ends_with_its_source,
}

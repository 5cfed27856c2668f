//! Move tasks on dead-letter queues that are not in memory, and that others work on meanwhile (Q86, Q88, IQ9).

use broker_core::{
    Broker, Deleted, LocalQueue, MemoryBounds, MoveTask, MoveTaskStatus, QueueExt, ReceiveOptions,
};

use crate::{
    moves::{ended, moved, newest},
    support::{World, advance, bulk, counts, numbers, poll_for, secs, send_numbers, settle_down},
};

/// Almost nothing stays in memory.
pub(crate) const TINY: MemoryBounds =
    MemoryBounds { ready: 4, delayed: 3, staged: 3, staged_bytes: 200, searched: 6 };

/// A queue `dead`, which is a dead-letter queue, and a queue `orders`.
pub(crate) async fn queues(broker: &Broker) -> (LocalQueue, LocalQueue) {
    let dead = broker.queue("dead").retention(secs(86_400)).await.unwrap();
    broker.queue("source").dead_letter("dead", 1).await.unwrap();
    (dead, broker.queue("orders").await.unwrap())
}

pub(crate) fn all() -> MoveTask {
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
    others_can_work_on_the_queue_meanwhile,
    a_task_goes_on_however_often_the_broker_ends,
    a_purge_ends_what_there_is_to_move,
    a_task_ends_with_its_source,
}

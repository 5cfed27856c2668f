//! Purges amid the traffic: what was sent before is gone, what is sent after stays. IQ14, IQ19.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use broker_core::LocalQueue;
use futures_util::future::join_all;
use parking_lot::Mutex;

use crate::{
    ground::{Dice, EMPTY, Ground, cut, short_poll},
    on_every_ground,
};

/// Events in an order that all tasks agree on.
#[derive(Default)]
struct Order(AtomicU64);

impl Order {
    fn next(&self) -> u64 {
        self.0.fetch_add(1, Ordering::SeqCst)
    }
}

#[derive(Default)]
struct Seen {
    order: Order,
    /// When each body was begun to be sent, and when that was answered.
    sent: Mutex<HashMap<String, (u64, Option<u64>)>>,
    /// When each purge began and when it was answered.
    purges: Mutex<Vec<(u64, u64)>>,
    /// Bodies that a consumer has got.
    got: Mutex<HashMap<String, u64>>,
    stop: AtomicBool,
}

async fn produce(queue: LocalQueue, seen: Arc<Seen>, task: usize, count: usize) {
    for number in 0..count {
        let body = format!("{task}-{number}");
        let begun = seen.order.next();
        seen.sent.lock().insert(body.clone(), (begun, None));
        queue.send(body.as_str()).await.unwrap();
        let answered = seen.order.next();
        seen.sent.lock().insert(body, (begun, Some(answered)));
    }
}

/// One look at the queue, whose messages must have come after each purge that was answered before it.
async fn look(queue: &LocalQueue, seen: &Seen, turns: usize) -> usize {
    let begun = seen.order.next();
    let Some(got) = cut(turns, queue.receive(short_poll())).await else { return 1 };
    let got = got.unwrap();
    for message in &got {
        let body = message.text().unwrap().to_owned();
        let answered = seen.sent.lock()[&body].1;
        for (purge_begun, purge_answered) in seen.purges.lock().iter() {
            let survived = *purge_answered < begun && answered.is_some_and(|at| at < *purge_begun);
            assert!(!survived, "{body} was sent before a purge and received after it");
        }
        seen.got.lock().insert(body, begun);
        queue.delete(message.receipt).await.unwrap();
    }
    got.len()
}

async fn consume(queue: LocalQueue, seen: Arc<Seen>, task: usize) {
    let mut dice = Dice::new(task);
    while !seen.stop.load(Ordering::SeqCst) {
        let turns = if dice.one_in(4) { usize::MAX } else { dice.below(30) };
        look(&queue, &seen, turns).await;
        tokio::task::yield_now().await;
    }
}

async fn purge(queue: LocalQueue, seen: Arc<Seen>, count: usize) {
    for _ in 0..count {
        let begun = seen.order.next();
        queue.purge().await.unwrap();
        let answered = seen.order.next();
        seen.purges.lock().push((begun, answered));
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
    }
}

async fn a_purge_takes_what_was_there_and_nothing_else(ground: Ground) {
    let (broker, queue) = ground.open().await;
    let seen = Arc::new(Seen::default());
    let count = ground.scaled(300);
    let mut tasks: Vec<_> =
        (0..3).map(|task| tokio::spawn(produce(queue.clone(), seen.clone(), task, count))).collect();
    tasks.push(tokio::spawn(purge(queue.clone(), seen.clone(), ground.scaled(40))));
    let consumers: Vec<_> =
        (0..3).map(|task| tokio::spawn(consume(queue.clone(), seen.clone(), task))).collect();
    for task in join_all(tasks).await {
        task.unwrap();
    }
    seen.stop.store(true, Ordering::SeqCst);
    for consumer in join_all(consumers).await {
        consumer.unwrap();
    }
    while look(&queue, &seen, usize::MAX).await > 0 {}
    assert_eq!(queue.counters().await.unwrap(), EMPTY);
    let last = seen.purges.lock().iter().map(|(_, answered)| *answered).max().unwrap();
    for (body, (begun, _)) in seen.sent.lock().iter() {
        assert!(*begun < last || seen.got.lock().contains_key(body), "{body} was sent after the last purge");
    }
    broker.close().await.unwrap();
}

on_every_ground! { a_purge_takes_what_was_there_and_nothing_else }

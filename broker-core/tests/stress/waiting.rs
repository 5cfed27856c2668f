//! Thousands of long polls on one queue, and as many messages that come in every way: IQ16, IQ17.

use std::{collections::HashSet, time::Duration};

use broker_core::{LocalQueue, SendMessage};
use futures_util::future::join_all;

use crate::{
    ground::{Dice, EMPTY, Ground, cut, long_poll},
    on_every_ground,
};

/// Makes messages visible one after the other, some by the end of a delay, until `count` are there for the waiters.
async fn trickle(ground: &Ground, queue: &LocalQueue, count: usize) {
    let mut dice = Dice::new(5);
    let mut there = 0;
    while there < count {
        let body = SendMessage::from(format!("{there} {}", "x".repeat(dice.below(60))));
        let delay = if dice.one_in(3) { dice.below(5) } else { 0 };
        queue.send(body.delay(Duration::from_millis(delay as u64))).await.unwrap();
        there += 1;
        if dice.one_in(4) {
            ground.clock.advance(Duration::from_millis(1));
        }
        // Somebody who comes, perhaps takes what a waiter was woken for, and goes.
        if dice.one_in(4)
            && let Some(got) = cut(dice.below(4), queue.receive(long_poll(2))).await
        {
            for message in got.unwrap() {
                queue.delete(message.receipt).await.unwrap();
                there -= 1;
            }
        }
        for _ in 0..dice.below(4) {
            tokio::task::yield_now().await;
        }
    }
    // The last delays end. After this nothing happens any more that could wake a waiter.
    ground.clock.advance(Duration::from_millis(5));
}

async fn every_waiter_returns(ground: Ground) {
    let (broker, queue) = ground.open().await;
    let waiters = ground.scaled(2_000);
    let wait = |_| {
        let queue = queue.clone();
        tokio::spawn(async move { queue.receive(long_poll(1)).await.unwrap() })
    };
    let waiting: Vec<_> = (0..waiters).map(wait).collect();
    trickle(&ground, &queue, waiters).await;
    let mut ids = HashSet::new();
    let mut receipts = Vec::new();
    for got in join_all(waiting).await {
        let got = got.unwrap();
        assert_eq!(got.len(), 1, "no wait has reached its end");
        ids.insert(got[0].id);
        receipts.push(got[0].receipt);
    }
    assert_eq!(ids.len(), waiters, "each has a message of its own");
    for receipt in receipts.chunks(10) {
        let _ = queue.delete_batch(receipt.iter().copied().collect()).await.unwrap();
    }
    assert_eq!(queue.counters().await.unwrap(), EMPTY);
    broker.close().await.unwrap();
}

on_every_ground! { every_waiter_returns }

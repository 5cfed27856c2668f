//! A broker that is closed amid the traffic: what was acknowledged is there when it is opened again. IQ1, IQ7, IG2.

use std::collections::HashSet;

use futures_util::future::join_all;

use crate::{
    consumers::{Run, closed_or_done},
    ground::{EMPTY, Ground, short_poll},
    on_every_ground,
};

const TASKS: usize = 4;

async fn what_was_acknowledged_is_there_after_closing(ground: Ground) {
    for round in 1..=ground.scaled(16) {
        let (broker, queue) = ground.open().await;
        let run = Run::new(&queue, false);
        let mut tasks: Vec<_> =
            (0..TASKS).map(|task| tokio::spawn(run.clone().produce(round * 100 + task, 100_000))).collect();
        tasks.extend((0..2).map(|task| tokio::spawn(run.clone().consume(round * 100 + 50 + task))));
        while run.ledger.acked_count() < 10 * round {
            tokio::task::yield_now().await;
        }
        broker.close().await.unwrap();
        for task in join_all(tasks).await {
            closed_or_done(task.unwrap());
        }
        let ledger = run.ledger.clone();
        drop((run, queue, broker));
        // Nothing of this round may be in flight when it is counted.
        ground.clock.advance(2 * crate::ground::LEASE);
        let (broker, queue) = ground.open().await;
        let mut left = HashSet::new();
        loop {
            let got = queue.receive(short_poll()).await.unwrap();
            if got.is_empty() {
                break;
            }
            for message in got {
                assert!(left.insert(message.id), "the same message twice");
                queue.delete(message.receipt).await.unwrap();
            }
        }
        ledger.survived(&left);
        assert_eq!(queue.counters().await.unwrap(), EMPTY);
        broker.close().await.unwrap();
    }
}

on_every_ground! { what_was_acknowledged_is_there_after_closing }

//! Stores that fail or are full, and a broker that is closed: what fails is as certain as it says, and whole.

use std::sync::Arc;

use broker_core::{
    Broker, Certainty, Error,
    storage::faults::{FailingStorage, Fault},
};
use broker_mem::MemStorage;

use crate::{
    contents::{START, World},
    script::Script,
    support::{Ground, Kind, block_on, count, take_one},
};

// T4
#[test]
fn a_commit_that_fails_is_uncertain_and_whole() {
    let mut failed = 0;
    for number in 0.. {
        let memory = MemStorage::new();
        let store = FailingStorage::new(Arc::new(memory.clone())).fail_commit(number, Fault::Io);
        let mut script = Script::new(5);
        let (ended, now) = block_on(async {
            let Ok(mut world) = World::open(Arc::new(store), START).await else { return (None, START) };
            let ended = script.run(&mut world, 25).await;
            if ended.is_err() {
                // It has stopped, and says so.
                let refused = world.broker.transaction().commit().await.unwrap_err();
                assert!(matches!(refused, Error::Poisoned(_)), "{refused}");
            }
            (Some(ended), world.millis())
        });
        let left = block_on(async { World::open(Arc::new(memory), now).await.unwrap().drain().await });
        assert!(script.snapshots[script.acked..].contains(&left), "commit {number}: {left:#?}");
        match ended {
            Some(Ok(())) => break,
            Some(Err(error)) => {
                assert_eq!(error.certainty(), Certainty::Indeterminate, "{error}");
                failed += 1;
            }
            None => {}
        }
    }
    assert!(failed > 10, "only {failed} commits failed");
}

/// The queue is full because the store is: nothing is taken in, and what makes room still goes.
// T4
#[test]
fn a_store_that_is_full() {
    block_on(async {
        let store = crate::limits::full_store();
        let broker = Broker::builder_on(store.clone()).open().await.unwrap();
        let queue = broker.queue("q").await.unwrap();
        broker.space("s").await.unwrap();
        queue.send("m").await.unwrap();
        let got = take_one(&queue).await;
        store.fill(true);
        let mut tx = broker.transaction();
        tx.send(&queue, "m").unwrap();
        tx.ack(&queue, got.receipt).unwrap();
        let refused = tx.commit().await.unwrap_err();
        assert!(
            matches!(&refused, Error::Storage(cause) if cause.to_string().contains("no room")),
            "{refused}"
        );
        assert_eq!(count(&queue).await, (0, 1, 0));
        let space = broker.open_space("s").await.unwrap();
        let mut tx = broker.transaction();
        tx.ack(&queue, got.receipt).unwrap();
        tx.get(&space, "k").await.unwrap();
        tx.delete(&space, "k").unwrap();
        tx.commit().await.unwrap();
        assert_eq!(count(&queue).await, (0, 0, 0));
    });
}

// T4
#[test]
fn a_closed_broker_is_not_the_fault_of_an_operation() {
    block_on(async {
        let broker = Ground::new(Kind::Blocking).open().await;
        let queue = broker.queue("q").await.unwrap();
        let mut tx = broker.transaction();
        tx.send(&queue, "m").unwrap();
        broker.close().await.unwrap();
        assert!(matches!(tx.commit().await, Err(Error::Closed)));
    });
}

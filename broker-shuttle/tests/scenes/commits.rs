//! The commit queue: whoever got `Ok` is committed with the durability that was asked for, and nobody waits for ever, whatever
//! becomes of the committer.

use broker_core::{
    Entries, Error, LocalQueue, SendMessage,
    storage::{Durability, faults::shut_down_the_runtime},
};
use broker_shuttle::{Store, all, random};
use shuttle::future::{JoinHandle, spawn};

use crate::world::World;

type Submitter = JoinHandle<Result<(), Error>>;

/// Sends a text with a durability, and looks at once whether it is committed if that is said.
fn submit(store: &Store, queue: &LocalQueue, text: &'static str, durability: Durability) -> Submitter {
    let (store, queue) = (store.clone(), queue.clone());
    spawn(async move {
        let batch: Entries<SendMessage> = [SendMessage::from(text)].into_iter().collect();
        queue.send_batch(batch.durability(durability)).await?.all()?;
        let committed = store.durability_of(text);
        assert!(committed >= Some(durability), "{text} was acknowledged, and committed as {committed:?}");
        Ok(())
    })
}

async fn two_queues(world: &World) -> [LocalQueue; 2] {
    [world.queue().await, world.broker.queue("other").await.expect("a queue can be made")]
}

/// All submit at once; the queues are different ones, so that only the commit queue makes them wait.
async fn at_once<const N: usize>(durabilities: [Durability; N]) {
    let world = World::open(Store::grouped()).await;
    let queues = two_queues(&world).await;
    let texts = ["text 1", "text 2", "text 3"];
    let before = world.store.commits();
    let submitters = durabilities
        .into_iter()
        .enumerate()
        .map(|(at, durability)| submit(&world.store, &queues[at % 2], texts[at], durability));
    for submitter in submitters.collect::<Vec<_>>() {
        submitter.await.expect("nobody drops it").expect("nothing fails here");
    }
    assert!(world.store.commits() - before <= N, "a batch has one commit");
}

/// The first or the second commit fails: nobody is told otherwise, and nothing is taken afterwards.
async fn a_failure(number: usize) {
    let store = Store::grouped();
    let world = World::open(store.clone()).await;
    let _ = two_queues(&world).await;
    drop(world);
    let world = World::open(store.failing_at(number)).await;
    let queues = two_queues(&world).await;
    let submitters = ["text 1", "text 2"].map(|text| {
        let at = usize::from(text == "text 2");
        submit(&world.store, &queues[at], text, Durability::Synced)
    });
    let mut failed = false;
    for submitter in submitters {
        match submitter.await.expect("nobody drops it") {
            Ok(()) => {}
            Err(Error::Indeterminate(_) | Error::Poisoned(_)) => failed = true,
            Err(other) => panic!("{other}"),
        }
    }
    // If both went in the first commit there was no second one to fail.
    if failed {
        let later = queues[0].send("later").await;
        assert!(matches!(later, Err(Error::Poisoned(_))), "{later:?}");
    }
    assert!(failed || number > 0);
}

/// The runtime that the committer needs shuts down at any time.
async fn no_runtime() {
    let world = World::open(Store::grouped()).await;
    let queues = two_queues(&world).await;
    let submitters = [
        submit(&world.store, &queues[0], "text 1", Durability::Synced),
        submit(&world.store, &queues[1], "text 2", Durability::Synced),
    ];
    shut_down_the_runtime();
    for submitter in submitters {
        match submitter.await.expect("nobody drops it") {
            Ok(()) | Err(Error::Indeterminate(_) | Error::Poisoned(_)) => {}
            Err(other) => panic!("{other}"),
        }
    }
}

/// The broker is closed while others submit: what is taken is committed, and the store is let go of.
async fn a_close() {
    let world = World::open(Store::grouped()).await;
    let queues = two_queues(&world).await;
    let submitters = [
        submit(&world.store, &queues[0], "text 1", Durability::Memory),
        submit(&world.store, &queues[1], "text 2", Durability::Synced),
    ];
    world.broker.close().await.expect("nothing fails here");
    let closed_at = world.store.commits();
    for submitter in submitters {
        match submitter.await.expect("nobody drops it") {
            Ok(()) | Err(Error::Closed) => {}
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!(world.store.commits(), closed_at, "nothing is committed after the close");
}

/// Who submits is dropped at any time: the other one does not wait for it.
async fn a_drop() {
    let world = World::open(Store::grouped()).await;
    let queues = two_queues(&world).await;
    let dropped = submit(&world.store, &queues[0], "text 1", Durability::Synced);
    let other = submit(&world.store, &queues[1], "text 2", Durability::Synced);
    dropped.abort();
    other.await.expect("nobody drops it").expect("nothing fails here");
    world.broker.flush().await.expect("nothing fails here");
}

#[test]
fn what_is_acknowledged_is_committed() {
    const STRONG: Durability = Durability::Synced;
    all("commits, two", 1, || at_once([STRONG, STRONG]));
    all("commits, weak and strong", 1, || at_once([Durability::Memory, STRONG]));
    random("commits, three", 1_000, || at_once([Durability::Memory, STRONG, Durability::Buffered]));
}

#[test]
fn a_failed_commit_is_told_to_everybody() {
    all("commits, the first fails", 1, || a_failure(0));
    all("commits, the second fails", 1, || a_failure(1));
}

#[test]
fn a_runtime_that_shuts_down_leaves_nobody_waiting() {
    all("commits, no runtime", 1, no_runtime);
}

#[test]
fn a_close_waits_for_what_was_taken() {
    all("commits, closed", 0, a_close);
    random("commits, closed", 1_000, a_close);
}

#[test]
fn a_submitter_may_be_dropped() {
    all("commits, dropped", 1, a_drop);
}

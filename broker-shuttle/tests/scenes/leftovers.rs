//! What is deleted or purged while something is still on its way to it: nothing of it stays in the store.

use broker_core::{SendMessage, storage::Storage as _};
use broker_shuttle::{Store, random};
use shuttle::future::spawn;

use crate::world::{World, check};

#[derive(Debug, Clone, Copy, PartialEq)]
enum End {
    Purged,
    Deleted,
    SpaceDeleted,
}

/// Whoever writes is faster or slower than the end; when all is quiet, the store has what is there and nothing else.
async fn written_before_the_end(end: End) {
    let world = World::open(Store::grouped()).await;
    let (broker, queue) = (&world.broker, world.queue().await);
    let fifo = broker.queue("q.fifo").fifo().dedup_by_content().await.expect("a queue can be made");
    let space = broker.space("s").await.expect("a space can be made");
    let write = spawn({
        let (queue, fifo) = (queue.clone(), fifo.clone());
        async move {
            // Each of them may come too late.
            let _ = queue.send("one").await;
            let _ = fifo.send(SendMessage::new("two").group_id("g")).await;
            let _ = space.put("key", "value").await;
        }
    });
    match end {
        End::Purged => {
            queue.purge().await.expect("nothing fails here");
            fifo.purge().await.expect("nothing fails here");
        }
        End::Deleted => {
            broker.delete_queue("q").await.expect("it is there");
            broker.delete_queue("q.fifo").await.expect("it is there");
        }
        End::SpaceDeleted => broker.delete_space("s").await.expect("it is there"),
    }
    write.await.expect("nobody drops it");
    // The room is given back in the background, with commits of its own.
    while noted(&world.store) > 0 {
        shuttle::future::yield_now().await;
    }
    broker.flush().await.expect("nothing fails here");
    check(&world.store);
}

/// How many partitions are yet to be cleared.
fn noted(store: &Store) -> usize {
    let page = broker_core::storage::Page { entries: 10, bytes: usize::MAX };
    store.as_it_is().meta_range(b"g", b"h", page).expect("it can be read").len()
}

#[test]
fn nothing_stays_of_what_is_gone() {
    for end in [End::Purged, End::Deleted, End::SpaceDeleted] {
        random(&format!("leftovers, {end:?}"), 2_000, move || written_before_the_end(end));
    }
}

//! Transactions beside each other and beside all that can come in between: what they have read, messages, spaces, streams.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use broker_core::{Error, PutRecord, Reason, SendMessage, ShardFilter, Space, StartingPosition};
use broker_shuttle::{Store, all, random};
use shuttle::future::spawn;

use crate::world::{TINY, World, check, contents, receive_one};

/// Whether the transaction was rejected because of this.
fn rejected<T>(done: &Result<T, Error>, by: impl Fn(&Reason) -> bool) -> bool {
    matches!(done, Err(Error::TransactionRejected(why)) if by(&why.reason))
}

async fn read(space: &Space, key: &str) -> u8 {
    space.get(key).await.expect("nothing fails here").map_or(0, |value| value[0])
}

/// Two transfers between two accounts and somebody who adds them up: the sum is always the same, and both transfers are made.
async fn accounts(store: Store) {
    let world = World::open(store).await;
    let space = world.broker.space("accounts").await.expect("a space can be made");
    for key in ["a", "b"] {
        space.put(key, vec![50]).await.expect("nothing fails here");
    }
    let transfer = |from: &'static str, to: &'static str, amount: u8| {
        let (broker, space) = (world.broker.clone(), space.clone());
        spawn(async move {
            let transfer = broker.transact(async |mut tx| {
                let left = tx.get(&space, from).await?.map_or(0, |value| value[0]) - amount;
                let more = tx.get(&space, to).await?.map_or(0, |value| value[0]) + amount;
                tx.put(&space, from, vec![left])?;
                tx.put(&space, to, vec![more])?;
                tx.commit().await
            });
            transfer.await.map(drop)
        })
    };
    let transfers = [transfer("a", "b", 7), transfer("b", "a", 2)];
    let sum = world.broker.transact(async |mut tx| {
        let a = tx.get(&space, "a").await?.map_or(0, |value| value[0]);
        let b = tx.get(&space, "b").await?.map_or(0, |value| value[0]);
        tx.commit().await?;
        Ok::<_, Error>(a + b)
    });
    assert_eq!(sum.await.expect("somebody else has committed, and not that often"), 100);
    for transfer in transfers {
        transfer.await.expect("nobody drops it").expect("the other one has committed, and only once");
    }
    assert_eq!((read(&space, "a").await, read(&space, "b").await), (45, 55));
    check(&world.store);
}

/// Two acknowledge the same message, each in a transaction that counts it: one does.
async fn once(store: Store) {
    let world = World::open(store).await;
    let (queue, space) = (world.queue().await, world.broker.space("s").await.expect("a space can be made"));
    queue.send("one").await.expect("nothing fails here");
    let held = receive_one(queue.clone()).await.expect("nothing fails here").remove(0);
    let count = |key: &'static str| {
        let (broker, queue, space) = (world.broker.clone(), queue.clone(), space.clone());
        spawn(async move {
            let mut tx = broker.transaction();
            tx.ack(&queue, held.receipt)?;
            tx.put(&space, key, vec![1])?;
            tx.commit().await
        })
    };
    let (first, second) = (count("first"), count("second"));
    let done = [first.await.expect("nobody drops it"), second.await.expect("nobody drops it")];
    assert_eq!(done.iter().filter(|done| done.is_ok()).count(), 1);
    assert!(done.iter().any(|done| rejected(done, |reason| matches!(reason, Reason::MessageGone))));
    let counted = [read(&space, "first").await, read(&space, "second").await];
    assert_eq!(counted, [u8::from(done[0].is_ok()), u8::from(done[1].is_ok())]);
}

/// A message is acknowledged while its time is up and somebody else receives it: one of the two has it.
async fn late(store: Store) {
    let world = World::with_memory(store, TINY).await;
    let queue = world.queue().await;
    for text in ["one", "two"] {
        queue.send(text).await.expect("nothing fails here");
    }
    let held = receive_one(queue.clone()).await.expect("nothing fails here").remove(0);
    let acknowledge = spawn({
        let (broker, queue) = (world.broker.clone(), queue.clone());
        async move {
            let mut tx = broker.transaction();
            tx.ack(&queue, held.receipt)?;
            tx.send(&queue, "done")?;
            tx.commit().await
        }
    });
    let receive = spawn({
        let queue = queue.clone();
        async move { [contents(&queue).await, contents(&queue).await].concat() }
    });
    world.clock.advance(Duration::from_secs(30));
    let acknowledged = acknowledge.await.expect("nobody drops it");
    let mut received = receive.await.expect("nobody drops it");
    received.extend(contents(&queue).await);
    let came_again = received.iter().filter(|text| *text == "one").count();
    match acknowledged {
        Ok(_) => assert!(received.contains(&"done".to_owned()) && came_again <= 1, "{received:?}"),
        Err(_) => assert!(!received.contains(&"done".to_owned()) && came_again == 1, "{received:?}"),
    }
    check(&world.store);
}

/// What a transaction is about to use is deleted: if that was done before the commit began, the commit is rejected; and whatever
/// comes first, nothing is left of what is gone.
async fn gone(store: Store, what: What) {
    let world = World::open(store).await;
    let (broker, queue) = (&world.broker, world.queue().await);
    let space = broker.space("s").await.expect("a space can be made");
    let stream = broker.stream("s").shards(1).await.expect("a stream can be made");
    let topic = broker.topic("t").await.expect("a topic can be made");
    let deleted = Arc::new(AtomicBool::new(false));
    let work = spawn({
        let (broker, queue, deleted) = (broker.clone(), queue.clone(), deleted.clone());
        async move {
            let mut tx = broker.transaction();
            tx.send(&queue, "one")?;
            match what {
                What::SpaceRead => _ = tx.get(&space, "key").await?,
                What::SpaceWritten => _ = tx.put(&space, "key", "value")?,
                What::Stream => _ = tx.put_record(&stream, PutRecord::new("key", "record"))?,
                What::Topic => _ = tx.publish(&topic, "message")?,
            }
            let before = deleted.load(Ordering::SeqCst);
            let done = tx.commit().await;
            assert!(!(before && done.is_ok()), "what was deleted before was used");
            done
        }
    });
    let deletion = match what {
        What::SpaceRead | What::SpaceWritten => broker.delete_space("s").await,
        What::Stream => broker.delete_stream("s").await,
        What::Topic => broker.delete_topic("t").await,
    };
    deletion.expect("it is there");
    deleted.store(true, Ordering::SeqCst);
    let done = work.await.expect("nobody drops it");
    assert_eq!(contents(&queue).await.len(), usize::from(done.is_ok()));
    check(&world.store);
}

#[derive(Debug, Clone, Copy)]
enum What {
    SpaceRead,
    SpaceWritten,
    Stream,
    Topic,
}

/// Records are put in transactions and outside while their shard is split: each is there once, and can be read.
async fn a_split(store: Store) {
    let world = World::open(store).await;
    let stream = world.broker.stream("s").shards(1).await.expect("a stream can be made");
    let shard = stream.shards(ShardFilter::default()).await.expect("the stream is there")[0].id;
    let put = spawn({
        let (broker, stream) = (world.broker.clone(), stream.clone());
        async move {
            let mut tx = broker.transaction();
            tx.put_record(&stream, PutRecord::new("key", "in a transaction"))?;
            tx.commit().await?;
            stream.put(PutRecord::new("key", "alone")).await
        }
    });
    stream.split_shard(shard, 1 << 127).await.expect("it can be split");
    put.await.expect("nobody drops it").expect("some shard is open");
    let mut found = Vec::new();
    for shard in stream.shards(ShardFilter::default()).await.expect("the stream is there") {
        let from =
            stream.iterator(shard.id, StartingPosition::TrimHorizon).await.expect("the shard is there");
        let read = stream.read(&from, 10).await.expect("the shard is there");
        found.extend(read.records.into_iter().map(|record| record.data));
    }
    found.sort();
    assert_eq!(found, ["alone", "in a transaction"]);
    check(&world.store);
}

/// An id that a FIFO queue has forgotten, or may have, is sent twice at once: one of the two is enqueued.
async fn an_old_id(store: Store) {
    let message = |id: &'static str| SendMessage::new(id).group_id("g").deduplication_id(id);
    let world = World::with_memory(store.clone(), TINY).await;
    let queue = world.broker.queue("q.fifo").fifo().await.expect("a queue can be made");
    queue.send(message("old")).await.expect("nothing fails here");
    let held =
        queue.receive(broker_core::ReceiveOptions::up_to(1)).await.expect("nothing fails here").remove(0);
    queue.delete(held.receipt).await.expect("nothing fails here");
    drop((queue, world));
    let world = World::with_memory(store, TINY).await;
    world.clock.advance(Duration::from_secs(301));
    let queue = world.broker.open_queue("q.fifo").await.expect("it was stored");
    let sent = spawn({
        let (broker, queue) = (world.broker.clone(), queue.clone());
        async move {
            let mut tx = broker.transaction();
            tx.send(&queue, message("old"))?;
            tx.commit().await
        }
    });
    queue.send(message("old")).await.expect("nothing fails here");
    queue.send(message("new")).await.expect("nothing fails here");
    sent.await.expect("nobody drops it").expect("a duplicate is no error");
    assert_eq!(queue.counters().await.expect("the queue is there").visible, 2);
    check(&world.store);
}

#[test]
fn what_was_read_still_holds_at_the_commit() {
    random("transactions, accounts", 2_000, || accounts(Store::inline()));
    random("transactions, accounts, grouped", 1_000, || accounts(Store::grouped()));
}

#[test]
fn a_message_is_acknowledged_once() {
    all("transactions, once", 2, || once(Store::inline()));
    random("transactions, once, grouped", 1_000, || once(Store::grouped()));
}

#[test]
fn a_lease_that_ends_is_lost_or_not() {
    random("transactions, late", 2_000, || late(Store::grouped()));
}

#[test]
fn what_is_gone_is_not_used() {
    for what in [What::SpaceRead, What::SpaceWritten, What::Stream, What::Topic] {
        all(&format!("transactions, gone {what:?}"), 1, move || gone(Store::inline(), what));
        random(&format!("transactions, gone {what:?}, grouped"), 1_000, move || gone(Store::grouped(), what));
    }
}

#[test]
fn a_shard_may_be_split_meanwhile() {
    all("transactions, a split", 1, || a_split(Store::inline()));
    random("transactions, a split, grouped", 1_000, || a_split(Store::grouped()));
}

#[test]
fn an_id_is_looked_up_by_one_at_a_time() {
    random("transactions, an old id", 2_000, || an_old_id(Store::grouped()));
}

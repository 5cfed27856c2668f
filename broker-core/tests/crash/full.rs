//! A full device: what is new is refused, and everything else works. IQ15.

use std::{sync::Arc, time::Duration};

use broker_core::{
    Broker, Certainty, Deleted, Entries, Error, PutRecord, ReceiveOptions, SendMessage,
    storage::{
        Storage, StorageError,
        faults::{FailingStorage, SlowStorage},
    },
};
use broker_mem::MemStorage;

use crate::points::block_on;

/// A full device refuses what is new, with an error that says so, and nothing else; when there is room, it goes on.
async fn a_full_device_takes_nothing_new(can_block: bool) {
    let slow = SlowStorage::new(Arc::new(MemStorage::new()));
    let store: Arc<dyn Storage> = if can_block { Arc::new(slow) } else { Arc::new(MemStorage::new()) };
    let failing = Arc::new(FailingStorage::new(store));
    let broker = Broker::builder_on(failing.clone()).open().await.unwrap();
    let queue = broker.queue("q").await.unwrap();
    let fifo = broker.queue("q.fifo").fifo().await.unwrap();
    let topic = broker.topic("t").await.unwrap();
    topic.subscribe(&queue).raw_delivery(true).await.unwrap();
    let stream = broker.stream("s").shards(1).await.unwrap();
    let in_order = || SendMessage::new("in order").group_id("g").deduplication_id("1");
    queue.send("first").await.unwrap();
    queue.send("second").await.unwrap();
    failing.set_full(true);
    let entries = Entries::one(SendMessage::from("third"));
    let refusals = [
        queue.send("third").await.unwrap_err(),
        queue.send_batch(entries).await.map(drop).unwrap_err(),
        fifo.send(in_order()).await.unwrap_err(),
        topic.publish("third").await.map(drop).unwrap_err(),
        stream.put(PutRecord::new("k", "x")).await.unwrap_err(),
    ];
    for refused in refusals {
        assert_eq!(refused.certainty(), Certainty::Rejected);
        let full = matches!(&refused, Error::Storage(cause) if matches!(**cause, StorageError::Full { .. }));
        assert!(full && refused.to_string().contains("no room for "), "{refused}");
    }
    let received = queue.receive(ReceiveOptions::up_to(10)).await.unwrap();
    assert_eq!(received.len(), 2);
    queue.change_visibility(received[1].receipt, Duration::ZERO).await.unwrap();
    assert_eq!(queue.delete(received[0].receipt).await.unwrap(), Deleted::Gone);
    failing.set_full(false);
    queue.send("third").await.unwrap();
    assert!(!fifo.send(in_order()).await.unwrap().duplicate, "the refused one was not taken");
    stream.put(PutRecord::new("k", "x")).await.unwrap();
    assert_eq!(queue.receive(ReceiveOptions::up_to(10)).await.unwrap().len(), 2);
}

#[test]
fn iq15_a_full_device_takes_nothing_new_and_works_otherwise() {
    block_on(a_full_device_takes_nothing_new(false));
    block_on(a_full_device_takes_nothing_new(true));
}

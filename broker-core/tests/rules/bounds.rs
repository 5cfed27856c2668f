//! What the broker owes its store whatever users do: small meta values and keys, rows that fit, and space given back.
//! IG7, IQ15.

use std::sync::Arc;

use broker_core::{
    AttributeValue, BodyRule, Broker, Error, Limits, SendMessage,
    storage::{
        Page, Storage,
        faults::{Gate, SlowStorage},
    },
};
use broker_mem::MemStorage;
use futures_util::FutureExt;

use crate::support::{World, advance, counts, refusal, secs, settle_down};

const ALL: Page = Page { entries: usize::MAX, bytes: usize::MAX };

fn meta_under(store: &MemStorage, tag: u8) -> Vec<(bytes::Bytes, bytes::Bytes)> {
    store.meta_range(&[tag], &[tag + 1], ALL).unwrap()
}

/// The trait promises backends meta values of at most 64 KiB.
#[tokio::test(start_paused = true)]
async fn tags_never_make_a_definition_larger_than_a_meta_value_may_be() {
    let store = MemStorage::new();
    let broker = Broker::open(store.clone()).await.unwrap();
    let queue = broker.queue("orders").await.unwrap();
    let tags = |count: usize, c: &str| {
        let value = c.repeat(1_024);
        (0..count).map(move |n| (format!("{n:0>512}"), value.clone()))
    };
    queue.tag(tags(39, "v")).await.unwrap();
    refusal(&queue, queue.tag(tags(50, "v"))).await;
    // Each of these characters takes six bytes of JSON.
    refusal(&queue, queue.tag(tags(20, "\u{1}"))).await;
    let mut builder = broker.queue("other");
    for (key, value) in tags(50, "v") {
        builder = builder.tag(key, value);
    }
    builder.await.unwrap_err();
    let largest = meta_under(&store, b'n').iter().map(|(_, value)| value.len()).max().unwrap();
    assert!((55_000..=65_536).contains(&largest), "{largest}");
}

#[tokio::test(start_paused = true)]
async fn a_name_always_fits_in_a_key() {
    let limits = Limits { queue_name_chars_max: usize::MAX, ..Limits::aws() };
    let broker = Broker::builder(MemStorage::new()).limits(limits).open().await.unwrap();
    broker.queue("n".repeat(1_000)).await.unwrap();
    let error = broker.queue("n".repeat(1_001)).await.unwrap_err();
    assert!(matches!(error, Error::InvalidParameter { field: "name", .. }), "{error:?}");
}

/// With thousands of attributes a row is larger than its message by more than the room that is left for that. The
/// engine would refuse it, and so stop the broker.
#[tokio::test(start_paused = true)]
async fn a_message_whose_row_is_too_large_for_the_store_is_refused() {
    const ATTRIBUTES: usize = 3_000;
    let bytes = 64 << 20;
    let world = World::on_sled().limits(Limits {
        attributes_max: ATTRIBUTES,
        message_bytes_max: bytes,
        batch_bytes_max: bytes,
        body: BodyRule::AnyBytes,
        ..Limits::aws()
    });
    let (_broker, queue) = world.queue().await;
    let max = queue.attributes().await.unwrap().max_message_size;
    let mut message = SendMessage::default();
    for n in 0..ATTRIBUTES {
        message.attributes.insert(n.to_string(), AttributeValue::number(1));
    }
    message.body = vec![b'x'; max - message.size_bytes()].into();
    let error = refusal(&queue, queue.send(message)).await;
    assert!(matches!(error, Error::MessageTooLong { .. }), "{error:?}");
    queue.send("the broker goes on").await.unwrap();
    assert_eq!(counts(&queue).await, [1, 0, 0]);
}

#[tokio::test(start_paused = true)]
async fn names_of_queues_deleted_long_ago_are_forgotten() {
    let store = MemStorage::new();
    let limits = Limits { recreate_wait: secs(60), ..Limits::aws() };
    let broker = Broker::builder(store.clone()).limits(limits).open().await.unwrap();
    for n in 0..20 {
        let name = format!("temporary-{n}");
        broker.queue(&name).await.unwrap();
        broker.delete_queue(&name).await.unwrap();
        let again = broker.queue(&name).await.unwrap_err();
        assert!(matches!(again, Error::QueueDeletedRecently { .. }), "{again:?}");
        advance(secs(40)).await;
    }
    assert_eq!(meta_under(&store, b'd').len(), 2, "those of the last minute");
}

/// IQ18: whoever drops the call, the space comes back.
#[tokio::test(start_paused = true)]
async fn a_dropped_purge_or_deletion_gives_the_space_back_too() {
    for delete in [false, true] {
        let (store, gate) = (MemStorage::new(), Gate::new());
        let slow = SlowStorage::new(Arc::new(store.clone())).gated(&gate);
        let broker = Broker::builder(slow).open().await.unwrap();
        let queue = broker.queue("orders").await.unwrap();
        for _ in 0..5 {
            queue.send("m").await.unwrap();
        }
        gate.hold();
        let dropped =
            if delete { broker.delete_queue("orders").now_or_never() } else { queue.purge().now_or_never() };
        assert!(dropped.is_none());
        gate.open();
        settle_down().await;
        let left = (store.rows(2, 0..100, ALL).unwrap(), meta_under(&store, b'g'));
        assert!(left.0.is_empty() && left.1.is_empty(), "the space has not come back: {left:?}");
        assert!(delete || counts(&queue).await == [0, 0, 0]);
    }
}

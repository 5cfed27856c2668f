//! Publishes that fail in the middle, and stores that take less than a message grows to: all queues or none. IT1, IG4, IG11.

use std::sync::Arc;

use broker_core::{
    Broker, Endpoint, MoveTask, MoveTaskStatus, PublishMessage, SendMessage,
    storage::faults::{FailingStorage, Fault},
};
use broker_mem::MemStorage;

use crate::{
    narrow::Narrow,
    support::{World, on_paused_time, poll, settle_down, take},
};

everywhere! { it5_a_dead_letter_of_a_topic_does_not_go_back_to_a_queue_of_that_name }

/// Publishes a message with an id that the second queue may know, and so must look up. Returns how many reads there were
/// before, and whether the publish and the first queue have it.
async fn publish_what_may_be_known(store: Arc<FailingStorage>) -> (usize, bool, usize, usize) {
    let broker = Broker::builder_on(store.clone()).seed(7).open().await.unwrap();
    let topic = broker.topic("trades.fifo").fifo().await.unwrap();
    let mut queues = Vec::new();
    for name in ["a.fifo", "b.fifo"] {
        let queue = broker.queue(name).fifo().await.unwrap();
        topic.subscribe(&queue).raw_delivery(true).await.unwrap();
        queues.push(queue);
    }
    let known = SendMessage::new("own").group_id("own").deduplication_id("1");
    queues[1].send(known).await.unwrap();
    let before = store.reads();
    let message = PublishMessage::new("m").group_id("g").deduplication_id("1");
    let published = topic.publish(message).await.is_ok();
    (before, published, poll(&queues[0], 10).await.len(), poll(&queues[1], 10).await.len())
}

#[test]
fn it1_a_read_that_fails_in_the_middle_of_a_publish_leaves_nothing_in_any_queue() {
    on_paused_time(Box::pin(async {
        let store = || FailingStorage::new(Arc::new(MemStorage::new()));
        let (reads, published, first, second) = publish_what_may_be_known(Arc::new(store())).await;
        assert_eq!((published, first, second), (true, 1, 1), "the second queue has that id already");
        let failing = store().fail_read(reads, Fault::Io);
        let (_, published, first, second) = publish_what_may_be_known(Arc::new(failing)).await;
        assert_eq!((published, first, second), (false, 0, 1), "the publish failed: nobody has it");
    }));
}

const ROW_BYTES_MAX: usize = 128 * 1024;

/// In its envelope a message of control characters is six times as large: no queue takes that, nor a dead-letter queue.
#[test]
fn it5_what_is_too_large_for_the_store_in_its_envelope_is_dropped_and_harms_nobody() {
    on_paused_time(Box::pin(async {
        let broker = Broker::open(Narrow(MemStorage::new(), ROW_BYTES_MAX)).await.unwrap();
        let topic = broker.topic("news").await.unwrap();
        let (raw, dead) = (broker.queue("raw").await.unwrap(), broker.queue("dead").await.unwrap());
        broker.queue("wrapped").await.unwrap();
        topic.subscribe(&raw).raw_delivery(true).await.unwrap();
        let wrapped = topic.subscribe(Endpoint::queue("wrapped")).dead_letter("dead").await.unwrap().id;
        let gone = topic.subscribe(Endpoint::queue("gone")).dead_letter("dead").await.unwrap().id;
        topic.publish("\u{1}".repeat(50_000)).await.unwrap();
        assert_eq!(take(&raw).await.body.len(), 50_000);
        assert!(poll(&dead, 1).await.is_empty());
        for id in [wrapped, gone] {
            assert_eq!(topic.subscription(id).await.unwrap().counters.dropped, 1);
        }
        topic.publish("small").await.unwrap();
        assert_eq!(take(&dead).await.dead_letter.unwrap().source, "news");
    }));
}

/// A queue and a topic may have the same name, and the same dead-letter queue.
async fn it5_a_dead_letter_of_a_topic_does_not_go_back_to_a_queue_of_that_name(world: World) {
    let broker = world.broker().await;
    let dead = broker.queue("dead").await.unwrap();
    let orders = broker.queue("orders").dead_letter("dead", 1).await.unwrap();
    let topic = broker.topic("orders").await.unwrap();
    topic.subscribe(Endpoint::queue("gone")).raw_delivery(true).dead_letter("dead").await.unwrap();
    topic.publish("of the topic").await.unwrap();
    let task = MoveTask::from("dead");
    let plan = broker.plan_move(&task).await.unwrap();
    assert_eq!((plan.matching, plan.stranded, plan.by_destination.len()), (1, 1, 0));
    broker.start_move_task(task).await.unwrap();
    for _ in 0..100 {
        settle_down().await;
    }
    let ended = broker.list_move_tasks("dead", 1).await.unwrap().remove(0);
    assert!(matches!(ended.status, MoveTaskStatus::Failed { .. }), "{ended:?}");
    assert!(poll(&orders, 1).await.is_empty());
    assert_eq!(take(&dead).await.text(), Ok("of the topic"));
}

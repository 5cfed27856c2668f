//! Listing queues and tagging them: rules Q9 and Q10.

use std::collections::BTreeMap;

use crate::support::{World, assert_invalid, refusal};

/// Q9.
async fn queues_are_listed_by_prefix_in_order(world: World) {
    let (broker, _) = world.queue().await;
    for name in ["b", "orders-dlq", "a", "Orders"] {
        broker.queue(name).await.unwrap();
    }
    assert_eq!(broker.list_queues(""), ["Orders", "a", "b", "orders", "orders-dlq"]);
    assert_eq!(broker.list_queues("orders"), ["orders", "orders-dlq"]);
    assert_eq!(broker.list_queues("orders-"), ["orders-dlq"]);
    assert_eq!(broker.list_queues("none"), [""; 0]);
    broker.delete_queue("a").await.unwrap();
    let (broker, _) = world.reopened(broker).await;
    assert_eq!(broker.list_queues(""), ["Orders", "b", "orders", "orders-dlq"]);
}

/// Q10.
async fn tags_are_added_overwritten_and_removed(world: World) {
    let broker = world.broker().await;
    let queue = broker.queue("orders").tag("team", "a").tag("empty", "").await.unwrap();
    let tags = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    };
    assert_eq!(queue.tags(), tags(&[("team", "a"), ("empty", "")]));
    queue.tag([("team", "b"), ("Team", "c")]).await.unwrap();
    assert_eq!(queue.tags(), tags(&[("team", "b"), ("Team", "c"), ("empty", "")]), "case matters");
    queue.untag(["empty", "missing", "TEAM"]).await.unwrap();
    let (_broker, queue) = world.reopened(broker).await;
    assert_eq!(queue.tags(), tags(&[("team", "b"), ("Team", "c")]));
    assert_eq!(queue.attributes().await.unwrap().tags, queue.tags());
    queue.untag(["team", "Team"]).await.unwrap();
    assert!(queue.tags().is_empty());
}

/// Q10. Tags are no settings: they do not move the time of the last change.
async fn tags_leave_the_time_of_the_last_change_alone(world: World) {
    let (_broker, queue) = world.queue().await;
    let before = queue.attributes().await.unwrap();
    crate::support::advance(crate::support::secs(1)).await;
    queue.tag([("a", "b")]).await.unwrap();
    assert_eq!(queue.attributes().await.unwrap().last_modified_at, before.last_modified_at);
}

/// Q10.
async fn a_queue_has_50_tags_at_most(world: World) {
    let (broker, queue) = world.queue().await;
    let many = |from: usize, to: usize| (from..to).map(|n| (n.to_string(), "v"));
    queue.tag(many(0, 50)).await.unwrap();
    queue.tag(many(0, 50)).await.expect("the same keys again are no more tags");
    let error = refusal(&queue, queue.tag(many(50, 51))).await;
    assert_invalid(&error, "tags", "51", "at most 50");
    let mut builder = broker.queue("other");
    for (key, value) in many(0, 51) {
        builder = builder.tag(key, value);
    }
    assert_invalid(&builder.await.unwrap_err(), "tags", "51", "at most 50");
    assert_eq!(broker.list_queues(""), ["orders"]);
}

/// Q10.
async fn tag_keys_and_values_have_a_length(world: World) {
    let (_broker, queue) = world.queue().await;
    queue.tag([("k".repeat(512), "v".repeat(1024))]).await.unwrap();
    let error = refusal(&queue, queue.tag([("good", "v"), ("", "v")])).await;
    assert_invalid(&error, "tag key", "", "1 to 512 bytes");
    let error = refusal(&queue, queue.tag([("k".repeat(513), "v")])).await;
    assert_invalid(&error, "tag key", &format!("{}…", "k".repeat(100)), "1 to 512 bytes");
    let error = refusal(&queue, queue.tag([("k", "v".repeat(1025))])).await;
    assert_invalid(&error, "tag value", &format!("{}…", "v".repeat(100)), "at most 1024 bytes");
}

everywhere! {
    queues_are_listed_by_prefix_in_order,
    tags_are_added_overwritten_and_removed,
    tags_leave_the_time_of_the_last_change_alone,
    a_queue_has_50_tags_at_most,
    tag_keys_and_values_have_a_length,
}

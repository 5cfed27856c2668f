//! Notes, which a program keeps beside its queues.

use crate::support::{World, assert_invalid};

/// Names and values of a listing.
async fn listed(broker: &broker_core::Broker, prefix: &str, after: Option<&str>, max: usize) -> Vec<String> {
    let notes = broker.notes(prefix, after, max).await.unwrap();
    notes.into_iter().map(|(name, value)| format!("{name}={}", String::from_utf8_lossy(&value))).collect()
}

async fn notes_are_kept_replaced_and_removed(world: World) {
    let (broker, _) = world.queue().await;
    broker.set_note("a", "1").await.unwrap();
    broker.set_note("a", "2").await.unwrap();
    broker.set_note("b", "").await.unwrap();
    broker.set_note("gone", "3").await.unwrap();
    broker.remove_note("gone").await.unwrap();
    broker.remove_note("missing").await.unwrap();
    let (broker, _queue) = world.reopened(broker).await;
    assert_eq!(broker.note("a").await.unwrap().as_deref(), Some(&b"2"[..]));
    assert_eq!(broker.note("b").await.unwrap().as_deref(), Some(&b""[..]));
    assert_eq!(broker.note("gone").await.unwrap(), None);
}

async fn notes_are_listed_by_prefix_page_by_page(world: World) {
    let broker = world.broker().await;
    for (name, value) in [("b", "0"), ("a/2", "2"), ("a/1", "1"), ("a/é", "3"), ("a", "4")] {
        broker.set_note(name, value).await.unwrap();
    }
    assert_eq!(listed(&broker, "", None, 1_000).await, ["a=4", "a/1=1", "a/2=2", "a/é=3", "b=0"]);
    assert_eq!(listed(&broker, "a/", None, 2).await, ["a/1=1", "a/2=2"]);
    assert_eq!(listed(&broker, "a/", Some("a/2"), 2).await, ["a/é=3"]);
    assert_eq!(listed(&broker, "a/", Some("a"), 1).await, ["a/1=1"]);
    assert_eq!(listed(&broker, "a/", Some("b"), 1).await, [""; 0]);
    assert_invalid(&broker.notes("", None, 1_001).await.unwrap_err(), "max", "1001", "1000");
}

async fn names_and_values_of_notes_have_a_length(world: World) {
    let broker = world.broker().await;
    let (name, value) = ("n".repeat(1_000), vec![7; 32 * 1024]);
    broker.set_note(&name, value.clone()).await.unwrap();
    assert_eq!(broker.note(&name).await.unwrap().as_deref(), Some(&value[..]));
    let too_long = broker.set_note("a", vec![7; 32 * 1024 + 1]).await.unwrap_err();
    assert_invalid(&too_long, "note", "32769 bytes", "32768");
    assert_invalid(&broker.set_note("", "1").await.unwrap_err(), "note name", "", "1 to 1000");
    assert_invalid(
        &broker.note(&"n".repeat(1_001)).await.unwrap_err(),
        "note name",
        &format!("{}…", "n".repeat(100)),
        "1 to 1000",
    );
}

everywhere! {
    notes_are_kept_replaced_and_removed,
    notes_are_listed_by_prefix_page_by_page,
    names_and_values_of_notes_have_a_length,
}

//! Stores whose topics are not what was written: an error that names the place, never a panic, and never a wrong filter
//! policy. IG1, IG3, IG10.

use broker_core::{
    Broker, Certainty, Endpoint, Error, Notification, PublishMessage, Replay, Timestamp,
    storage::{Batch, Durability, Page, Storage},
};
use broker_mem::MemStorage;

use crate::{support::settle_down, topic_support::fifo};

async fn open(store: &MemStorage) -> Result<Broker, Error> {
    Broker::builder(store.clone()).seed(7).open().await
}

/// A closed store with whatever topics store: a long policy, a backlog, an archive, ids, a replay.
async fn store() -> MemStorage {
    let store = MemStorage::new();
    let broker = open(&store).await.unwrap();
    let news = broker.topic("news").await.unwrap();
    let queue = broker.queue("q").await.unwrap();
    let long = format!(r#"{{"a": ["x"{}]}}"#, " ".repeat(150_000));
    news.subscribe(&queue).filter_attributes(long).dead_letter("dead").await.unwrap();
    news.subscribe(Endpoint::handler("h")).await.unwrap();
    news.publish("waits").await.unwrap();
    let trades = broker.topic("trades.fifo").fifo().archive_days(1).await.unwrap();
    let queue = broker.queue("q.fifo").fifo().await.unwrap();
    let id = trades.subscribe(&queue).await.unwrap().id;
    trades.publish(fifo("a1")).await.unwrap();
    trades.start_replay(id, Replay::from(Timestamp::from_millis(0))).await.unwrap();
    broker.close().await.unwrap();
    store
}

/// The same in a store of its own.
fn copy(store: &MemStorage) -> MemStorage {
    let (copy, mut batch) = (MemStorage::new(), Batch::new());
    for (key, value) in entries(store) {
        batch.put_meta(&key, &value);
    }
    for partition in 0..100 {
        for (seq, row) in store.rows(partition, 0..1_000, EVERYTHING).unwrap() {
            batch.put_row(partition, seq, row);
        }
    }
    copy.commit(&batch, Durability::Synced).unwrap();
    copy
}

const EVERYTHING: Page = Page { entries: usize::MAX, bytes: usize::MAX };

fn entries(store: &MemStorage) -> Vec<(Vec<u8>, Vec<u8>)> {
    let all = store.meta_range(&[0], &[u8::MAX], EVERYTHING).unwrap();
    all.into_iter().map(|(key, value)| (key.to_vec(), value.to_vec())).collect()
}

/// What a damaged value may be: cut, with a byte too many, with a byte that is another one here or there.
fn damaged(value: &[u8]) -> Vec<Vec<u8>> {
    let mut all = vec![Vec::new(), value[..value.len() / 2].to_vec(), [value, b"x"].concat()];
    let step = (value.len() / 150).max(1);
    for at in (0..value.len()).step_by(step) {
        for bits in [0x01, 0xff] {
            let mut flipped = value.to_vec();
            flipped[at] ^= bits;
            all.push(flipped);
        }
    }
    all
}

/// Does with a store what can be done; every call may fail, none may panic.
async fn use_it(broker: &Broker) {
    for name in broker.list_topics() {
        let Ok(topic) = broker.open_topic(&name).await else { continue };
        let message = PublishMessage::new("m").group_id("g");
        let message = if topic.is_fifo() { message.deduplication_id("a1") } else { message };
        let _ = topic.publish(message).await;
        for one in topic.subscriptions().await.unwrap() {
            if let Ok(attached) = topic.attach(one.id, |_: Notification| async {}).await {
                settle_down().await;
                drop(attached);
            }
        }
    }
    settle_down().await;
    let _ = broker.close().await;
}

/// Each entry that topics have, damaged in many ways.
#[tokio::test(start_paused = true)]
async fn ig10_no_damage_to_what_topics_store_makes_anything_panic() {
    let store = store().await;
    let (mut opened, mut refused) = (0, 0);
    for (key, value) in entries(&store).into_iter().filter(|(key, _)| b"pqru".contains(&key[0])) {
        for value in damaged(&value).into_iter().map(Some).chain([None]) {
            let copy = copy(&store);
            let mut batch = Batch::new();
            match value {
                Some(value) => batch.put_meta(&key, &value),
                None => batch.delete_meta(&key),
            }
            copy.commit(&batch, Durability::Synced).unwrap();
            match open(&copy).await {
                Ok(broker) => {
                    opened += 1;
                    use_it(&broker).await;
                }
                Err(error) => {
                    refused += 1;
                    assert_eq!(error.certainty(), Certainty::Corrupt, "{error}");
                    assert!(
                        error.to_string().chars().any(char::is_numeric) || error.to_string().contains('"')
                    );
                }
            }
        }
    }
    assert!(opened > 100 && refused > 100, "{opened} stores opened, {refused} were refused");
}

/// The middle of a long policy is all spaces: without it, it would still be a policy.
#[tokio::test(start_paused = true)]
async fn ig3_a_part_of_a_subscription_that_is_missing_is_told() {
    let store = store().await;
    let parts: Vec<_> = entries(&store).into_iter().filter(|(key, _)| key[0] == b'q').collect();
    let of_policy: Vec<_> = parts.iter().filter(|(key, _)| key[..17] == parts[0].0[..17]).collect();
    assert_eq!(of_policy.len(), 3, "the policy is in three parts");
    for (key, _) in of_policy {
        let copy = copy(&store);
        let mut batch = Batch::new();
        batch.delete_meta(key);
        copy.commit(&batch, Durability::Synced).unwrap();
        let error = open(&copy).await.map(drop).unwrap_err();
        assert_eq!(error.certainty(), Certainty::Corrupt);
        assert!(error.to_string().contains("subscription"), "{error}");
    }
}

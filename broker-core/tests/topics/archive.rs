//! The archive itself: how long it keeps what, what that costs, and what goes with it (N84, IG7).

use broker_core::{
    ArchivePolicy, Broker, Endpoint, Error, LocalTopic, Replay, ReplayStatus, Timestamp, TokioClock,
    TopicSettings,
    storage::{Batch, Durability, Storage},
};
use broker_mem::MemStorage;

use crate::{
    replay::{all, archive, ended, subscriber},
    store::{rows, settled},
    support::{World, advance, assert_invalid, ms, secs},
    topic_support::{bodies, fifo, numbered, publish_all, refused},
};

const DAY: u64 = 86_400;

async fn keep(topic: &LocalTopic, policy: ArchivePolicy) {
    let settings = TopicSettings { archive_policy: Some(policy), ..TopicSettings::new() };
    topic.set_attributes(settings).await.unwrap();
}

/// N84.
async fn what_cannot_be_replayed_is_refused(world: World) {
    let (broker, topic) = archive(&world).await;
    let (_, id) = subscriber(&broker, &topic, "q.fifo").await;
    let now = world.now();
    let at = |millis: i64| Timestamp::from_millis(now.as_millis().checked_add_signed(millis).unwrap());
    let until = |from, until| refused(topic.start_replay(id, Replay::from(from).until(until)));
    let shown = |time: Timestamp| format!("Some({time:?})");
    for (from, to) in [(at(-5), at(-5)), (at(-5), at(-6))] {
        assert_invalid(&until(from, to).await, "until", &shown(to), "later than the start");
    }
    assert_invalid(&until(at(-5), at(1)).await, "until", &shown(at(1)), "future");
    topic.start_replay(id, Replay::from(at(-5)).until(now)).await.unwrap();

    let plain = broker.topic("plain.fifo").fifo().await.unwrap();
    let standard = broker.topic("standard").await.unwrap();
    for topic in [plain, standard] {
        let id = topic.subscribe(Endpoint::queue("q")).await.unwrap().id;
        let error = refused(topic.start_replay(id, all())).await;
        let Error::InvalidState { name, reason } = error else { panic!("{error:?}") };
        assert_eq!((name.as_str(), reason.as_str()), (topic.name(), "the topic keeps no archive"));
        assert_eq!(topic.subscription(id).await.unwrap().replay, None);
        topic.stop_replay(id).await.unwrap();
    }
    topic.unsubscribe(id).await.unwrap();
    for error in [refused(topic.start_replay(id, all())).await, refused(topic.stop_replay(id)).await] {
        assert!(matches!(error, Error::SubscriptionDoesNotExist { id: of, .. } if of == id));
    }
}

/// N84.
async fn a_topic_with_an_archive_cannot_be_deleted(world: World) {
    let (broker, topic) = archive(&world).await;
    let error = refused(broker.delete_topic("a.fifo")).await;
    let Error::InvalidState { name, reason } = error else { panic!("{error:?}") };
    assert_eq!(name, "a.fifo");
    assert!(reason.contains("archive"), "{reason}");
    topic.publish(fifo("a1")).await.unwrap();
    let broker = world.open_again(broker).await;
    assert!(matches!(refused(broker.delete_topic("a.fifo")).await, Error::InvalidState { .. }));
    keep(&broker.open_topic("a.fifo").await.unwrap(), ArchivePolicy::None).await;
    broker.delete_topic("a.fifo").await.unwrap();
    assert!(broker.list_topics().is_empty());
}

/// N84: to the millisecond, although what is older may still be in the store.
async fn a_replay_gives_nothing_that_is_older_than_the_archive_keeps(world: World) {
    let (broker, topic) = archive(&world).await;
    publish_all(&topic, numbered("a", 0..2)).await;
    advance(secs(10)).await;
    publish_all(&topic, numbered("a", 2..4)).await;
    advance(ms(1_000 * (2 * DAY - 10) - 1)).await;
    let replayed = async |name: &str| {
        let (queue, id) = subscriber(&broker, &topic, name).await;
        topic.start_replay(id, all()).await.unwrap();
        assert_eq!(ended(&topic, id).await.status, ReplayStatus::Completed);
        bodies(&queue).await
    };
    assert_eq!(replayed("a.fifo").await, numbered("a", 0..4));
    advance(ms(1)).await;
    assert_eq!(replayed("b.fifo").await, numbered("a", 2..4));
    keep(&topic, ArchivePolicy::Days(1)).await;
    assert!(replayed("c.fifo").await.is_empty(), "a shorter time holds at once");
}

/// N84: what was published while there was no archive is in none.
async fn the_archive_begins_when_it_is_asked_for_and_ends_when_it_is_given_up(world: World) {
    let broker = world.broker().await;
    let topic = broker.topic("a.fifo").fifo().await.unwrap();
    publish_all(&topic, numbered("a", 0..3)).await;
    keep(&topic, ArchivePolicy::Days(9)).await;
    publish_all(&topic, numbered("a", 3..6)).await;
    let (queue, id) = subscriber(&broker, &topic, "q.fifo").await;
    topic.start_replay(id, all()).await.unwrap();
    ended(&topic, id).await;
    assert_eq!(bodies(&queue).await, numbered("a", 3..6));
    keep(&topic, ArchivePolicy::None).await;
    publish_all(&topic, numbered("a", 6..8)).await;
    assert_eq!(bodies(&queue).await, numbered("a", 6..8), "who had replayed gets what is published");
    // It is cleared in the background, but what was given up is gone at once.
    keep(&topic, ArchivePolicy::Days(9)).await;
    publish_all(&topic, numbered("a", 8..9)).await;
    topic.start_replay(id, all()).await.unwrap();
    ended(&topic, id).await;
    assert_eq!(bodies(&queue).await, ["a8", "a8"], "as published, and replayed");
}

everywhere! {
    what_cannot_be_replayed_is_refused,
    a_topic_with_an_archive_cannot_be_deleted,
    a_replay_gives_nothing_that_is_older_than_the_archive_keeps,
    the_archive_begins_when_it_is_asked_for_and_ends_when_it_is_given_up,
}

/// A topic on this store that keeps its messages for two days.
async fn on(store: &MemStorage, clock: &TokioClock) -> (Broker, LocalTopic) {
    let broker = Broker::builder(store.clone()).clock(clock.clone()).open().await.unwrap();
    let topic = broker.topic("a.fifo").fifo().archive_days(2).await.unwrap();
    (broker, topic)
}

/// N84, IG7: trimmed as the topic is published to, an hour late at most.
#[tokio::test(start_paused = true)]
async fn what_is_older_than_the_archive_keeps_is_gone_from_the_store() {
    let (store, clock) = (MemStorage::new(), TokioClock::new());
    let (broker, topic) = on(&store, &clock).await;
    publish_all(&topic, numbered("a", 0..1_500)).await;
    advance(secs(DAY)).await;
    publish_all(&topic, numbered("a", 1_500..1_600)).await;
    assert_eq!(rows(&store), 1_600);
    advance(secs(DAY + 3_601)).await;
    publish_all(&topic, numbered("a", 1_600..1_601)).await;
    settled(|| rows(&store) == 101, || format!("{} rows", rows(&store))).await;
    advance(secs(DAY)).await;
    broker.close().await.unwrap();
    drop((broker, topic));
    let (_broker, topic) = on(&store, &clock).await;
    publish_all(&topic, numbered("a", 1_601..1_602)).await;
    settled(|| rows(&store) == 2, || format!("{} rows", rows(&store))).await;
}

/// N84, IG7: also what a running replay has not got to, which ends then.
#[tokio::test(start_paused = true)]
async fn an_archive_that_is_given_up_is_gone_from_the_store() {
    let (store, clock) = (MemStorage::new(), TokioClock::new());
    let (broker, topic) = on(&store, &clock).await;
    publish_all(&topic, numbered("a", 0..1_500)).await;
    let id = topic.subscribe(Endpoint::queue("gone.fifo")).await.unwrap().id;
    topic.start_replay(id, all()).await.unwrap();
    keep(&topic, ArchivePolicy::None).await;
    settled(|| rows(&store) == 0, || format!("{} rows", rows(&store))).await;
    assert_eq!(ended(&topic, id).await.status, ReplayStatus::Completed);
    publish_all(&topic, numbered("a", 1_500..1_510)).await;
    assert_eq!(rows(&store), 0);
    drop(broker);
}

/// N84: `Failed` says why, delivers nothing, and another replay can be started.
#[tokio::test(start_paused = true)]
async fn a_replay_that_finds_damage_fails_and_says_where() {
    let (store, clock) = (MemStorage::new(), TokioClock::new());
    let (broker, topic) = on(&store, &clock).await;
    publish_all(&topic, numbered("a", 0..5)).await;
    let partition = (0..100).find(|partition| store.row(*partition, 2).unwrap().is_some()).unwrap();
    let row = store.row(partition, 2).unwrap().unwrap();
    let write = |value: bytes::Bytes| {
        let mut batch = Batch::new();
        batch.put_row(partition, 2, value);
        store.commit(&batch, Durability::Memory).unwrap();
    };
    write(row.slice(..row.len() / 2));
    let (queue, id) = subscriber(&broker, &topic, "q.fifo").await;
    topic.start_replay(id, all()).await.unwrap();
    let ReplayStatus::Failed(reason) = ended(&topic, id).await.status else { panic!("it has failed") };
    assert!(reason.contains(&format!("partition {partition}")) && reason.contains("damaged"), "{reason}");
    publish_all(&topic, numbered("a", 5..7)).await;
    assert!(bodies(&queue).await.is_empty());
    write(row);
    topic.start_replay(id, all()).await.unwrap();
    assert_eq!(ended(&topic, id).await.status, ReplayStatus::Completed);
    assert_eq!(bodies(&queue).await, numbered("a", 0..7));
}

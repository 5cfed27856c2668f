//! A look at a whole store: all that there is is counted, and damage and what belongs to nothing is named.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::time::Duration;

use broker_core::{
    Broker, Endpoint, ManualClock, PublishMessage, PutRecord, ReceiveOptions, SendMessage, StartingPosition,
    StreamQueueSettings, Timestamp,
    storage::{Batch, Durability, Page, Storage, verify},
};
use broker_mem::MemStorage;

/// One of everything, in use.
async fn store() -> MemStorage {
    let store = MemStorage::new();
    let broker = Broker::builder(store.clone()).seed(3).open().await.unwrap();
    let orders = broker.queue("orders").await.unwrap();
    for number in 0..5 {
        orders.send(format!("order {number}")).await.unwrap();
    }
    orders.send(SendMessage::new("later").delay(Duration::from_secs(60))).await.unwrap();
    let got = orders.receive(ReceiveOptions::up_to(2)).await.unwrap();
    orders.delete(got[0].receipt).await.unwrap();
    let line = broker.queue("line.fifo").fifo().await.unwrap();
    line.send(SendMessage::new("a").group_id("g").deduplication_id("a")).await.unwrap();
    let news = broker.topic("news").await.unwrap();
    news.subscribe(&orders).await.unwrap();
    news.subscribe(Endpoint::handler("audit")).await.unwrap();
    news.publish(PublishMessage::new("told")).await.unwrap();
    let clicks = broker.stream("clicks").shards(2).await.unwrap();
    for key in ["k", "l", "m"] {
        clicks.put(PutRecord::new(key, "click")).await.unwrap();
    }
    let settings = StreamQueueSettings::default();
    let work = clicks.queue("work", StartingPosition::TrimHorizon, &settings).await.unwrap();
    work.receive(ReceiveOptions::up_to(1)).await.unwrap();
    drop(clicks.consumer("billing").start(StartingPosition::TrimHorizon).await.unwrap());
    let totals = broker.space("totals").await.unwrap();
    totals.put("sum", "1").await.unwrap();
    // What was deleted and purged belongs to nothing, and is no problem.
    broker.queue("gone").await.unwrap().send("x").await.unwrap();
    broker.delete_queue("gone").await.unwrap();
    line.purge().await.unwrap();
    broker.close().await.unwrap();
    store
}

fn change(store: &MemStorage, fill: impl FnOnce(&mut Batch)) {
    let mut batch = Batch::new();
    fill(&mut batch);
    store.commit(&batch, Durability::Synced).unwrap();
}

// IG3
#[tokio::test(start_paused = true)]
async fn all_that_there_is_is_counted_and_nothing_is_wrong() {
    let report = verify(&store().await).unwrap();
    assert_eq!(report.problems, []);
    assert_eq!((report.queues, report.topics, report.streams, report.spaces), (2, 1, 1, 1));
    assert_eq!((report.records, report.user_keys), (3, 1));
    // Four orders, one that is delayed, one that was published, a copy of that in the backlog; and what the queue on the stream
    // has pulled.
    assert!(report.messages >= 8, "{report:?}");
    assert_eq!(verify(&MemStorage::new()).unwrap(), broker_core::storage::StoreReport::default());
}

// IG3
#[tokio::test(start_paused = true)]
async fn every_row_that_is_cut_or_missing_is_named() {
    let store = store().await;
    let all = Page { entries: usize::MAX, bytes: usize::MAX };
    let mut tried = 0;
    for partition in 0_u64..40 {
        // What is left of a queue that was deleted or purged belongs to nobody, and is being cleared.
        if store.meta(&[b"g".as_slice(), &partition.to_be_bytes()].concat()).unwrap().is_some() {
            continue;
        }
        for (seq, row) in store.rows(partition, 0..u64::MAX, all).unwrap() {
            change(&store, |batch| batch.delete_row(partition, seq));
            let missing = verify(&store).unwrap();
            // A row that has no head any more.
            change(&store, |batch| batch.put_row(partition, seq, row.slice(..1)));
            let cut = verify(&store).unwrap();
            change(&store, |batch| batch.delete_row(partition, seq));
            change(&store, |batch| batch.put_row(partition, seq, row));
            assert_eq!(missing.problems.len(), 1, "{partition}/{seq}: {missing:?}");
            let place = format!("row {seq} of partition {partition}");
            assert_eq!(cut.problems.len(), 1, "{cut:?}");
            assert_eq!(cut.problems[0].place, place);
            tried += 1;
        }
    }
    assert!(tried > 8, "{tried} rows");
}

// IG3
#[tokio::test(start_paused = true)]
async fn every_key_that_is_cut_or_missing_harms_nothing_but_the_report() {
    let store = store().await;
    let all = Page { entries: usize::MAX, bytes: usize::MAX };
    let mut named = 0;
    for (key, value) in store.meta_range(&[0], &[255], all).unwrap() {
        for cut in [None, Some(&value[..value.len() / 2])] {
            change(&store, |batch| match cut {
                None => batch.delete_meta(&key),
                Some(cut) => batch.put_meta(&key, cut),
            });
            let before = store.meta_range(&[0], &[255], all).unwrap();
            named += usize::from(!verify(&store).unwrap().problems.is_empty());
            assert_eq!(store.meta_range(&[0], &[255], all).unwrap(), before, "it changes nothing");
            change(&store, |batch| batch.put_meta(&key, &value));
        }
    }
    assert!(named > 20, "{named} were named");
    // A lease of a partition that there is not.
    change(&store, |batch| batch.put_meta(&[b"s".as_slice(), &[7; 16]].concat(), b"x"));
    let report = verify(&store).unwrap();
    assert!(report.problems.iter().any(|it| it.detail.contains("which is not there")), "{report:?}");
}

// IG3
#[tokio::test(start_paused = true)]
async fn what_lies_behind_the_end_of_a_queue_is_named() {
    let store = store().await;
    let all = Page { entries: usize::MAX, bytes: usize::MAX };
    // The first partition with several rows is that of the orders.
    let rows = |partition: u64| store.rows(partition, 0..u64::MAX, all).unwrap();
    let orders = (0..40).find(|partition| rows(*partition).len() > 4).unwrap();
    let (last, row) = rows(orders).pop().unwrap();
    change(&store, |batch| batch.put_row(orders, last + 100, row));
    let report = verify(&store).unwrap();
    let told: Vec<_> = report.problems.iter().map(ToString::to_string).collect();
    assert_eq!(told, ["queue \"orders\": has messages behind its end"]);
}

// IG3
#[tokio::test(start_paused = true)]
async fn short_keys_are_named_and_a_report_does_not_grow_without_end() {
    let store = store().await;
    for number in 0_u16..1_005 {
        change(&store, |batch| batch.put_meta(&[b"s".as_slice(), &number.to_be_bytes()].concat(), b""));
    }
    let report = verify(&store).unwrap();
    assert_eq!((report.problems.len(), report.problems_more), (1_000, 5));
    assert!(
        report.problems.iter().all(|problem| problem.detail == "is too short"),
        "{:?}",
        report.problems[0]
    );
}

/// A store with nothing but a topic with a backlog, or a stream, in use.
async fn alone(topic: bool, clock: ManualClock) -> MemStorage {
    let store = MemStorage::new();
    let broker = Broker::builder(store.clone()).clock(clock).open().await.unwrap();
    if topic {
        let news = broker.topic("news").await.unwrap();
        news.subscribe(Endpoint::handler("audit")).await.unwrap();
        news.publish(PublishMessage::new("told")).await.unwrap();
    } else {
        broker.stream("clicks").await.unwrap().put(PutRecord::new("k", "click")).await.unwrap();
    }
    broker.close().await.unwrap();
    store
}

/// IG10, IG3: each id of a topic, of a stream and of what belongs to them was given out.
#[tokio::test(start_paused = true)]
async fn a_store_whose_next_id_is_in_use_is_refused() {
    for (topic, place) in [(true, "topic \"news\""), (false, "stream \"clicks\"")] {
        let store = alone(topic, ManualClock::new(50_000_000)).await;
        let next = u64::from_le_bytes(store.meta(b"i").unwrap().unwrap()[..].try_into().unwrap());
        for lower in 1..next {
            let mut batch = Batch::new();
            batch.put_meta(b"i", &lower.to_le_bytes());
            store.commit(&batch, Durability::Synced).unwrap();
            let error = Broker::builder(store.clone()).open().await.map(drop).unwrap_err();
            assert!(error.to_string().contains(place), "{lower} of {next}: {error}");
        }
    }
}

/// IF5: the broker's time goes on from the newest that is stored, whatever it is stored with.
#[tokio::test(start_paused = true)]
async fn time_goes_on_from_that_of_topics_and_streams() {
    for topic in [true, false] {
        let clock = ManualClock::new(50_000_000);
        let store = alone(topic, clock.clone()).await;
        clock.set(Timestamp::from_millis(40_000_000));
        let broker = Broker::builder(store).clock(clock).open().await.unwrap();
        let queue = broker.queue("q").await.unwrap();
        queue.send("m").await.unwrap();
        let got = queue.receive(ReceiveOptions::up_to(1)).await.unwrap();
        assert!(got[0].sent_at.as_millis() >= 50_000_000, "{:?}", got[0].sent_at);
    }
}

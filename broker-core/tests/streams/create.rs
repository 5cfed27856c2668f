//! Streams: names, creation, deletion, what they say of themselves, modes. K1, K10, K11, K12, K60, K61, K90.

use std::{collections::BTreeMap, time::Duration};

use broker_core::{
    Error, PutRecord, ShardFilter, ShardId, StartingPosition, StreamMode, StreamSettings,
    storage::{Durability, Page, Storage},
};
use broker_mem::MemStorage;

use crate::{
    ground::{HALF, assert_refused, put, put_numbers, reopened, stream},
    support::{World, secs},
};

everywhere! {
    k1_names_have_1_to_128_letters_digits_dots_underscores_and_hyphens,
    k1_a_stream_that_is_not_there_is_named,
    k10_a_name_is_taken_once,
    k10_a_stream_has_four_shards_by_default_and_one_at_least,
    k11_a_deleted_stream_is_gone_for_all_its_handles,
    k11_a_stream_of_the_same_name_has_nothing_of_the_old_one,
    k12_a_new_stream_has_the_defaults_of_kinesis,
    k12_settings_and_tags_outlive_a_restart,
    k60_the_mode_can_be_changed,
    k61_an_on_demand_stream_decides_on_its_shards_itself,
}

async fn k1_names_have_1_to_128_letters_digits_dots_underscores_and_hyphens(world: World) {
    let broker = world.broker().await;
    for name in ["a", "A-z_0.9", &"x".repeat(128), ".", "clicks.fifo"] {
        broker.create_stream(name, Some(1), &StreamSettings::new(), &BTreeMap::new()).await.unwrap();
    }
    let before = broker.list_streams();
    for name in ["", &"x".repeat(129), "a b", "ä", "a/b", "a\0", &"y".repeat(1_000_000)] {
        let made = broker.create_stream(name, Some(1), &StreamSettings::new(), &BTreeMap::new()).await;
        assert_refused(made, "name");
    }
    assert_eq!(broker.list_streams(), before, "nothing was made");
    assert!(before.is_sorted() && before.len() == 5);
}

async fn k1_a_stream_that_is_not_there_is_named(world: World) {
    let broker = world.broker().await;
    let missing = |error| matches!(error, Error::StreamDoesNotExist { name } if name == "none");
    assert!(missing(broker.open_stream("none").await.unwrap_err()));
    assert!(missing(broker.delete_stream("none").await.unwrap_err()));
    // A queue of this name is none.
    broker.queue("none").await.unwrap();
    assert!(missing(broker.open_stream("none").await.unwrap_err()));
}

async fn k10_a_name_is_taken_once(world: World) {
    let (broker, clicks) = stream(&world, 2).await;
    let again = broker.create_stream("clicks", None, &StreamSettings::new(), &BTreeMap::new()).await;
    assert!(matches!(again, Err(Error::StreamExists { name }) if name == "clicks"));
    // The builder opens what there is, whatever it is given.
    let same = broker.stream("clicks").shards(7).retention(secs(100_000)).await.unwrap();
    assert_eq!(same.attributes().await.unwrap(), clicks.attributes().await.unwrap());
    put(&same, "k", "x").await;
    assert_eq!(clicks.traffic().await.unwrap()[0].records, 1);
}

async fn k10_a_stream_has_four_shards_by_default_and_one_at_least(world: World) {
    let broker = world.broker().await;
    let shards = async |name: &str| {
        broker.open_stream(name).await.unwrap().shards(ShardFilter::AtLatest).await.unwrap().len()
    };
    broker.stream("default").await.unwrap();
    broker.stream("on-demand").mode(StreamMode::OnDemand).await.unwrap();
    broker.stream("one").shards(1).await.unwrap();
    assert_eq!([shards("default").await, shards("on-demand").await, shards("one").await], [4, 4, 1]);
    for count in [0, 10_001, u32::MAX] {
        assert_refused(broker.stream("bad").shards(count).await, "shards");
    }
    assert_refused(broker.stream("bad").shards(4).mode(StreamMode::OnDemand).await, "shards");
    assert_eq!(broker.list_streams(), ["default", "on-demand", "one"]);
}

async fn k11_a_deleted_stream_is_gone_for_all_its_handles(world: World) {
    let (broker, clicks) = stream(&world, 1).await;
    put(&clicks, "k", "x").await;
    let iterator = clicks.iterator(ShardId(0), StartingPosition::TrimHorizon).await.unwrap();
    broker.delete_stream("clicks").await.unwrap();
    let gone = |error: Error| assert!(matches!(error, Error::StreamDoesNotExist { .. }), "{error}");
    gone(clicks.put(PutRecord::new("k", "x")).await.unwrap_err());
    gone(clicks.put_batch(vec![PutRecord::new("k", "x")]).await.unwrap_err());
    gone(clicks.read(&iterator, 1).await.unwrap_err());
    gone(clicks.iterator(ShardId(0), StartingPosition::Latest).await.unwrap_err());
    gone(clicks.shards(ShardFilter::AtLatest).await.unwrap_err());
    gone(clicks.split_shard(ShardId(0), HALF).await.unwrap_err());
    gone(clicks.update_shard_count(2).await.unwrap_err());
    gone(clicks.attributes().await.unwrap_err());
    gone(clicks.set_attributes(StreamSettings::new()).await.unwrap_err());
    gone(clicks.tag([("a", "b")]).await.unwrap_err());
    gone(broker.open_stream("clicks").await.unwrap_err());
    gone(broker.delete_stream("clicks").await.unwrap_err());
    broker.close().await.unwrap();
    drop((broker, clicks));
    let broker = world.broker().await;
    assert!(broker.list_streams().is_empty(), "and stays gone");
}

async fn k11_a_stream_of_the_same_name_has_nothing_of_the_old_one(world: World) {
    let (broker, old) = stream(&world, 1).await;
    put_numbers(&old, 0, 0..10).await;
    let iterator = old.iterator(ShardId(0), StartingPosition::TrimHorizon).await.unwrap();
    broker.delete_stream("clicks").await.unwrap();
    let new = broker.stream("clicks").shards(1).await.unwrap();
    assert_refused(new.read(&iterator, 1).await, "iterator");
    let from = new.iterator(ShardId(0), StartingPosition::TrimHorizon).await.unwrap();
    assert!(new.read(&from, 10).await.unwrap().records.is_empty());
    assert!(matches!(old.put(PutRecord::new("k", "x")).await, Err(Error::StreamDoesNotExist { .. })));
    put(&new, "k", "new").await;
    assert_eq!(new.read(&from, 10).await.unwrap().records.len(), 1);
}

async fn k12_a_new_stream_has_the_defaults_of_kinesis(world: World) {
    let (_broker, clicks) = stream(&world, 3).await;
    let seen = clicks.attributes().await.unwrap();
    assert_eq!(seen.name, "clicks");
    assert_eq!(seen.retention, secs(24 * 3_600));
    assert_eq!(seen.max_record_size, 1024 * 1024);
    assert_eq!(seen.durability, Durability::Synced);
    assert_eq!((seen.mode, seen.throttled, seen.open_shards), (StreamMode::Provisioned, false, 3));
    assert_eq!(seen.created_at, world.now());
    assert!(seen.tags.is_empty());
}

async fn k12_settings_and_tags_outlive_a_restart(world: World) {
    let broker = world.broker().await;
    let made = broker.stream("clicks").shards(1).tag("team", "web").throttled();
    let clicks = made.durability(Durability::Buffered).await.unwrap();
    clicks
        .set_attributes(StreamSettings { retention: Some(secs(200_000)), ..Default::default() })
        .await
        .unwrap();
    let size = StreamSettings { max_record_size: Some(2 << 20), ..Default::default() };
    clicks.set_attributes(size).await.unwrap();
    clicks.tag([("team", "app"), ("cost", "7"), ("old", "")]).await.unwrap();
    clicks.untag(["old", "never"]).await.unwrap();
    let before = clicks.attributes().await.unwrap();
    assert_eq!((before.retention, before.max_record_size), (secs(200_000), 2 << 20));
    assert!(before.throttled);
    assert_eq!(
        clicks.tags(),
        BTreeMap::from([("cost", "7"), ("team", "app")].map(|(k, v)| (k.into(), v.into())))
    );
    let (_broker, clicks) = reopened(&world, broker).await;
    assert_eq!(clicks.attributes().await.unwrap(), before);
    let fifty = (0..49).map(|n| (format!("t{n}"), "x"));
    assert!(clicks.tag(fifty).await.is_err(), "51 tags are too many");
    assert_eq!(clicks.attributes().await.unwrap(), before, "and none of them is there");
}

async fn k60_the_mode_can_be_changed(world: World) {
    let (broker, clicks) = stream(&world, 1).await;
    let mode = |mode| StreamSettings { mode: Some(mode), ..Default::default() };
    clicks.set_attributes(mode(StreamMode::OnDemand)).await.unwrap();
    let (_broker, clicks) = reopened(&world, broker).await;
    assert_eq!(clicks.attributes().await.unwrap().mode, StreamMode::OnDemand);
    assert!(clicks.split_shard(ShardId(0), HALF).await.is_err());
    put(&clicks, "k", "x").await;
    clicks.set_attributes(mode(StreamMode::Provisioned)).await.unwrap();
    clicks.split_shard(ShardId(0), HALF).await.unwrap();
}

async fn k61_an_on_demand_stream_decides_on_its_shards_itself(world: World) {
    let broker = world.broker().await;
    let clicks = broker.stream("clicks").mode(StreamMode::OnDemand).await.unwrap();
    let before = clicks.shards(ShardFilter::FromTrimHorizon).await.unwrap();
    let refused = |error: Error| {
        assert!(matches!(&error, Error::InvalidState { name, .. } if name == "clicks"), "{error}");
        assert!(!error.to_string().contains("topic"), "{error}");
    };
    refused(clicks.split_shard(ShardId(0), 1 << 100).await.unwrap_err());
    refused(clicks.merge_shards(ShardId(0), ShardId(1)).await.unwrap_err());
    refused(clicks.update_shard_count(8).await.unwrap_err());
    assert_eq!(clicks.shards(ShardFilter::FromTrimHorizon).await.unwrap(), before);
}

/// The space of a deleted stream is given back, all of it.
#[tokio::test(start_paused = true)]
async fn k11_nothing_of_a_deleted_stream_is_left_in_the_store() {
    let all = Page { entries: 100_000, bytes: usize::MAX };
    let store = MemStorage::new();
    let broker = broker_core::Broker::builder(store.clone()).seed(7).open().await.unwrap();
    let meta = |store: &MemStorage| store.meta_range(&[0], &[255], all).unwrap();
    broker.stream("first").shards(1).await.unwrap();
    broker.delete_stream("first").await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let empty: Vec<_> = meta(&store).into_iter().map(|(key, _)| key).collect();
    let clicks = broker.stream("clicks").shards(2).await.unwrap();
    for n in 0..5 {
        put_numbers(&clicks, 0, n * 500..n * 500 + 500).await;
    }
    clicks.split_shard(ShardId(0), HALF / 2).await.unwrap();
    put_numbers(&clicks, 0, 0..5).await;
    let rows = |store: &MemStorage| -> usize {
        (0..40).map(|partition| store.rows(partition, 0..u64::MAX, all).unwrap().len()).sum()
    };
    assert_eq!(rows(&store), 2_505);
    broker.delete_stream("clicks").await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(rows(&store), 0);
    assert_eq!(meta(&store).into_iter().map(|(key, _)| key).collect::<Vec<_>>(), empty);
}

//! Work queues over a stream (section D10).

use std::{collections::BTreeSet, time::Duration};

use broker_core::{
    DeadLetterTarget, Deleted, Error, LocalStream, PutRecord, ReceiveOptions, ShardId, StartingPosition,
    StreamMessage, StreamQueue, StreamQueueSettings, StreamSettings,
};

use crate::support::{World, secs};

everywhere! {
    d10_a_queue_gives_out_the_records_of_a_stream_until_they_are_acknowledged,
    d10_a_record_that_is_received_too_often_becomes_a_dead_letter_and_can_be_restored,
    d10_queues_know_nothing_of_each_other_and_begin_where_they_are_told,
    d10_settings_can_be_changed_and_outlive_a_restart,
    d10_a_receive_waits_for_a_record,
    d10_a_record_leaves_the_queue_when_it_leaves_the_stream,
    k11_a_stream_with_queues_is_not_deleted,
}

async fn put(stream: &LocalStream, range: std::ops::Range<usize>) {
    for n in range {
        stream.put(PutRecord::new(format!("k{}", n % 11), n.to_string())).await.unwrap();
    }
}

fn number(message: &StreamMessage) -> usize {
    std::str::from_utf8(&message.data).unwrap().parse().unwrap()
}

fn at_once(max: usize) -> ReceiveOptions {
    ReceiveOptions::up_to(max).wait_time(Duration::ZERO)
}

async fn drain(queue: &StreamQueue) -> BTreeSet<usize> {
    let mut got = BTreeSet::new();
    loop {
        let some = queue.receive(at_once(10)).await.unwrap();
        if some.is_empty() {
            return got;
        }
        for message in some {
            assert!(got.insert(number(&message)), "{} came twice", number(&message));
            assert_eq!(queue.acknowledge(message.receipt).await.unwrap(), Deleted::Gone);
        }
    }
}

async fn d10_a_queue_gives_out_the_records_of_a_stream_until_they_are_acknowledged(world: World) {
    let broker = world.broker().await;
    let clicks = broker.stream("clicks").shards(3).await.unwrap();
    let settings = StreamQueueSettings::default();
    let work = clicks.queue("work", StartingPosition::TrimHorizon, &settings).await.unwrap();
    put(&clicks, 0..120).await;
    assert_eq!(work.counters().await.unwrap().behind, 120);
    let first = work.receive(at_once(10)).await.unwrap();
    assert_eq!(first.len(), 10);
    let kept = &first[0];
    for done in &first[1..] {
        work.acknowledge(done.receipt).await.unwrap();
    }
    broker.close().await.unwrap();
    drop((broker, work));
    let broker = world.broker().await;
    let clicks = broker.open_stream("clicks").await.unwrap();
    let work = clicks.queue("work", StartingPosition::Latest, &settings).await.unwrap();
    clicks.split_shard(ShardId(0), 5).await.unwrap();
    put(&clicks, 120..130).await;
    let rest = drain(&work).await;
    assert_eq!(rest.len(), 120, "all but those that are in flight or done");
    tokio::time::sleep(secs(31)).await;
    let again = work.receive(at_once(10)).await.unwrap();
    assert_eq!((again.len(), again[0].record, again[0].receive_count), (1, kept.record, 2));
    assert_eq!((&again[0].data, &again[0].partition_key), (&kept.data, &kept.partition_key));
    // The old receipt is of an older delivery.
    assert_eq!(work.acknowledge(kept.receipt).await.unwrap(), Deleted::Stale);
    work.acknowledge(again[0].receipt).await.unwrap();
    let counters = work.counters().await.unwrap();
    assert_eq!((counters.visible, counters.in_flight, counters.behind, counters.dead), (0, 0, 0, 0));
}

async fn d10_a_record_that_is_received_too_often_becomes_a_dead_letter_and_can_be_restored(world: World) {
    let broker = world.broker().await;
    let clicks = broker.stream("clicks").shards(1).await.unwrap();
    let settings = StreamQueueSettings {
        dead_letter: DeadLetterTarget::BuiltIn { max_receive_count: 2 },
        ..StreamQueueSettings::default()
    };
    let work = clicks.queue("work", StartingPosition::TrimHorizon, &settings).await.unwrap();
    put(&clicks, 0..1).await;
    for count in 1..=2 {
        let got = work.receive(at_once(1).visibility_timeout(secs(1))).await.unwrap();
        assert_eq!(got[0].receive_count, count);
        tokio::time::sleep(secs(2)).await;
    }
    assert!(work.receive(at_once(1)).await.unwrap().is_empty());
    assert_eq!(work.counters().await.unwrap().dead, 1);
    broker.close().await.unwrap();
    drop((broker, work));
    let broker = world.broker().await;
    let clicks = broker.open_stream("clicks").await.unwrap();
    assert_eq!(broker.list_queues(""), Vec::<String>::new(), "its internal queues are nobody else's");
    let work = clicks.queue("work", StartingPosition::TrimHorizon, &settings).await.unwrap();
    let dead = work.receive_dead_letters(at_once(10)).await.unwrap();
    assert_eq!((dead.len(), number(&dead[0])), (1, 0));
    assert_eq!(work.restore_dead_letter(dead[0].receipt).await.unwrap(), Deleted::Gone);
    assert_eq!(work.restore_dead_letter(dead[0].receipt).await.unwrap(), Deleted::Gone);
    let again = work.receive(at_once(10)).await.unwrap();
    assert_eq!((again.len(), again[0].receive_count, number(&again[0])), (1, 1, 0));
    assert_eq!(work.counters().await.unwrap().dead, 0);
}

async fn d10_settings_can_be_changed_and_outlive_a_restart(world: World) {
    let broker = world.broker().await;
    let clicks = broker.stream("clicks").shards(1).await.unwrap();
    let made_at = world.now();
    assert!(clicks.open_queue("work").is_none());
    let defaults = StreamQueueSettings::default();
    let work = clicks.queue("work", StartingPosition::TrimHorizon, &defaults).await.unwrap();
    assert_eq!(work.settings().await.unwrap(), (defaults, made_at));
    let once = DeadLetterTarget::BuiltIn { max_receive_count: 1 };
    let changed = StreamQueueSettings { visibility_timeout: secs(3), dead_letter: once };
    work.set_settings(&changed).await.unwrap();
    let bad = StreamQueueSettings { visibility_timeout: secs(43_201), ..changed.clone() };
    assert!(matches!(work.set_settings(&bad).await, Err(Error::InvalidParameter { .. })));
    broker.close().await.unwrap();
    drop((broker, work));
    let broker = world.broker().await;
    let clicks = broker.open_stream("clicks").await.unwrap();
    let work = clicks.open_queue("work").unwrap();
    assert_eq!(work.settings().await.unwrap(), (changed, made_at));
    put(&clicks, 0..1).await;
    assert_eq!(work.receive(at_once(1)).await.unwrap().len(), 1);
    tokio::time::sleep(secs(4)).await;
    assert!(work.receive(at_once(1)).await.unwrap().is_empty());
    assert_eq!(work.receive_dead_letters(at_once(1)).await.unwrap().len(), 1);
}

async fn d10_queues_know_nothing_of_each_other_and_begin_where_they_are_told(world: World) {
    let broker = world.broker().await;
    let clicks = broker.stream("clicks").shards(2).await.unwrap();
    put(&clicks, 0..5).await;
    tokio::time::sleep(secs(10)).await;
    let time = world.now();
    put(&clicks, 5..10).await;
    let settings = StreamQueueSettings::default();
    let all = clicks.queue("all", StartingPosition::TrimHorizon, &settings).await.unwrap();
    let late = clicks.queue("late", StartingPosition::Latest, &settings).await.unwrap();
    let since = clicks.queue("since", StartingPosition::AtTimestamp(time), &settings).await.unwrap();
    put(&clicks, 10..15).await;
    assert_eq!(drain(&all).await, (0..15).collect());
    assert_eq!(drain(&late).await, (10..15).collect());
    assert_eq!(drain(&since).await, (5..15).collect());
    assert_eq!(clicks.queues(), ["all", "late", "since"]);
}

async fn d10_a_receive_waits_for_a_record(world: World) {
    let broker = world.broker().await;
    let clicks = broker.stream("clicks").shards(2).await.unwrap();
    let settings = StreamQueueSettings::default();
    let work = clicks.queue("work", StartingPosition::Latest, &settings).await.unwrap();
    let start = world.now();
    assert!(work.receive(ReceiveOptions::up_to(1)).await.unwrap().is_empty());
    assert_eq!(world.now().since(start), secs(9), "the default wait");
    let waiting = tokio::spawn({
        let work = work.clone();
        async move { work.receive(ReceiveOptions::up_to(1).wait_time(secs(20))).await.unwrap() }
    });
    tokio::time::sleep(secs(15)).await;
    put(&clicks, 0..1).await;
    let got = waiting.await.unwrap();
    assert_eq!((number(&got[0]), world.now().since(start).as_secs()), (0, 24));
    // One that comes back is waited for as well.
    let waited = work.receive(ReceiveOptions::up_to(1).wait_time(secs(20))).await.unwrap();
    assert!(waited.is_empty());
    let waited = work.receive(ReceiveOptions::up_to(1).wait_time(secs(20))).await.unwrap();
    assert_eq!(waited[0].receive_count, 2);
}

async fn d10_a_record_leaves_the_queue_when_it_leaves_the_stream(world: World) {
    let broker = world.broker().await;
    let clicks = broker.stream("clicks").shards(1).await.unwrap();
    let settings = StreamQueueSettings::default();
    let work = clicks.queue("work", StartingPosition::TrimHorizon, &settings).await.unwrap();
    put(&clicks, 0..2).await;
    assert_eq!(work.receive(at_once(1).visibility_timeout(secs(1))).await.unwrap().len(), 1);
    tokio::time::sleep(secs(25 * 3_600)).await;
    assert!(work.receive(at_once(10)).await.unwrap().is_empty());
    let longer = StreamSettings { retention: Some(secs(48 * 3_600)), ..StreamSettings::new() };
    clicks.set_attributes(longer).await.unwrap();
    put(&clicks, 2..3).await;
    tokio::time::sleep(secs(40 * 3_600)).await;
    assert_eq!(drain(&work).await, [2].into());
}

async fn k11_a_stream_with_queues_is_not_deleted(world: World) {
    let broker = world.broker().await;
    let clicks = broker.stream("clicks").shards(1).await.unwrap();
    let settings = StreamQueueSettings::default();
    let work = clicks.queue("work", StartingPosition::TrimHorizon, &settings).await.unwrap();
    put(&clicks, 0..2).await;
    work.receive(at_once(1)).await.unwrap();
    assert!(matches!(broker.delete_stream("clicks").await, Err(Error::InvalidState { .. })));
    clicks.delete_queue("work").await.unwrap();
    assert!(matches!(work.receive(at_once(1)).await, Err(Error::QueueDoesNotExist { .. })));
    broker.delete_stream("clicks").await.unwrap();
    assert!(broker.list_streams().is_empty());
}

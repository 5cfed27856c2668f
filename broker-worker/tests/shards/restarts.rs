//! Where a mapping begins, and where it goes on. L34, L80, L81.

use broker_core::{Broker, PutRecord, StartingPosition, Timestamp};
use broker_mem::MemStorage;
use broker_worker::stream::{RecordBatch, StreamMapping};

use crate::support::{World, secs};

/// What a function that begins there gets of records put at 0, 10 and 20 s, and one put after its start.
async fn begun(at: impl Fn(&[Timestamp]) -> StartingPosition) -> String {
    let world = World::new(1).await;
    let mut times = Vec::new();
    for letter in ["a", "b", "c"] {
        world.put("k", letter).await;
        let reader = world.stream.reader(broker_core::ShardId(0), StartingPosition::TrimHorizon).await;
        let mut reader = reader.unwrap();
        let mut last = None;
        for _ in 0..=times.len() {
            last = reader.next().await.unwrap();
        }
        times.push(last.unwrap().arrived_at);
        tokio::time::sleep(secs(10)).await;
    }
    let _running = world.working().starting_position(at(&times)).start().await.unwrap();
    world.put("k", "d").await;
    tokio::time::sleep(secs(1)).await;
    world.texts().concat()
}

// L80, L81
#[tokio::test(start_paused = true)]
async fn a_mapping_begins_at_the_horizon_at_the_end_or_at_a_time() {
    assert_eq!(begun(|_| StartingPosition::TrimHorizon).await, "abcd");
    // What is put after the start has returned is not missed.
    assert_eq!(begun(|_| StartingPosition::Latest).await, "d");
    assert_eq!(begun(|times| StartingPosition::AtTimestamp(times[1])).await, "bcd");
    let later =
        |times: &[Timestamp]| StartingPosition::AtTimestamp(Timestamp::from_millis(times[1].as_millis() + 1));
    assert_eq!(begun(later).await, "cd");
}

#[tokio::test(start_paused = true)]
async fn a_time_in_the_future_and_a_single_record_are_no_beginning() {
    let world = World::new(1).await;
    let number = world.put("k", "a").await[0];
    let future = StartingPosition::AtTimestamp(Timestamp::from_millis(u64::MAX / 2));
    for from in [future, StartingPosition::At(number), StartingPosition::After(number)] {
        let refused = world.working().starting_position(from).start().await;
        assert!(refused.is_err_and(|error| matches!(error, broker_worker::Error::Broker(_))));
    }
    assert!(world.stream.consumer_groups().await.unwrap().is_empty());
}

// L34: another start goes on behind the checkpoint, whatever position it is told.
#[tokio::test(start_paused = true)]
async fn a_restart_goes_on_where_it_was() {
    let world = World::new(3).await;
    for n in 0..50 {
        world.put(&format!("key-{n}"), "a").await;
    }
    let slow = |_: RecordBatch, _| async {
        tokio::time::sleep(secs(1)).await;
        Ok(())
    };
    let first = world.mapping(slow).batch_size(5).start().await.unwrap();
    tokio::time::sleep(secs(2)).await;
    // What is being worked on is finished, and nothing more is begun.
    assert!(first.stop(secs(10)).await);
    let done: usize = world.texts().iter().map(String::len).sum();
    assert!(done < 50, "{done}");
    let second = world.working().starting_position(StartingPosition::Latest).start().await.unwrap();
    tokio::time::sleep(secs(10)).await;
    let all: usize = world.texts().iter().map(String::len).sum();
    assert_eq!((all, second.counts().done), (50, 50 - done as u64));
}

// L34: the checkpoint is in the store, so another process goes on with it.
#[tokio::test(start_paused = true)]
async fn a_checkpoint_outlives_the_broker() {
    let store = MemStorage::new();
    let open = || async { Broker::builder(store.clone()).open().await.unwrap() };
    let broker = open().await;
    let stream = broker.stream("clicks").shards(1).await.unwrap();
    for letter in ["a", "b", "c"] {
        stream.put(PutRecord::new("k", letter)).await.unwrap();
    }
    let world = World::new(1).await;
    let fails_on_c = world.handler(|batch: RecordBatch, _| async move {
        let last = crate::support::text(&batch.records()[0]) == "c";
        if last { Err(broker_worker::Failure::new("no")) } else { Ok(()) }
    });
    let running = StreamMapping::new("bill", stream, fails_on_c).batch_size(1).start().await.unwrap();
    tokio::time::sleep(secs(5)).await;
    assert!(running.stop(secs(5)).await);
    broker.close().await.unwrap();
    drop(broker);
    let broker = open().await;
    let stream = broker.open_stream("clicks").await.unwrap();
    let before = world.calls().len();
    let works = world.handler(|_, _| async { Ok(()) });
    let running = StreamMapping::new("bill", stream, works).start().await.unwrap();
    tokio::time::sleep(secs(5)).await;
    assert_eq!(world.texts()[before..], ["c"]);
    assert_eq!(running.counts().done, 1);
}

// L34: a stop that does not wait gives the batch back.
#[tokio::test(start_paused = true)]
async fn a_stop_that_does_not_wait_drops_the_handler_and_the_batch_comes_again() {
    let world = World::new(1).await;
    world.put("k", "ab").await;
    let slow = |_: RecordBatch, _| async {
        tokio::time::sleep(secs(100)).await;
        Ok(())
    };
    let first = world.mapping(slow).start().await.unwrap();
    tokio::time::sleep(secs(1)).await;
    assert!(!first.stop(secs(5)).await);
    assert_eq!(world.now(), 6_000);
    let second = world.working().start().await.unwrap();
    tokio::time::sleep(secs(1)).await;
    assert_eq!(world.texts(), ["ab", "ab"]);
    assert_eq!(second.counts().done, 2);
}

// A group that is too slow for the retention learns what it has missed.
#[tokio::test(start_paused = true)]
async fn records_that_were_trimmed_before_they_were_read_are_counted() {
    let world = World::new(1).await;
    world.put("k", "a").await;
    let running = world.working().start().await.unwrap();
    tokio::time::sleep(secs(1)).await;
    running.stop(secs(1)).await;
    world.put("k", "bcd").await;
    tokio::time::sleep(secs(2 * 86_400)).await;
    world.put("k", "e").await;
    let running = world.working().start().await.unwrap();
    tokio::time::sleep(secs(10)).await;
    assert_eq!(world.texts(), ["a", "e"]);
    assert_eq!((running.counts().missed, running.counts().done), (3, 1));
}

//! Enabling and disabling, and how a mapping ends. L32, L34.

use broker_core::Error;
use broker_worker::{
    queue::State,
    stream::{LastResult, RecordBatch},
};

use crate::support::{World, owned, secs};

// L32, L34
#[tokio::test(start_paused = true)]
async fn a_disabled_mapping_finishes_its_batch_and_resumes_behind_it() {
    let world = World::new(1).await;
    world.put("k", "abcd").await;
    let slow = |_: RecordBatch, _| async {
        tokio::time::sleep(secs(10)).await;
        Ok(())
    };
    let running = world.mapping(slow).batch_size(1).start().await.unwrap();
    assert_eq!(running.state(), State::Enabling);
    running.reached(State::Enabled).await;
    tokio::time::sleep(secs(15)).await;
    running.set_enabled(false);
    running.reached(State::Disabling).await;
    assert_eq!(world.now(), 15_000);
    running.reached(State::Disabled).await;
    assert_eq!(world.now(), 20_000);
    world.put("k", "e").await;
    tokio::time::sleep(secs(100)).await;
    running.set_enabled(true);
    running.reached(State::Enabled).await;
    tokio::time::sleep(secs(100)).await;
    let expected = [(0, "a"), (10_000, "b"), (120_000, "c"), (130_000, "d"), (140_000, "e")];
    assert_eq!(world.timeline(), owned(expected));
    assert_eq!(running.counts().done, 5);
}

// L32
#[tokio::test(start_paused = true)]
async fn the_last_result_is_told() {
    let world = World::new(1).await;
    let running = world.poisoned("X").maximum_retry_attempts(0).start().await.unwrap();
    assert_eq!(
        (running.last_result(), LastResult::NothingYet.as_str()),
        (LastResult::NothingYet, "No records processed")
    );
    for (letter, result) in [("a", LastResult::Ok), ("X", LastResult::Failed), ("b", LastResult::Ok)] {
        world.put("k", letter).await;
        tokio::time::sleep(secs(1)).await;
        assert_eq!(running.last_result(), result);
    }
}

#[tokio::test(start_paused = true)]
async fn a_mapping_whose_stream_is_gone_says_so() {
    let world = World::new(2).await;
    let running = world.working().start().await.unwrap();
    tokio::time::sleep(secs(1)).await;
    world.broker.delete_stream("clicks").await.unwrap();
    let error = tokio::time::timeout(secs(60), running.broken()).await.unwrap();
    assert!(matches!(error, Error::StreamDoesNotExist { .. }), "{error}");
    assert_eq!(running.state(), State::Deleting);
}

// L32: also if a handler was still at work when the stream was gone.
#[tokio::test(start_paused = true)]
async fn the_last_state_of_a_mapping_whose_stream_is_gone_is_reached() {
    let world = World::new(1).await;
    world.put("k", "a").await;
    let slow = |_: RecordBatch, _| async {
        tokio::time::sleep(secs(10)).await;
        Ok(())
    };
    let running = world.mapping(slow).start().await.unwrap();
    tokio::time::sleep(secs(1)).await;
    world.broker.delete_stream("clicks").await.unwrap();
    tokio::time::timeout(secs(60), running.reached(State::Deleting)).await.unwrap();
    assert_eq!(world.now(), 10_000);
}

//! Batches that cannot run now wait, and use up no attempt. L80, L82.

use broker_core::PutRecord;
use broker_worker::{
    Failure,
    concurrency::{Account, AccountLimits},
    stream::RecordBatch,
};

use crate::support::{World, ms, owned, queue, secs};

// L82
#[tokio::test(start_paused = true)]
async fn a_throttled_batch_waits_and_uses_up_no_attempt() {
    let world = World::new(1).await;
    world.put("k", "a").await;
    let failed = world.queue("failed").await;
    let concurrency = Account::new(AccountLimits::default()).function("bill");
    concurrency.reserve(0).unwrap();
    let fails = |_: RecordBatch, _| async { Err::<(), _>(Failure::new("no")) };
    let mapping = world.mapping(fails).maximum_retry_attempts(1).gate(concurrency.gate(""));
    let running = mapping.on_failure(queue(&failed)).start().await.unwrap();
    tokio::time::sleep(secs(20)).await;
    assert!(world.calls().is_empty());
    assert_eq!(running.counts().throttled, 6);
    concurrency.reserve(1).unwrap();
    tokio::time::sleep(secs(120)).await;
    // Looks at 0, 0.5, 1.5, 3.5, 7.5, 15.5 and 31.5 s; then the function fails, and the wait is at its longest.
    assert_eq!(world.timeline(), owned([(31_500, "a"), (47_500, "a")]));
    let told = world.told(&failed).await;
    assert_eq!(told[0]["requestContext"]["condition"], "RetryAttemptsExhausted");
    assert_eq!(told[0]["requestContext"]["approximateInvokeCount"], 2);
}

// L82: until the records are too old.
#[tokio::test(start_paused = true)]
async fn a_throttled_batch_is_given_up_when_it_is_too_old() {
    let world = World::new(1).await;
    world.put("k", "ab").await;
    let failed = world.queue("failed").await;
    let concurrency = Account::new(AccountLimits::default()).function("bill");
    concurrency.reserve(0).unwrap();
    // It is not cut either.
    let mapping = world.working().bisect_batch_on_function_error(true).gate(concurrency.gate(""));
    let mapping = mapping.maximum_record_age(secs(60)).on_failure(queue(&failed));
    let _running = mapping.start().await.unwrap();
    tokio::time::sleep(ms(59_999)).await;
    assert!(world.told(&failed).await.is_empty());
    tokio::time::sleep(ms(2)).await;
    let told = world.told(&failed).await;
    assert_eq!((told.len(), &told[0]["KinesisBatchInfo"]["batchSize"]), (1, &2.into()));
    assert_eq!(told[0]["requestContext"]["condition"], "RecordAgeExceeded");
}

// L101: mappings of one function share what is reserved for it.
#[tokio::test(start_paused = true)]
async fn a_reservation_bounds_the_batches_of_all_shards() {
    let world = World::new(8).await;
    for n in 0..100 {
        world.put(&format!("key-{n}"), "a").await;
    }
    let concurrency = Account::new(AccountLimits::default()).function("bill");
    concurrency.reserve(3).unwrap();
    let slow = |_: RecordBatch, _| async {
        tokio::time::sleep(secs(1)).await;
        Ok(())
    };
    let running = world.mapping(slow).gate(concurrency.gate("")).start().await.unwrap();
    tokio::time::sleep(secs(120)).await;
    assert_eq!((world.most(), running.counts().done), (3, 100));
}

// L80: a stream with the limits of Kinesis is asked once a second when it is asked too often.
#[tokio::test(start_paused = true)]
async fn a_throttled_stream_is_read_slower_and_whole() {
    let world = World::new(1).await;
    let throttled = world.broker.stream("throttled").shards(1).throttled().await.unwrap();
    let world = world.with(throttled);
    for letter in "abcdefghijklmnopqrst".chars() {
        world.stream.put(PutRecord::new("k", letter.to_string())).await.unwrap();
    }
    let running = world.working().batch_size(1).start().await.unwrap();
    tokio::time::sleep(secs(60)).await;
    assert_eq!(world.texts().concat(), "abcdefghijklmnopqrst");
    assert_eq!(running.counts().done, 20);
    assert!(world.calls()[19].at >= 3_000, "five reads a second: {:?}", world.timeline());
}

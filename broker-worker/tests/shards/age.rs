//! Records that get too old. L82, L84, L85, L89.

use broker_core::StreamSettings;

use crate::support::{World, owned, queue, secs};

// L84, L89: the eight invocations that were seen in Lambda.
#[tokio::test(start_paused = true)]
async fn with_an_age_of_a_minute_there_are_eight_invocations() {
    let world = World::new(1).await;
    world.put("k", "Xa").await;
    let failed = world.queue("failed").await;
    let mapping = world.poisoned("X").maximum_record_age(secs(60)).on_failure(queue(&failed));
    let _running = mapping.start().await.unwrap();
    tokio::time::sleep(secs(30)).await;
    world.put("k", "b").await;
    tokio::time::sleep(secs(300)).await;
    let at: Vec<u64> = world.calls().iter().map(|call| call.at).collect();
    // At one minute the records are given up, to the millisecond, and what came later goes on.
    assert_eq!(at, [0, 500, 1_500, 3_500, 7_500, 15_500, 31_500, 47_500, 60_000]);
    assert_eq!(world.texts().last().unwrap(), "b");
    let told = world.told(&failed).await;
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["requestContext"]["condition"], "RecordAgeExceeded");
    assert_eq!(told[0]["requestContext"]["approximateInvokeCount"], 8);
    assert!(told[0].get("responseContext").is_none());
    assert_eq!(told[0]["KinesisBatchInfo"]["batchSize"], 2);
}

// L85: what is too old when it is read is reported without an invocation, and the rest of the read is the batch.
#[tokio::test(start_paused = true)]
async fn records_that_are_too_old_when_read_are_given_up_alone() {
    let world = World::new(1).await;
    let old = world.put("k", "ab").await;
    tokio::time::sleep(secs(60)).await;
    world.put("k", "cd").await;
    let failed = world.queue("failed").await;
    let mapping = world.working().maximum_record_age(secs(60)).on_failure(queue(&failed));
    let running = mapping.start().await.unwrap();
    tokio::time::sleep(secs(1)).await;
    assert_eq!(world.timeline(), owned([(60_000, "cd")]));
    let told = world.told(&failed).await;
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["requestContext"]["condition"], "RecordAgeExceeded");
    assert_eq!(told[0]["requestContext"]["approximateInvokeCount"], 1);
    assert!(told[0].get("responseContext").is_none());
    let info = &told[0]["KinesisBatchInfo"];
    assert_eq!((&info["batchSize"], &info["endSequenceNumber"]), (&2.into(), &old[1].to_string().into()));
    assert_eq!((running.counts().done, running.counts().given_up), (2, 2));
}

// L82: records leave at the latest when the stream does not keep them any more.
#[tokio::test(start_paused = true)]
async fn records_are_given_up_when_the_stream_gives_them_up() {
    let world = World::new(1).await;
    world.put("k", "X").await;
    let failed = world.queue("failed").await;
    let _running = world.poisoned("X").on_failure(queue(&failed)).start().await.unwrap();
    tokio::time::sleep(secs(86_399)).await;
    assert!(world.told(&failed).await.is_empty());
    tokio::time::sleep(secs(2)).await;
    let told = world.told(&failed).await;
    assert_eq!(told[0]["requestContext"]["condition"], "RecordAgeExceeded");
    world.put("k", "a").await;
    tokio::time::sleep(secs(1)).await;
    assert_eq!(world.texts().last().unwrap(), "a");
}

// L82: a retention that was lengthened meanwhile counts.
#[tokio::test(start_paused = true)]
async fn a_longer_retention_gives_records_more_time() {
    let world = World::new(1).await;
    world.put("k", "X").await;
    let running = world.poisoned("X").start().await.unwrap();
    tokio::time::sleep(secs(80_000)).await;
    let longer = StreamSettings { retention: Some(secs(2 * 86_400)), ..StreamSettings::default() };
    world.stream.set_attributes(longer).await.unwrap();
    tokio::time::sleep(secs(86_400)).await;
    assert_eq!(running.counts().given_up, 0);
    tokio::time::sleep(secs(6_401)).await;
    assert_eq!(running.counts().given_up, 1);
}

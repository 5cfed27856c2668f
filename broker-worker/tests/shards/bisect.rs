//! Batches that fail are cut in two until the record that fails is alone. L83, L86.

use broker_worker::stream::{RecordBatch, StreamResponse};

use crate::support::{World, owned, queue, secs, text};

// L86, L89: a poison record is isolated, and the shard moves on. Eight records need three cuts, three successes of the halves in
// front, and the attempts on the record alone: retries and one.
#[tokio::test(start_paused = true)]
async fn a_poison_record_is_isolated_in_the_documented_number_of_invocations() {
    let world = World::new(1).await;
    let numbers = world.put("k", "abcdefgX").await;
    let failed = world.queue("failed").await;
    let running = world.poisoned("X").bisect_batch_on_function_error(true).maximum_retry_attempts(2);
    let running = running.on_failure(queue(&failed)).start().await.unwrap();
    tokio::time::sleep(secs(60)).await;
    let expected = [
        (0, "abcdefgX"),
        (0, "abcd"),
        (0, "efgX"),
        (0, "ef"),
        (0, "gX"),
        (0, "g"),
        (0, "X"),
        (500, "X"),
        (1_500, "X"),
    ];
    assert_eq!(world.timeline(), owned(expected));
    let told = world.told(&failed).await;
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["requestContext"]["condition"], "RetryAttemptsExhausted");
    assert_eq!(told[0]["requestContext"]["approximateInvokeCount"], 3);
    let info = &told[0]["KinesisBatchInfo"];
    assert_eq!(info["batchSize"], 1);
    assert_eq!(info["startSequenceNumber"], numbers[7].to_string());
    assert_eq!(info["endSequenceNumber"], numbers[7].to_string());
    // The shard goes on at once.
    world.put("k", "h").await;
    tokio::time::sleep(secs(1)).await;
    assert_eq!(world.texts().last().unwrap(), "h");
    assert_eq!((running.counts().done, running.counts().given_up), (8, 1));
}

// L86: wherever it is, and in batches of any size.
#[tokio::test(start_paused = true)]
async fn a_poison_record_is_isolated_wherever_it_is() {
    let letters = "abcdefghijklm";
    for (position, poison) in letters.char_indices() {
        let world = World::new(1).await;
        world.put("k", letters).await;
        let failed = world.queue("failed").await;
        let mapping = world.poisoned(&poison.to_string()).bisect_batch_on_function_error(true);
        let mapping = mapping.maximum_retry_attempts(0).on_failure(queue(&failed));
        let running = mapping.start().await.unwrap();
        tokio::time::sleep(secs(10)).await;
        let told = world.told(&failed).await;
        assert_eq!((told.len(), &told[0]["KinesisBatchInfo"]["batchSize"]), (1, &1.into()), "{position}");
        assert_eq!((running.counts().done, running.counts().given_up), (12, 1));
        let done: String = world.texts().iter().filter(|texts| !texts.contains(poison)).cloned().collect();
        assert_eq!(done, letters.replace(poison, ""), "the others are done in order, each once");
    }
}

// L86: without it a batch is retried and given up whole.
#[tokio::test(start_paused = true)]
async fn without_bisect_the_whole_batch_is_given_up() {
    let world = World::new(1).await;
    world.put("k", "abX").await;
    let failed = world.queue("failed").await;
    let mapping = world.poisoned("X").maximum_retry_attempts(1).on_failure(queue(&failed));
    let _running = mapping.start().await.unwrap();
    tokio::time::sleep(secs(60)).await;
    assert_eq!(world.timeline(), owned([(0, "abX"), (500, "abX")]));
    let told = world.told(&failed).await;
    assert_eq!(told[0]["KinesisBatchInfo"]["batchSize"], 3);
}

// L86: with an answer that names where it failed, that is where the batch is cut; with an exception it is cut in the middle.
#[tokio::test(start_paused = true)]
async fn with_reported_failures_the_cut_is_where_the_answer_says() {
    let world = World::new(1).await;
    world.put("k", "abcXefgh").await;
    let failed = world.queue("failed").await;
    let reports = |batch: RecordBatch, _| async move {
        let poison = batch.records().iter().find(|record| text(record) == "X");
        Ok(poison.map_or(StreamResponse::Done, |record| StreamResponse::Failed(vec![record.number])))
    };
    let mapping = world.mapping(reports).bisect_batch_on_function_error(true).maximum_retry_attempts(1);
    let running = mapping.on_failure(queue(&failed)).start().await.unwrap();
    tokio::time::sleep(secs(60)).await;
    let expected = [
        (0, "abcXefgh"),
        // Cut at the number that was named. There is nothing in front of it any more: then in the middle.
        (500, "Xefgh"),
        (500, "Xe"),
        (500, "X"),
        (1_000, "X"),
        (1_000, "e"),
        (1_000, "fgh"),
    ];
    assert_eq!(world.timeline(), owned(expected));
    let told = world.told(&failed).await;
    assert_eq!(told[0]["KinesisBatchInfo"]["batchSize"], 1);
    // It was no error of the function.
    assert!(told[0]["responseContext"]["functionError"].is_null());
    assert_eq!((running.counts().done, running.counts().given_up), (7, 1));
}

//! How records become batches. L31, L80.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use broker_core::PutRecord;
use broker_worker::{
    event::Source,
    stream::{KinesisEvent, RecordBatch},
};

use crate::support::{World, ms, owned, secs};

// L31: with a window of zero, what one read has found.
#[tokio::test(start_paused = true)]
async fn without_a_window_a_batch_is_what_one_read_finds() {
    let world = World::new(1).await;
    world.put("k", "abcde").await;
    let running = world.working().batch_size(3).start().await.unwrap();
    tokio::time::sleep(secs(1)).await;
    world.put("k", "f").await;
    tokio::time::sleep(secs(1)).await;
    world.put("k", "gh").await;
    tokio::time::sleep(secs(1)).await;
    assert_eq!(world.timeline(), owned([(0, "abc"), (0, "de"), (1_000, "f"), (2_000, "gh")]));
    assert_eq!(running.counts().done, 8);
}

// L31
#[tokio::test(start_paused = true)]
async fn a_batch_goes_when_its_window_ends_or_it_is_full() {
    let world = World::new(1).await;
    let slow = |_: RecordBatch, _| async {
        tokio::time::sleep(secs(4)).await;
        Ok(())
    };
    let _running = world.mapping(slow).batch_size(3).window(secs(10)).start().await.unwrap();
    for letters in ["a", "b", "cd"] {
        tokio::time::sleep(secs(2)).await;
        world.put("k", letters).await;
    }
    tokio::time::sleep(secs(60)).await;
    // Full at 6 s; the next window begins when that is done, at 10 s, and ends at 20 s.
    assert_eq!(world.timeline(), owned([(6_000, "abc"), (20_000, "d")]));
}

// L31: the 6 MB cut, by the bytes of the event as JSON.
#[tokio::test(start_paused = true)]
async fn a_batch_has_6_mib_of_json_at_most() {
    let world = World::new(1).await;
    let each = 700_000;
    for n in 0..20u8 {
        world.stream.put(PutRecord::new(format!("k\"{n}"), vec![n; each])).await.unwrap();
    }
    let sizes = std::sync::Arc::new(parking_lot::Mutex::new(Vec::new()));
    let seen = sizes.clone();
    let measure = move |batch: RecordBatch, _| {
        let bytes = serde_json::to_string(&KinesisEvent::new(&batch, &Source::default())).unwrap().len();
        let next = STANDARD.encode(&batch.records()[0].data).len();
        seen.lock().push((batch.records().len(), bytes, next));
        async { Ok(()) }
    };
    let running = broker_worker::stream::StreamMapping::new(
        "bill",
        world.stream.clone(),
        broker_worker::stream::batch(move |batch, context| {
            let measured = measure(batch, context);
            async move { measured.await as Result<(), std::fmt::Error> }
        }),
    );
    let running = running.start().await.unwrap();
    tokio::time::sleep(secs(1)).await;
    let max = 6 * 1024 * 1024;
    let sizes = sizes.lock().clone();
    assert_eq!(sizes.iter().map(|(records, ..)| records).sum::<usize>(), 20);
    assert!(sizes.iter().all(|(_, bytes, _)| *bytes <= max), "{sizes:?}");
    // Not one record less than fits, but where a read ended: a read has 10 MiB of data at most.
    assert!(sizes[0].1 + sizes[0].2 + 200 > max, "{sizes:?}");
    assert_eq!(sizes[0].0, 6);
    assert_eq!(running.counts().done, 20);
}

// L31: a record that no batch has room for goes alone.
#[tokio::test(start_paused = true)]
async fn a_record_larger_than_a_batch_goes_alone() {
    let world = World::new(1).await;
    let large = world.broker.stream("large").shards(1).max_record_size(10 * 1024 * 1024).await.unwrap();
    let world = world.with(large);
    world.put("k", "a").await;
    world.stream.put(PutRecord::new("k", vec![b'x'; 8_000_000])).await.unwrap();
    world.put("k", "b").await;
    let running = world.working().start().await.unwrap();
    tokio::time::sleep(secs(1)).await;
    let lengths: Vec<usize> = world.texts().iter().map(String::len).collect();
    assert_eq!(lengths, [1, 8_000_000, 1]);
    assert_eq!(running.counts().done, 3);
}

// L80: nothing is polled for; a record is handed over when it is there.
#[tokio::test(start_paused = true)]
async fn a_record_is_handed_over_at_the_millisecond_at_which_it_is_put() {
    let world = World::new(2).await;
    let _running = world.working().start().await.unwrap();
    // Longer than an iterator is good for.
    for wait in [1, 20_001, 301_000, 3_600_000] {
        tokio::time::sleep(ms(wait)).await;
        world.put("k", "a").await;
    }
    tokio::time::sleep(secs(1)).await;
    let at: Vec<u64> = world.calls().iter().map(|call| call.at).collect();
    assert_eq!(at, [1, 20_002, 321_002, 3_921_002]);
}

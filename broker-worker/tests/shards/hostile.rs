//! Records that mean harm: they are handed on or dropped, and nothing breaks. L36, L70.

use std::sync::atomic::{AtomicUsize, Ordering};

use broker_core::PutRecord;
use broker_worker::{
    concurrency::{Gate, Open, Permit, Throttled},
    event::Source,
    stream::{KinesisEvent, RecordBatch, StreamFilters, StreamMapping, batch},
};

use crate::support::{World, secs};

#[tokio::test(start_paused = true)]
async fn records_of_any_bytes_are_filtered_and_written_as_json() {
    let world = World::new(1).await;
    let deep = "[".repeat(200_000) + &"]".repeat(200_000);
    let nested = format!("{}1{}", "{\"n\":".repeat(100_000), "}".repeat(100_000));
    let data: [&[u8]; 8] = [
        b"",
        b"\xff\xfe\x00",
        b"{\"n\":1e400}",
        b"{\"n\":1,\"n\":2}",
        b"{\"\\ud800\":1}",
        deep.as_bytes(),
        nested.as_bytes(),
        b"{\"n\": [1]}",
    ];
    for (n, data) in data.iter().enumerate() {
        let key = format!("\"\\{{}},\u{1}\u{10ffff}{n}");
        world.stream.put(PutRecord::new(key, data.to_vec())).await.unwrap();
    }
    let filters =
        StreamFilters::parse([r#"{"data": {"n": [1, 2]}}"#, r#"{"partitionKey": [{"suffix": "0"}]}"#]);
    for (filters, expected) in [(StreamFilters::default(), 8), (filters.unwrap(), 3)] {
        let name = format!("function-{expected}");
        let handler = batch(|batch: RecordBatch, _| async move {
            let json = serde_json::to_string(&KinesisEvent::new(&batch, &Source::default()))?;
            let again: KinesisEvent = serde_json::from_str(&json)?;
            assert_eq!(again.records.len(), batch.records().len());
            Ok::<_, serde_json::Error>(())
        });
        let running = StreamMapping::new(name, world.stream.clone(), handler).filters(filters);
        let running = running.maximum_retry_attempts(0).start().await.unwrap();
        tokio::time::sleep(secs(1)).await;
        let counts = running.counts();
        assert_eq!((counts.done, counts.done + counts.filtered), (expected, 8), "{counts:?}");
    }
}

/// A gate that panics when it is asked for the second time.
struct FallsOver(AtomicUsize);

impl Gate for FallsOver {
    fn try_enter(&self) -> Result<Permit, Throttled> {
        assert_ne!(self.0.fetch_add(1, Ordering::SeqCst), 1, "the gate falls over");
        Open.try_enter()
    }
}

// What breaks in one lane tears nothing out of another: that is waited for, and then the shard is begun again at its checkpoint.
#[tokio::test(start_paused = true)]
async fn a_gate_that_panics_in_one_lane_leaves_the_batch_of_the_other_alone() {
    let world = World::new(1).await;
    for key in 0..20 {
        world.put(&key.to_string(), "a").await;
    }
    let mapping = world.mapping(|_: RecordBatch, _| async {
        tokio::time::sleep(secs(10)).await;
        Ok(())
    });
    let mapping = mapping.parallelization_factor(2).gate(FallsOver(AtomicUsize::new(0)));
    let running = mapping.start().await.unwrap();
    tokio::time::sleep(secs(60)).await;
    // Two lanes, of which the one was done at 10 s. A second later the other begins, and with it what of the one is behind the
    // checkpoint.
    assert_eq!(world.calls().iter().map(|call| call.at).collect::<Vec<_>>(), [0, 11_000, 11_000]);
    let last: usize = world.calls().iter().skip(1).map(|call| call.texts.len()).sum();
    assert!((10..20).contains(&last), "{last}");
    assert!(running.counts().done >= 20);
}

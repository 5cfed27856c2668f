//! Records that mean harm: they are handed on or dropped, and nothing breaks. L36, L70.

use broker_core::PutRecord;
use broker_worker::{
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

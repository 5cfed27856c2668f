//! What a stream mapping is told, and what is refused. The table of E3.

use std::sync::Arc;

use async_trait::async_trait;
use broker_worker::{
    handler::BoxError,
    invoke::{Destination, DestinationKind, Report},
    stream::{StreamMapping, StreamMappingSettings},
};

use crate::support::{World, ms, secs};

struct Of(DestinationKind);

#[async_trait]
impl Destination for Of {
    fn kind(&self) -> DestinationKind {
        self.0
    }

    fn arn(&self) -> &'static str {
        "arn"
    }

    async fn deliver(&self, _: &Report) -> Result<(), BoxError> {
        Ok(())
    }
}

type Change = Box<dyn Fn(StreamMapping) -> StreamMapping>;

fn taken() -> Vec<Change> {
    let to = |kind| Arc::new(Of(kind));
    vec![
        Box::new(|m| m.batch_size(10_000)),
        Box::new(|m| m.window(secs(300))),
        Box::new(|m| m.parallelization_factor(10)),
        Box::new(|m| m.maximum_retry_attempts(10_000)),
        Box::new(|m| m.maximum_record_age(secs(60))),
        Box::new(|m| m.maximum_record_age(secs(604_800))),
        Box::new(|m| m.tumbling_window(secs(900))),
        Box::new(|m| m.timeout(secs(900))),
        Box::new(move |m| m.on_failure(to(DestinationKind::Queue))),
        Box::new(move |m| m.on_failure(to(DestinationKind::Objects))),
    ]
}

fn refused() -> Vec<(&'static str, Change)> {
    let to = |kind| Arc::new(Of(kind));
    let destination =
        "on_failure is arn: records that were given up are told to a queue, a topic or an object store";
    let one_lane =
        "parallelization_factor is 2: a tumbling window has its state by shard, so it needs a factor of 1";
    let age = "must be between 60s and 604800s";
    let age = |value: &str| -> &'static str { format!("maximum_record_age is {value}: {age}").leak() };
    vec![
        ("batch_size is 0: must be between 1 and 10000", Box::new(|m| m.batch_size(0))),
        ("batch_size is 10001: must be between 1 and 10000", Box::new(|m| m.batch_size(10_001))),
        ("window is 300.001s: must be between 0s and 300s", Box::new(|m| m.window(ms(300_001)))),
        ("parallelization_factor is 0: must be between 1 and 10", Box::new(|m| m.parallelization_factor(0))),
        (
            "parallelization_factor is 11: must be between 1 and 10",
            Box::new(|m| m.parallelization_factor(11)),
        ),
        (
            "maximum_retry_attempts is 10001: must be between 0 and 10000",
            Box::new(|m| m.maximum_retry_attempts(10_001)),
        ),
        (age("59s"), Box::new(|m| m.maximum_record_age(secs(59)))),
        (age("604801s"), Box::new(|m| m.maximum_record_age(secs(604_801)))),
        (
            "tumbling_window is 901s: must be 0s, or between 1s and 900s",
            Box::new(|m| m.tumbling_window(secs(901))),
        ),
        (
            "tumbling_window is 1ms: must be 0s, or between 1s and 900s",
            Box::new(|m| m.tumbling_window(ms(1))),
        ),
        (one_lane, Box::new(|m| m.tumbling_window(secs(9)).parallelization_factor(2))),
        ("timeout is 0ns: must be between 1ms and 900s", Box::new(|m| m.timeout(ms(0)))),
        (destination, Box::new(move |m| m.on_failure(to(DestinationKind::Function)))),
        (destination, Box::new(move |m| m.on_failure(to(DestinationKind::Bus)))),
    ]
}

#[tokio::test(start_paused = true)]
async fn each_setting_is_taken_up_to_its_limits_and_refused_beyond() {
    let world = World::new(1).await;
    for change in taken() {
        change(world.working()).start().await.unwrap();
    }
    for (expected, change) in refused() {
        let refused = change(world.working()).start().await;
        assert_eq!(refused.err().map(|error| error.to_string()).as_deref(), Some(expected));
    }
    let defaults = StreamMappingSettings::default();
    assert_eq!((defaults.batch_size, defaults.parallelization_factor), (100, 1));
    assert_eq!((defaults.maximum_retry_attempts, defaults.maximum_record_age), (None, None));
    for name in ["", "a b", "a/b", &"x".repeat(65)] {
        let mapping = StreamMapping::new(name, world.stream.clone(), world.handler(|_, _| async { Ok(()) }));
        assert!(mapping.start().await.is_err(), "{name}");
    }
}

//! Handlers of records that are replaced while they run.

use broker_core::{PutRecord, StartingPosition};
use broker_worker::{
    Failure,
    deploy::{Deploy, Health, Stage, Verdict, Versions},
    stream::{RecordBatch, StreamMapping, StreamResponse, batch},
};
use serde_json::json;
use tokio::time::sleep;

use crate::support::{World, secs};

/// A mapping of a handler that can be replaced.
async fn mapped(
    world: &World,
    tumbling: bool,
    report: bool,
) -> (Versions<RecordBatch>, broker_worker::stream::RunningStream) {
    let one = world.handler(|_, _| async { Ok(StreamResponse::Json(json!({"state": 1}))) });
    let versions = Versions::new("one", one);
    let mapping =
        StreamMapping::new("bill", world.stream.clone(), versions.clone()).report_batch_item_failures(report);
    let mapping = mapping.starting_position(StartingPosition::TrimHorizon);
    let mapping = if tumbling { mapping.tumbling_window(secs(60)) } else { mapping };
    (versions, mapping.start().await.unwrap())
}

/// Puts a record every ten seconds, so many of them.
async fn put(world: &World, records: usize) {
    for _ in 0..records {
        world.stream.put(PutRecord::new("key", "r")).await.unwrap();
        sleep(secs(10)).await;
    }
}

fn canary() -> Deploy {
    Deploy::canary(50, secs(1_000)).health(Health::new().error_rate_max(0.5).invocations_min(3))
}

// A canary on records that fails is rolled back, and what it failed on is done by the old version.
#[tokio::test(start_paused = true)]
async fn a_canary_on_a_stream_that_fails_is_rolled_back() {
    let world = World::new(1).await;
    let (versions, running) = mapped(&world, false, false).await;
    let two = batch(|_: RecordBatch, _| async { Err::<(), _>(Failure::new("this version is broken")) });
    let mut deployment = versions.deploy("two", two, canary()).unwrap();
    put(&world, 20).await;
    assert_eq!(deployment.finished().await, Stage::RolledBack(Verdict::Failing { failed: 3, of: 3 }));
    assert_eq!(versions.current(), "one");
    let counts = running.counts();
    assert_eq!((counts.done, counts.failed_invocations, counts.given_up), (20, 3, 0));
    running.stop(secs(1)).await;
}

// So is one that names its records as failed, if the mapping reads that, and one whose answers make no sense.
#[tokio::test(start_paused = true)]
async fn answers_that_fail_records_count_as_the_mapping_reads_them() {
    for (tumbling, report, rolls_back) in [(false, true, true), (false, false, false), (true, false, true)] {
        let world = World::new(1).await;
        let (versions, running) = mapped(&world, tumbling, report).await;
        // It names what it got. It never says a state, which a window needs.
        let two = batch(|batch: RecordBatch, _| async move {
            let failed =
                batch.records().iter().map(|record| json!({"itemIdentifier": record.number.to_string()}));
            let failed: Vec<_> = failed.collect();
            Ok::<_, Failure>(StreamResponse::Json(json!({"batchItemFailures": failed})))
        });
        let mut deployment = versions.deploy("two", two, canary()).unwrap();
        put(&world, 20).await;
        let stage = deployment.finished().await;
        let unwell = Stage::RolledBack(Verdict::Failing { failed: 3, of: 3 });
        assert_eq!(stage, if rolls_back { unwell } else { Stage::Done }, "{tumbling} {report}");
        running.stop(secs(1)).await;
    }
}

// What is behind the first record that failed comes again, and counts as failed too.
#[tokio::test(start_paused = true)]
async fn records_that_come_again_count_as_failed() {
    let world = World::new(1).await;
    let (versions, running) = mapped(&world, false, true).await;
    let two = batch(|batch: RecordBatch, _| async move {
        Ok::<_, Failure>(StreamResponse::Failed(
            batch.records().get(1).map(|record| record.number).into_iter().collect(),
        ))
    });
    let plan = Deploy::all_at_once().watch(secs(1_000));
    let plan = plan.health(Health::new().error_rate_max(0.5).invocations_min(1));
    let mut deployment = versions.deploy("two", two, plan).unwrap();
    world.put("key", "abcd").await;
    // Of four records one is done, and three come again.
    assert_eq!(deployment.finished().await, Stage::RolledBack(Verdict::Failing { failed: 3, of: 4 }));
    running.stop(secs(1)).await;
}

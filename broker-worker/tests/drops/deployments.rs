//! Deployments as their callers see them.

use broker_worker::{
    deploy::{Deploy, Deployment, Progress, Stage, Versions},
    handler::batch,
    queue::Batch,
};
use futures_util::FutureExt as _;
use tokio::time::sleep;

use crate::{ms, secs, sweep};

/// A handler half of whose invocations go to another version, and a quarter more every 2 seconds.
async fn deploying() -> (Versions<Batch>, Deployment) {
    let versions = Versions::new("one", batch(async |_, _| ()));
    let deployment = versions.deploy("two", batch(async |_, _| ()), Deploy::linear(25, secs(2))).unwrap();
    (versions, deployment)
}

// What was not told because nobody waited any more is told to whoever waits next.
#[tokio::test(start_paused = true)]
async fn waiting_for_a_step_that_is_dropped_misses_none() {
    let points = sweep(
        deploying,
        async |(_, deployment)| deployment.next().await,
        async |(_versions, mut deployment), step| {
            let step = step.flatten().map_or(25, |step| step.percent);
            sleep(ms(2_100)).await;
            // One step has come meanwhile, or two.
            let later = deployment.next().now_or_never().expect("a step has come").unwrap();
            assert!(later.percent > step, "{later:?} after {step} %");
            let mut last = later;
            while let Some(next) = deployment.next().await {
                assert!(next.percent > last.percent || next.stage != last.stage, "{next:?} after {last:?}");
                last = next;
            }
            assert_eq!(last, Progress { stage: Stage::Done, percent: 100 });
            assert_eq!(deployment.next().await, None);
        },
    )
    .await;
    assert!(points >= 2, "{points}");
}

#[tokio::test(start_paused = true)]
async fn waiting_for_the_end_of_a_deployment_can_be_dropped_and_done_again() {
    let points = sweep(
        deploying,
        async |(_, deployment)| deployment.finished().await,
        async |(versions, mut deployment), stage| {
            assert_eq!(stage.unwrap_or(Stage::Done), Stage::Done);
            assert_eq!(deployment.finished().await, Stage::Done);
            assert_eq!((versions.current().as_str(), deployment.next().await), ("two", None));
        },
    )
    .await;
    assert!(points >= 5, "{points}");
}

#[tokio::test(start_paused = true)]
async fn the_end_of_whoever_deploys_is_told_after_a_drop_too() {
    let points = sweep(
        async || {
            let (versions, deployment) = deploying().await;
            tokio::spawn(async move {
                sleep(ms(3_500)).await;
                drop(versions);
            });
            deployment
        },
        async |deployment| deployment.finished().await,
        async |mut deployment, stage| {
            assert_eq!(stage.unwrap_or(Stage::Shifting), Stage::Shifting);
            assert_eq!(deployment.finished().await, Stage::Shifting);
        },
    )
    .await;
    assert!(points >= 3, "{points}");
}

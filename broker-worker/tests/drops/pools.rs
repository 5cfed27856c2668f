//! Pools: how they start, deploy, stop and break.

use broker_worker::{
    Error,
    deploy::{Deploy, Deployment, Stage},
    pool::{Capacity, Pool, RunningPool},
    scaling::{Pause, QueueScaler, QueueTarget},
};
use futures_util::future::join;
use tokio::time::sleep;

use crate::{
    ms, secs, sweep,
    world::{Log, VISIBILITY, World},
};

/// The slots for workers.
const SLOTS: u32 = 4;

/// A pool of two workers of this world, which take so long for a message.
fn pool(world: &World, seconds: u64, capacity: &Capacity) -> Pool<QueueScaler> {
    let pause = Pause { replicas: Some(2), ..Pause::default() };
    let target = QueueTarget { pause, ..QueueTarget::default() };
    let scaler = QueueScaler::new(0, SLOTS).unwrap().target(target).unwrap();
    let mapping = world.mapping(secs(seconds));
    Pool::new(mapping, scaler).version("one").workers(2).every(secs(1)).capacity(capacity.clone())
}

/// A pool that runs, and has worked for half a second.
struct AtWork {
    world: World,
    capacity: Capacity,
    pool: Option<RunningPool>,
    /// What the second version does.
    second: Log,
}

impl AtWork {
    async fn new(messages: usize, seconds: u64) -> Self {
        let (world, capacity) = (World::new(messages).await, Capacity::new(SLOTS));
        let pool = pool(&world, seconds, &capacity).start().await.unwrap();
        sleep(ms(500)).await;
        Self { world, capacity, pool: Some(pool), second: Log::default() }
    }

    async fn deploy(&self, plan: Deploy) -> Result<Deployment, Error> {
        self.pool.as_ref().unwrap().deploy("two", self.world.noting(&self.second), plan).await
    }
}

/// Nothing of a pool is left, and all that is in its queue can be handled.
async fn is_gone(world: &World, capacity: &Capacity) {
    world.nothing_runs().await;
    assert_eq!(capacity.free(), SLOTS);
    world.all_is_handled().await;
}

#[tokio::test(start_paused = true)]
async fn a_start_of_a_pool_that_is_dropped_leaves_no_worker() {
    let points = sweep(
        async || (World::new(3).await, Capacity::new(SLOTS)),
        async |(world, capacity)| pool(world, 0, capacity).start().await.unwrap(),
        async |(world, capacity), pool| {
            drop(pool);
            is_gone(&world, &capacity).await;
        },
    )
    .await;
    assert!(points >= 4, "{points}");
}

async fn stop_is_swept(seconds: u64, drain: u64, deploying: bool) -> usize {
    sweep(
        async || {
            let at_work = AtWork::new(6, seconds).await;
            if deploying {
                at_work.deploy(Deploy::rolling(50, 200)).await.unwrap();
                sleep(ms(1_200)).await;
            }
            at_work
        },
        async |at_work| at_work.pool.take().unwrap().stop(secs(drain)).await,
        async |AtWork { world, capacity, .. }, report| {
            assert!(report.is_none_or(|report| report.drained == (seconds < drain)));
            is_gone(&world, &capacity).await;
        },
    )
    .await
}

#[tokio::test(start_paused = true)]
async fn a_stop_of_a_pool_that_is_dropped_ends_everything() {
    for (seconds, drain) in [(3, 20), (10, 2)] {
        for deploying in [false, true] {
            let points = stop_is_swept(seconds, drain, deploying).await;
            assert!(points >= 3, "{points}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn waiting_for_the_end_of_a_pool_can_be_dropped_and_done_again() {
    let points = sweep(
        async || {
            let at_work = AtWork::new(2, 0).await;
            let broker = at_work.world.broker.clone();
            let ends = tokio::spawn(async move {
                sleep(ms(3_300)).await;
                broker.close().await.unwrap();
            });
            (at_work, ends)
        },
        async |(at_work, _)| at_work.pool.as_mut().unwrap().broken().await,
        async |(AtWork { mut world, capacity, pool, .. }, ends), broken| {
            let mut pool = pool.unwrap();
            if broken.is_none() && !ends.is_finished() {
                world.send("one more").await;
                sleep(ms(100)).await;
                world.is_done().await;
            }
            ends.await.unwrap();
            pool.broken().await;
            pool.broken().await;
            assert!(pool.stop(secs(1)).await.broken.is_some());
            sleep(ms(1)).await;
            assert!(world.is_idle());
            assert_eq!(capacity.free(), SLOTS);
        },
    )
    .await;
    assert!(points >= 3, "{points}");
}

/// A deployment of the second version, and one of a third after it: the second has begun or not.
async fn deployment_is_swept(plan: impl Fn() -> Deploy) -> usize {
    sweep(
        async || AtWork::new(4, 1).await,
        async |at_work| at_work.deploy(plan()).await.unwrap(),
        async |AtWork { mut world, capacity, second, pool }, deployment| {
            let pool = pool.unwrap();
            let third = Log::default();
            let begun = pool.deploy("three", world.noting(&third), Deploy::all_at_once()).await;
            let at_once = deployment.as_ref().is_some_and(|two| two.progress().stage == Stage::Done);
            match begun {
                Ok(_) => assert!(deployment.is_none() || at_once, "two were deployed at the same time"),
                Err(Error::Deploying { version }) => assert_eq!(version, "two"),
                Err(error) => panic!("{error}"),
            }
            sleep(secs(60)).await;
            let version = pool.version();
            if let Some(mut two) = deployment {
                assert_eq!(two.finished().await, Stage::Done);
                assert!(version == "two" || at_once, "{version}");
            }
            // What goes on is what the pool says, and only that has handlers.
            world.send("one more").await;
            sleep(secs(5)).await;
            assert_eq!(pool.workers().running, 2);
            let (seconds, thirds) = (second.len(), third.len());
            assert_eq!((seconds > 0, thirds > 0), (version == "two", version == "three"));
            assert_eq!((second.is_idle(0), third.is_idle(0)), (version != "two", version != "three"));
            pool.stop(secs(5)).await;
            is_gone(&world, &capacity).await;
        },
    )
    .await
}

#[tokio::test(start_paused = true)]
async fn a_deployment_that_is_dropped_has_begun_or_not() {
    assert!(deployment_is_swept(|| Deploy::rolling(50, 200)).await >= 2);
    for plan in [Deploy::all_at_once, || Deploy::canary(50, VISIBILITY)] {
        assert_eq!(deployment_is_swept(plan).await, 0, "there is nothing to wait for");
    }
}

// Of two at the same time one waits for the other, and is refused.
#[tokio::test(start_paused = true)]
async fn two_deployments_that_are_dropped_have_not_both_begun() {
    let points = sweep(
        async || AtWork::new(4, 1).await,
        async |at_work| {
            let plan = || Deploy::rolling(50, 200);
            join(at_work.deploy(plan()), at_work.deploy(plan())).await
        },
        async |AtWork { world, capacity, second, pool }, both| {
            if let Some((first, other)) = both {
                assert!(first.is_ok());
                assert!(matches!(other, Err(Error::Deploying { version }) if version == "two"));
            }
            sleep(secs(60)).await;
            let pool = pool.unwrap();
            let version = pool.version();
            assert_eq!(second.is_idle(0), version == "one");
            // What was dropped holds up nobody.
            pool.deploy("three", world.noting(&second), Deploy::all_at_once()).await.unwrap();
            assert_eq!(pool.version(), "three");
            pool.stop(secs(5)).await;
            is_gone(&world, &capacity).await;
        },
    )
    .await;
    assert!(points >= 2, "{points}");
}

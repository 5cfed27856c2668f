//! Versions that replace one another while they run, on virtual time.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use broker_core::{Broker, LocalQueue};
use broker_mem::MemStorage;
use broker_worker::{
    Error, Failure, Handler,
    deploy::{Deploy, Health, Stage, Verdict, Versions},
    event::{
        Source,
        sqs::{SqsEvent, function},
    },
    handler::{Context, batch, each},
    queue::{Batch, Pollers, QueueMapping, Received, Running},
};
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::secs;

/// A handler that takes some time, and fails each time if it is told to.
fn handler(name: &'static str, took: Duration, fails: bool, log: &Log) -> impl Handler<Batch> {
    let log = log.clone();
    each(move |_: String, _: Received| {
        let log = log.clone();
        async move {
            log.began(name);
            sleep(took).await;
            log.ended(name);
            if fails { Err(Failure::new("this version is broken")) } else { Ok(()) }
        }
    })
}

/// Which versions have run how often.
#[derive(Clone, Default)]
struct Log(Arc<[[AtomicU32; 2]; 2]>);

impl Log {
    fn count(&self, name: &str, end: usize) -> &AtomicU32 {
        &self.0[usize::from(name == "two")][end]
    }

    fn began(&self, name: &str) {
        self.count(name, 0).fetch_add(1, Ordering::SeqCst);
    }

    fn ended(&self, name: &str) {
        self.count(name, 1).fetch_add(1, Ordering::SeqCst);
    }

    /// How often a version began, and ended.
    fn of(&self, name: &str) -> (u32, u32) {
        (self.count(name, 0).load(Ordering::SeqCst), self.count(name, 1).load(Ordering::SeqCst))
    }
}

async fn mapped(versions: &Versions<Batch>, workers: usize) -> (LocalQueue, Running) {
    let broker = Broker::open(MemStorage::new()).await.unwrap();
    let queue = broker.queue("orders").visibility_timeout(secs(600)).await.unwrap();
    let mapping = QueueMapping::new(queue.clone(), versions.clone()).batch_size(1);
    (queue, mapping.pollers(Pollers::Fixed(workers)).start().await.unwrap())
}

/// Sends a message every second, so many of them.
async fn send(queue: &LocalQueue, messages: u32) {
    for _ in 0..messages {
        queue.send("socks").await.unwrap();
        sleep(secs(1)).await;
    }
}

const QUICK: Duration = Duration::from_millis(10);

#[tokio::test(start_paused = true)]
async fn a_canary_gets_exactly_its_share_until_the_rest_follows() {
    let log = Log::default();
    let versions = Versions::new("one", handler("one", QUICK, false, &log));
    let (queue, _running) = mapped(&versions, 2).await;
    let plan = Deploy::canary(10, secs(100));
    let mut deployment = versions.deploy("two", handler("two", QUICK, false, &log), plan).unwrap();
    let began = Instant::now();
    send(&queue, 99).await;
    assert_eq!((log.of("one").0, log.of("two").0), (89, 10));
    assert_eq!(versions.current(), "one");
    assert_eq!(deployment.finished().await, Stage::Done);
    assert_eq!((began.elapsed().as_secs(), versions.current().as_str()), (100, "two"));
    send(&queue, 20).await;
    assert_eq!((log.of("one").0, log.of("two").0), (89, 30));
}

#[tokio::test(start_paused = true)]
async fn linear_shifts_step_by_step() {
    let log = Log::default();
    let versions = Versions::new("one", handler("one", QUICK, false, &log));
    let (queue, _running) = mapped(&versions, 2).await;
    let mut deployment =
        versions.deploy("two", handler("two", QUICK, false, &log), Deploy::linear(25, secs(20))).unwrap();
    let mut shares = Vec::new();
    for _ in 0..4 {
        let before = log.of("two").0;
        send(&queue, 20).await;
        shares.push(log.of("two").0 - before);
    }
    assert_eq!(shares, [5, 10, 15, 20]);
    assert_eq!(deployment.finished().await, Stage::Done);
}

#[tokio::test(start_paused = true)]
async fn a_canary_that_fails_is_rolled_back_at_once() {
    let log = Log::default();
    let versions = Versions::new("one", handler("one", QUICK, false, &log));
    let (queue, running) = mapped(&versions, 2).await;
    let health = Health::new().error_rate_max(0.5).invocations_min(3);
    let plan = Deploy::canary(50, secs(1_000)).health(health);
    let mut deployment = versions.deploy("two", handler("two", QUICK, true, &log), plan).unwrap();
    send(&queue, 60).await;
    // The third failure says enough, and nothing more goes there.
    assert_eq!((log.of("one").0, log.of("two").0), (57, 3));
    let stage = deployment.finished().await;
    assert_eq!(stage, Stage::RolledBack(Verdict::Failing { failed: 3, of: 3 }));
    assert_eq!((versions.current().as_str(), versions.deploying()), ("one", None));
    // What had failed comes again, to the old version, and is done.
    sleep(secs(700)).await;
    assert_eq!((running.counts().acked, running.counts().failed), (60, 3));
}

#[tokio::test(start_paused = true)]
async fn a_version_that_is_slow_is_rolled_back() {
    let log = Log::default();
    let versions = Versions::new("one", handler("one", QUICK, false, &log));
    let (queue, _running) = mapped(&versions, 20).await;
    let health = Health::new().latency_max(secs(2)).invocations_min(3);
    let plan = Deploy::all_at_once().health(health).watch(secs(600));
    let mut deployment = versions.deploy("two", handler("two", secs(5), false, &log), plan).unwrap();
    send(&queue, 20).await;
    let stage = deployment.finished().await;
    assert_eq!(stage, Stage::RolledBack(Verdict::Slow { slow: 3, of: 3, max: secs(2) }));
    assert_eq!(versions.current(), "one");
}

#[tokio::test(start_paused = true)]
async fn panics_and_timeouts_are_failures_too() {
    let log = Log::default();
    let versions = Versions::new("one", handler("one", QUICK, false, &log));
    let (queue, _running) = mapped(&versions, 2).await;
    let health = Health::new().error_rate_max(0.0).invocations_min(2);
    let plan = || Deploy::all_at_once().health(health.clone()).watch(secs(5_000));
    let panicking =
        batch(|orders: Batch, _: Context| async move { assert!(orders.is_empty(), "as it must") });
    let mut deployment = versions.deploy("two", panicking, plan()).unwrap();
    send(&queue, 2).await;
    assert_eq!(deployment.finished().await, Stage::RolledBack(Verdict::Failing { failed: 2, of: 2 }));
    // A handler that never answers is dropped when the visibility timeout ends.
    let hanging = each(|_: String, _: Received| std::future::pending::<()>());
    let mut deployment = versions.deploy("three", hanging, plan()).unwrap();
    send(&queue, 2).await;
    assert_eq!(deployment.finished().await, Stage::RolledBack(Verdict::Failing { failed: 2, of: 2 }));
}

#[tokio::test(start_paused = true)]
async fn what_has_begun_ends_on_the_version_that_took_it() {
    let log = Log::default();
    let versions = Versions::new("one", handler("one", secs(30), false, &log));
    let (queue, running) = mapped(&versions, 4).await;
    send(&queue, 2).await;
    let mut deployment =
        versions.deploy("two", handler("two", QUICK, false, &log), Deploy::all_at_once()).unwrap();
    assert_eq!(deployment.finished().await, Stage::Done);
    assert_eq!(log.of("one"), (2, 0));
    send(&queue, 2).await;
    assert_eq!((log.of("one"), log.of("two")), ((2, 0), (2, 2)));
    sleep(secs(30)).await;
    assert_eq!((log.of("one"), log.of("two")), ((2, 2), (2, 2)));
    assert_eq!(running.counts().acked, 4);
}

#[tokio::test(start_paused = true)]
async fn one_deployment_at_a_time_and_none_that_replaces_workers() {
    let log = Log::default();
    let versions = Versions::new("one", handler("one", QUICK, false, &log));
    let two = || handler("two", QUICK, false, &log);
    let refused = versions.deploy("two", two(), Deploy::rolling(50, 200)).unwrap_err();
    assert!(matches!(refused, Error::InvalidSetting { field: "strategy", .. }), "{refused}");
    let mut first = versions.deploy("two", two(), Deploy::canary(10, secs(100))).unwrap();
    let refused = versions.deploy("three", two(), Deploy::all_at_once()).unwrap_err();
    assert_eq!(refused.to_string(), "the version \"two\" is still being deployed");
    assert_eq!(first.finished().await, Stage::Done);
    versions.deploy("three", two(), Deploy::all_at_once()).unwrap();
    assert_eq!(versions.current(), "three");
}

// A function of Lambda names what failed in JSON: that counts if its mapping reads it (L50).
#[tokio::test(start_paused = true)]
async fn messages_that_an_answer_names_are_failures() {
    for (reads, rolls_back) in [(true, true), (false, false)] {
        let log = Log::default();
        let versions = Versions::new("one", handler("one", QUICK, false, &log));
        let broker = Broker::open(MemStorage::new()).await.unwrap();
        let queue = broker.queue("orders").visibility_timeout(secs(600)).await.unwrap();
        let mapping = QueueMapping::new(queue.clone(), versions.clone()).batch_size(1);
        let _running = mapping.report_batch_item_failures(reads).start().await.unwrap();
        let naming = function(Source::default(), |event: SqsEvent, _| async move {
            let id = &event.records[0].message_id;
            Ok::<_, Failure>(json!({"batchItemFailures": [{"itemIdentifier": id}]}))
        });
        let health = Health::new().error_rate_max(0.5).invocations_min(3);
        let plan = Deploy::canary(50, secs(100)).health(health);
        let mut deployment = versions.deploy("two", naming, plan).unwrap();
        send(&queue, 20).await;
        let stage = deployment.finished().await;
        let unwell = Stage::RolledBack(Verdict::Failing { failed: 3, of: 3 });
        assert_eq!(stage, if rolls_back { unwell } else { Stage::Done });
    }
}

// A deployment whose handler is gone ends where it was, at once, and holds nothing.
#[tokio::test(start_paused = true)]
async fn a_deployment_ends_with_its_handler() {
    let held = Arc::new(());
    let (in_two, log) = (held.clone(), Log::default());
    let two = each(move |_: String, _: Received| {
        let _ = &in_two;
        async {}
    });
    let versions = Versions::new("one", handler("one", QUICK, false, &log));
    let mut deployment = versions.deploy("two", two, Deploy::canary(10, secs(500_000))).unwrap();
    sleep(secs(1)).await;
    let began = Instant::now();
    drop(versions);
    assert_eq!(deployment.finished().await, Stage::Shifting);
    assert_eq!(began.elapsed(), Duration::ZERO);
    assert_eq!(Arc::strong_count(&held), 1);
}

// Whoever does something else between two steps, or stops waiting, misses none; the end is told too.
#[tokio::test(start_paused = true)]
async fn a_step_that_came_while_nobody_waited_is_told() {
    let versions = Versions::new("one", batch(async |_: Batch, _| ()));
    let two = batch(async |_: Batch, _| ());
    let mut deployment = versions.deploy("two", two, Deploy::linear(50, secs(10))).unwrap();
    assert!(tokio::time::timeout(secs(5), deployment.next()).await.is_err());
    sleep(secs(10)).await;
    let step = tokio::time::timeout(secs(1), deployment.next()).await.expect("the step has come").unwrap();
    assert_eq!((step.percent, step.stage), (100, Stage::Done));
    assert_eq!(deployment.next().await, None);
}

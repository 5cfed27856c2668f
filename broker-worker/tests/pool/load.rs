//! Simulated load: arrivals that double, burst and stop, and handlers whose time is random by a seed.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use broker_core::{Entries, LocalQueue, SendMessage};
use broker_worker::{
    Handler,
    handler::each,
    pool::{Pool, RunningPool},
    queue::{Batch, Received},
    scaling::{Bounds, Metric, Policy, QueueScaler, QueueTarget, Scale, Scaler, TargetTracking, Timing},
};
use tokio::time::{Instant, sleep, sleep_until};

use crate::{mapping, queue, secs};

/// The most workers.
const MAX: u32 = 24;
/// Messages that may wait for each worker.
const TARGET: u64 = 10;

/// Numbers that look random and are the same each time (splitmix64).
fn random(seed: u64) -> u64 {
    let mut z = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// What handlers have begun and finished.
#[derive(Clone, Default)]
struct Work(Arc<(AtomicU64, AtomicU64)>);

/// A handler that takes 100 to 900 ms.
fn handler(work: &Work) -> impl Handler<Batch> {
    let work = work.clone();
    each(move |number: String, _: Received| {
        let work = work.clone();
        async move {
            work.0.0.fetch_add(1, Ordering::SeqCst);
            let number: u64 = number.parse().unwrap();
            sleep(Duration::from_millis(100 + random(number) % 801)).await;
            work.0.1.fetch_add(1, Ordering::SeqCst);
        }
    })
}

/// One second of a run.
#[derive(Debug, Clone, Copy)]
struct Second {
    visible: u64,
    workers: u32,
}

struct Run {
    queue: LocalQueue,
    pool: RunningPool,
    work: Work,
    sent: AtomicU32,
}

impl Run {
    async fn start(scaler: impl Scale, workers: u32) -> Self {
        let (queue, work) = (queue().await, Work::default());
        let pool = Pool::new(mapping(&queue, handler(&work)), scaler).workers(workers).start().await.unwrap();
        Self { queue, pool, work, sent: AtomicU32::new(0) }
    }

    /// So many messages at once.
    async fn burst(&self, messages: u32) {
        let first = self.sent.fetch_add(messages, Ordering::SeqCst);
        let numbers: Vec<u32> = (first..first + messages).collect();
        for ten in numbers.chunks(10) {
            let entries: Entries<SendMessage> =
                ten.iter().map(|number| SendMessage::new(number.to_string())).collect();
            self.queue.send_batch(entries).await.unwrap().all().unwrap();
        }
    }

    /// So many messages a second on average, at random times, for so many seconds. What there is after each.
    async fn arrive(&self, rate: u64, seconds: usize) -> Vec<Second> {
        let began = Instant::now();
        let (mut seen, mut next) = (Vec::new(), began);
        while seen.len() < seconds {
            let second = began + secs(1) * u32::try_from(seen.len() + 1).unwrap();
            if rate > 0 && next < second {
                sleep_until(next).await;
                self.burst(1).await;
                // Up to twice the average gap.
                let gap =
                    random(u64::from(self.sent.load(Ordering::SeqCst)) + (rate << 32)) % (2_000_000 / rate);
                next += Duration::from_micros(gap);
            } else {
                sleep_until(second).await;
                let workers = u32::try_from(self.pool.workers().running).unwrap();
                seen.push(Second { visible: self.queue.counters().await.unwrap().visible, workers });
            }
        }
        seen
    }

    /// Checks that nothing was killed, lost or done twice.
    async fn end(self) {
        let sent = u64::from(self.sent.load(Ordering::SeqCst));
        let report = self.pool.stop(secs(10)).await;
        let counts = report.counts;
        assert_eq!((counts.acked, counts.received), (sent, sent), "{report}");
        assert_eq!(
            (counts.leases_lost, counts.stale, counts.released, counts.failed),
            (0, 0, 0, 0),
            "{report}"
        );
        let (begun, finished) = (&self.work.0.0, &self.work.0.1);
        assert_eq!((begun.load(Ordering::SeqCst), finished.load(Ordering::SeqCst)), (sent, sent));
    }
}

/// After which second the backlog of each worker is at its target and stays there.
fn settled(seen: &[Second]) -> usize {
    let above = |second: &Second| second.visible > TARGET * u64::from(second.workers.max(1));
    seen.iter().rposition(above).map_or(0, |last| last + 1)
}

/// How long after a rise the number of workers fell, at the soonest.
fn soonest_fall(seen: &[Second]) -> Option<usize> {
    let mut rise = None;
    let mut soonest = None;
    for (at, pair) in seen.windows(2).enumerate() {
        if pair[1].workers > pair[0].workers {
            rise = Some(at);
        } else if let (Some(rise), true) = (rise, pair[1].workers < pair[0].workers) {
            soonest = Some(soonest.unwrap_or(usize::MAX).min(at - rise));
        }
    }
    soonest
}

/// The damping of both scalers: a cooldown, and a stabilization window.
const DAMPING: usize = 300;

/// Arrivals that double twice, burst and stop. Each phase lasts twenty minutes.
async fn doubles_bursts_and_stops(scaler: impl Scale, within: [usize; 4], least: u32) {
    const PHASE: usize = 1_200;
    let run = Run::start(scaler, 4).await;
    let mut all = Vec::new();
    for (phase, rate) in [4, 8, 16, 16].into_iter().enumerate() {
        if phase == 3 {
            run.burst(2_000).await;
        }
        let seen = run.arrive(rate, PHASE).await;
        let settled = settled(&seen);
        println!("phase {phase}, {rate}/s: settled after {settled} s, then {:?}", seen.last());
        assert!(settled <= within[phase], "phase {phase}: the backlog was settled after {settled} s only");
        all.extend(seen);
    }
    all.extend(run.arrive(0, PHASE).await);
    let fall = soonest_fall(&all);
    assert!(fall.is_none_or(|fall| fall >= DAMPING), "it flaps: fewer workers {fall:?} s after more");
    assert!(all.iter().all(|second| second.workers <= MAX));
    assert_eq!(all.last().map(|second| (second.visible, second.workers)), Some((0, least)));
    run.end().await;
}

// S3, S10, S11, S13
#[tokio::test(start_paused = true)]
async fn target_tracking_follows_the_load_and_rests() {
    let quick = |metric, target| TargetTracking::new(metric, target).period(secs(10));
    let policies = [
        Policy::target("backlog", quick(Metric::BacklogPerWorker, 10.0)),
        Policy::target("busy", quick(Metric::busy(), 70.0)),
    ];
    let scaler = Scaler::new(Bounds::new(1, MAX).unwrap(), policies).unwrap();
    let scaler = scaler.timing(Timing::cooldown()).unwrap();
    doubles_bursts_and_stops(scaler, [60, 60, 60, 120], 1).await;
}

// S51, S52, S60, S64
#[tokio::test(start_paused = true)]
async fn a_queue_scaler_follows_the_load_rests_and_goes_to_nothing() {
    let scaler = QueueScaler::new(0, MAX).unwrap();
    let scaler = scaler.target(QueueTarget { queue_length: 1.0, ..QueueTarget::default() }).unwrap();
    doubles_bursts_and_stops(scaler, [60, 60, 60, 120], 0).await;
}

//! Scaling on depth, drawn: arrivals that double twice, burst and stop, a pool that follows, and an SVG of both over time.
//!
//! Run it with `cargo run -p broker-examples --example scaling_plot -- scaling.svg`. It runs on virtual time: 100 minutes of
//! arrivals take a moment.
//!
//! Two targets decide: messages that wait for each worker, and how many workers are busy. The second keeps the workers that are
//! just enough, which have no backlog.

use std::{path::PathBuf, time::Duration};

use anyhow::Context as _;
use broker_core::{Broker, Entries, LocalQueue, SendMessage};
use broker_examples::looks::{Look, draw};
use broker_mem::MemStorage;
use broker_worker::{
    handler::each,
    pool::{Pool, RunningPool},
    queue::{QueueMapping, Received},
    scaling::{Bounds, Metric, Policy, Scaler, TargetTracking},
};
use tokio::time::{Instant, sleep, sleep_until};

/// The most workers.
const WORKERS_MAX: u32 = 24;
/// What arrives: messages at once, then so many a second, for twenty minutes each.
const PHASES: [(u64, u64); 5] = [(0, 4), (0, 8), (0, 16), (2_000, 16), (0, 0)];
/// How long a phase lasts, in seconds.
const PHASE: u64 = 1_200;

fn main() -> anyhow::Result<()> {
    let path = std::env::args_os().nth(1).map_or_else(|| PathBuf::from("scaling.svg"), PathBuf::from);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?;
    let looks = runtime.block_on(run())?;
    std::fs::write(&path, draw(&looks)).with_context(|| format!("writing {}", path.display()))?;
    println!("drawn: {}", path.display());
    Ok(())
}

/// Runs all phases. What was seen in each second.
async fn run() -> anyhow::Result<Vec<Look>> {
    let broker = Broker::open(MemStorage::new()).await?;
    let queue = broker.queue("jobs").await?;
    let handler = each(|number: String, _: Received| async move {
        let number: u64 = number.parse()?;
        sleep(Duration::from_millis(100 + random(number) % 801)).await;
        Ok::<_, std::num::ParseIntError>(())
    });
    let target = |metric, target| TargetTracking::new(metric, target).period(Duration::from_secs(10));
    let policies = [
        Policy::target("backlog", target(Metric::BacklogPerWorker, 10.0)),
        Policy::target("busy", target(Metric::busy(), 70.0)),
    ];
    let scaler = Scaler::new(Bounds::new(1, WORKERS_MAX)?, policies)?;
    let mapping = QueueMapping::new(queue.clone(), handler).batch_size(1);
    let pool = Pool::new(mapping, scaler).workers(4).start().await?;

    let (mut looks, mut sent) = (Vec::new(), 0);
    for (burst, rate) in PHASES {
        let first = looks.len();
        send(&queue, &mut sent, burst).await?;
        arrive(&queue, &pool, rate, &mut sent, &mut looks).await?;
        let of = |value: fn(&Look) -> u64| looks[first..].iter().map(value).max().unwrap_or(0);
        let (depth, workers) = (of(|look| look.depth), of(|look| look.workers.into()));
        let arrivals = if burst > 0 { format!("{burst} at once and {rate}/s") } else { format!("{rate}/s") };
        println!("{arrivals}: up to {depth} waiting, up to {workers} workers");
    }
    let report = pool.stop(Duration::from_secs(10)).await;
    println!("{sent} sent, {} acknowledged, {} leases lost", report.counts.acked, report.counts.leases_lost);
    Ok(looks)
}

/// So many messages a second on average, at random times, for a phase.
async fn arrive(
    queue: &LocalQueue,
    pool: &RunningPool,
    rate: u64,
    sent: &mut u64,
    looks: &mut Vec<Look>,
) -> anyhow::Result<()> {
    let mut next = Instant::now();
    for _ in 0..PHASE {
        let end = Instant::now() + Duration::from_secs(1);
        while rate > 0 && next < end {
            sleep_until(next).await;
            send(queue, sent, 1).await?;
            next += Duration::from_micros(random(*sent) % (2_000_000 / rate));
        }
        sleep_until(end).await;
        let workers = u32::try_from(pool.workers().running)?;
        let second = u64::try_from(looks.len())? + 1;
        looks.push(Look { second, depth: queue.counters().await?.visible, workers });
    }
    Ok(())
}

/// Sends so many messages, ten at a time.
async fn send(queue: &LocalQueue, sent: &mut u64, messages: u64) -> broker_core::Result<()> {
    let end = *sent + messages;
    while *sent < end {
        let upto = end.min(*sent + 10);
        let batch: Entries<SendMessage> = (*sent..upto).map(|n| SendMessage::new(n.to_string())).collect();
        queue.send_batch(batch).await?.all()?;
        *sent = upto;
    }
    Ok(())
}

/// A number that looks random and is the same each time (splitmix64).
fn random(seed: u64) -> u64 {
    let mut z = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

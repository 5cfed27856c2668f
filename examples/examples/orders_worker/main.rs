//! Workers that handle orders: partial failures, dead letters, scaling from 1 to 16 and back, a canary that fails and is
//! rolled back, and one that is taken over. All on virtual time: 35 minutes of a shop take a second.
//!
//! Run it with `cargo run -p broker-examples --example orders_worker`; with `-- --plot orders.svg` it also draws how deep the
//! queue was and how many workers there were.
//!
//! A handler gets batches of orders and decides on each of them. Some cannot be paid at first and are tried again ten seconds
//! later, some never can, and go to the dead letters with the reason. The pool asks its scaler every few seconds.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context as _, ensure};
use broker_core::{Broker, LocalQueue, ReceiveOptions, SendMessage};
use broker_examples::looks::{Look, draw};
use broker_mem::MemStorage;
use broker_worker::{
    Handler, Json, Outcome,
    deploy::{Deploy, Health, Stage},
    handler::each,
    pool::{Pool, PoolEvent, RunningPool},
    queue::{Batch, QueueMapping, Received},
    scaling::QueueScaler,
};
use clap::Parser;
use futures_util::StreamExt as _;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};

/// The most workers.
const WORKERS_MAX: u32 = 16;
/// How long it takes to ship one order.
const SHIPPING: Duration = Duration::from_millis(400);
/// How long the shop is looked at, and how often.
const DAY: Duration = Duration::from_secs(2_080);
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// How long handlers may finish what they have when the shop closes.
const DRAIN: Duration = Duration::from_secs(30);

#[derive(Parser)]
struct Options {
    /// Where to draw the depth of the queue and the workers over time, as SVG.
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Order {
    number: u32,
    item: String,
}

/// Handles orders one after the other. Of the faulty version every third order fails.
fn handler(faulty: bool) -> impl Handler<Batch> {
    each(move |Json(order): Json<Order>, message: Received| async move {
        sleep(SHIPPING).await;
        match order.number {
            number if faulty && number % 3 == 0 => {
                Outcome::Failed(broker_worker::Failure::new("division by zero"))
            }
            number if number % 100 == 99 => Outcome::dead("no such customer"),
            // The bank says no to the first try.
            number if number % 25 == 0 && message.receive_count == 1 => {
                Outcome::retry(Duration::from_secs(10))
            }
            _ => Outcome::Ack,
        }
    })
}

/// Customers: each second so many orders, for so many seconds.
async fn customers(orders: &LocalQueue, next: &mut u32, per_second: u32, seconds: u32) -> anyhow::Result<()> {
    for _ in 0..seconds {
        for _ in 0..per_second {
            let order = Order { number: *next, item: "a pair of socks".into() };
            orders.send(SendMessage::json(&order)?).await?;
            *next += 1;
        }
        sleep(Duration::from_secs(1)).await;
    }
    Ok(())
}

/// Prints what the pool does.
async fn narrate(pool: &RunningPool, begin: Instant) {
    let mut events = pool.events();
    while let Some(event) = events.next().await {
        let at = begin.elapsed().as_secs();
        match event {
            PoolEvent::Scaled { decision } if decision.is_change() => println!("{at:>5} s  {decision}"),
            PoolEvent::Held { workers } => {
                println!("{at:>5} s  {workers} workers more finish what they have");
            }
            PoolEvent::Deploying { version, progress } => {
                let what = match progress.stage {
                    Stage::RolledBack(verdict) => format!("is rolled back: {verdict}"),
                    Stage::Done => "is the version now".to_owned(),
                    _ => format!("gets {} % of the batches", progress.percent),
                };
                println!("{at:>5} s  version {version} {what}");
            }
            _ => {}
        }
    }
}

/// Looks every few seconds at the queue and at the workers.
async fn observe(pool: &RunningPool, orders: &LocalQueue, begin: Instant) -> anyhow::Result<Vec<Look>> {
    let mut looks = Vec::new();
    loop {
        let counters = orders.counters().await?;
        let workers = u32::try_from(pool.workers().running)?;
        looks.push(Look { second: begin.elapsed().as_secs(), depth: counters.total(), workers });
        if begin.elapsed() >= DAY {
            return Ok(looks);
        }
        sleep(LOOK_EVERY).await;
    }
}

/// A day of the shop. Returns how many orders there were.
async fn day(orders: &LocalQueue, pool: &RunningPool) -> anyhow::Result<u32> {
    let mut next = 1;
    println!("a quiet morning: 2 orders a second");
    customers(orders, &mut next, 2, 120).await?;
    println!("the sale: 25 orders a second");
    customers(orders, &mut next, 25, 300).await?;
    println!("nobody for a quarter of an hour");
    sleep(Duration::from_secs(900)).await;
    ensure!(pool.workers().running == 1, "an idle pool has one worker: {:?}", pool.workers());

    println!("the evening: 4 orders a second, and a faulty version 2 as a canary");
    let health = Health::new().error_rate_max(0.1);
    let plan = Deploy::canary(20, Duration::from_secs(120)).health(health);
    let mut second = pool.deploy("2", handler(true), plan.clone()).await?;
    let (end, sent) = tokio::join!(second.finished(), customers(orders, &mut next, 4, 180));
    sent?;
    ensure!(matches!(end, Stage::RolledBack(_)), "the canary was to fail: {end:?}");
    ensure!(pool.version() == "1", "version 1 does the work");

    println!("version 3 as a canary");
    let mut third = pool.deploy("3", handler(false), plan).await?;
    let (end, sent) = tokio::join!(third.finished(), customers(orders, &mut next, 4, 180));
    sent?;
    ensure!(end == Stage::Done && pool.version() == "3", "version 3 was to be taken over: {end:?}");
    sleep(Duration::from_secs(400)).await;
    Ok(next - 1)
}

async fn run(options: &Options) -> anyhow::Result<()> {
    let broker = Broker::open(MemStorage::new()).await?;
    let dead = broker.queue("dead-orders").await?;
    let orders = broker.queue("orders").dead_letter("dead-orders", 10).await?;
    let mapping = QueueMapping::new(orders.clone(), handler(false)).batch_size(10);
    let pool = Pool::new(mapping, QueueScaler::new(1, WORKERS_MAX)?).workers(1).start().await?;

    let begin = Instant::now();
    let (sent, looks) = tokio::select! {
        () = narrate(&pool, begin) => anyhow::bail!("the pool ended too soon"),
        both = async { tokio::join!(day(&orders, &pool), observe(&pool, &orders, begin)) } => both,
    };
    let (sent, looks) = (sent?, looks?);
    let report = pool.stop(DRAIN).await;
    println!("{report}");

    let letters = dead.receive(ReceiveOptions::up_to(10)).await?;
    let letter = letters.first().context("some orders are dead")?;
    let order: Order = letter.json()?;
    let why = letter.dead_letter.as_ref().context("a dead letter says why it is one")?;
    println!("dead order {} ({}): {why}", order.number, order.item);

    let (counts, most) = (report.counts, looks.iter().map(|look| look.workers).max().unwrap_or(0));
    println!("{sent} orders: {} shipped, {} dead, at most {most} workers", counts.acked, counts.dead);
    ensure!(counts.acked + counts.dead == u64::from(sent) && most == WORKERS_MAX, "an order was lost");
    if let Some(path) = &options.plot {
        std::fs::write(path, draw(&looks)).with_context(|| format!("writing {}", path.display()))?;
        println!("drawn: {}", path.display());
    }
    Ok(())
}

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?;
    runtime.block_on(run(&options))
}

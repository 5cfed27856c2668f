//! Dead letters: what a program cannot handle is set aside, looked at, and brought back when the program is mended.
//!
//! Run it with `cargo run --release -p broker-examples --example dead_letters`.
//!
//! 27,004 real departures are added up by a program that does not know that flights can be cancelled. It fails at 521 of
//! them. Those without a tail number it gives up at once, with a reason; the others it tries again, until the redrive
//! policy of the queue sets them aside. Then somebody looks at the dead letters and mends the program, asks what a
//! redrive would move, and lets move tasks bring them back: first those with a reason, then the rest.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use broker_core::{
    Broker, DeadLetter, DeadLettered, Delivery, Entries, LocalQueue, MoveFilter, MoveTask, MoveTaskStatus,
    PeekOptions, QueueExt as _, SendMessage,
};
use broker_examples::flights::{self, Columns, Flight};
use clap::Parser;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use parking_lot::Mutex;
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};

/// How often a departure is tried.
const DELIVERIES_MAX: u32 = 3;

/// Many, because on a durable queue those that wait for the disk share one sync.
const WORKERS: usize = 64;

/// Lets a faulty program fail at real departures, looks at the dead letters, and redrives them when it is mended.
#[derive(Debug, Parser)]
#[command(name = "dead_letters", version)]
struct Options {
    /// Keeps the queues on disk in this directory, and empties them first. Without it they are in memory.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// The program that adds departures up, as it is and as it will be.
#[derive(Debug, Clone, Copy)]
enum Version {
    /// Takes every delay for a number.
    Faulty,
    /// Knows that a cancelled flight has none.
    Mended,
}

/// What the departures come to.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Totals {
    departed: u64,
    minutes_late: i64,
    cancelled: u64,
}

/// What the workers share.
struct Desk {
    departures: LocalQueue,
    columns: Columns,
    totals: Mutex<Totals>,
    given_up: AtomicU64,
    failures: AtomicU64,
}

#[tokio::main]
async fn main() -> Result<()> {
    let options = Options::parse();
    let broker = flights::open(options.dir.as_deref()).await?;
    let dead = broker.queue("departures-dead").await?;
    let departures = broker.queue("departures").dead_letter("departures-dead", DELIVERIES_MAX).await?;
    // What an earlier run has left.
    departures.purge().await?;
    dead.purge().await?;

    let (columns, flights) = flights::shipped()?;
    let mut straight = Totals::default();
    flights.iter().try_for_each(|flight| straight.add(Version::Mended, &columns, &flight.line))?;
    let cancelled = count(&flights, |flight| flight.cancelled);
    let nameless = count(&flights, |flight| flight.cancelled && flight.tail == "NA");
    send(&departures, &flights).await?;
    expect("departures sent", departures.counters().await?.visible, flights.len() as u64)?;

    let desk = Arc::new(Desk::new(departures.clone(), columns));
    desk.add_up(Version::Faulty).await?;
    println!("the faulty program: {:?}", *desk.totals.lock());
    expect("given up at once", desk.given_up.load(Ordering::Relaxed), nameless)?;
    let tries = u64::from(DELIVERIES_MAX) * (cancelled - nameless);
    expect("failed tries", desk.failures.load(Ordering::Relaxed), tries)?;
    expect("departures left", departures.counters().await?.total(), 0)?;

    let letters = inspect(&departures, &dead).await?;
    expect("dead letters", letters.len() as u64, cancelled)?;
    let reasons = letters.iter().filter(|letter| letter.reason.is_some()).count() as u64;
    expect("dead letters with a reason", reasons, nameless)?;

    let task = MoveTask::from("departures-dead").to("departures");
    redrive(&broker, task.clone().filter(MoveFilter::new().reason_contains("no aircraft")), nameless).await?;
    redrive(&broker, task, cancelled - nameless).await?;
    expect("dead letters left", dead.counters().await?.total(), 0)?;
    expect("departures back", departures.counters().await?.visible, cancelled)?;

    desk.add_up(Version::Mended).await?;
    expect("departures left", departures.counters().await?.total(), 0)?;
    expect("dead letters left", dead.counters().await?.total(), 0)?;
    let totals = *desk.totals.lock();
    println!("the mended program: {totals:?}");
    ensure!(totals == straight, "the totals should be {straight:?}");
    println!("verified: equal to the straight computation");
    broker.close().await?;
    Ok(())
}

/// Says how many there are, and fails if that is wrong.
fn expect(what: &str, found: u64, wanted: u64) -> Result<()> {
    println!("{what}: {found}");
    ensure!(found == wanted, "{what}: {found}, and should be {wanted}");
    Ok(())
}

fn count(flights: &[Flight], which: impl Fn(&Flight) -> bool) -> u64 {
    flights.iter().filter(|flight| which(flight)).count() as u64
}

async fn send(departures: &LocalQueue, flights: &[Flight]) -> Result<()> {
    let batch = |flights: &[Flight]| {
        flights.iter().map(|flight| SendMessage::from(flight.line.clone())).collect::<Entries<_>>()
    };
    let sends = flights.chunks(10).map(|flights| departures.send_batch(batch(flights)));
    stream::iter(sends)
        .buffer_unordered(WORKERS)
        .map_err(anyhow::Error::from)
        .try_for_each(|sent| async { Ok(sent.all().map(drop)?) })
        .await
}

impl Totals {
    /// Adds a row, if this version of the program can.
    fn add(&mut self, version: Version, columns: &Columns, line: &str) -> Result<()> {
        let [_, _, dep_time, delay, _] = columns.of(line)?;
        if matches!(version, Version::Mended) && dep_time == "NA" {
            self.cancelled += 1;
            return Ok(());
        }
        self.minutes_late += delay.parse::<i64>().with_context(|| format!("the delay is {delay:?}"))?;
        self.departed += 1;
        Ok(())
    }
}

impl Desk {
    fn new(departures: LocalQueue, columns: Columns) -> Self {
        let (given_up, failures) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { departures, columns, totals: Mutex::default(), given_up, failures }
    }

    /// Works until the queue is empty.
    async fn add_up(self: &Arc<Self>, version: Version) -> Result<()> {
        let mut workers = JoinSet::new();
        for _ in 0..WORKERS {
            let desk = self.clone();
            workers.spawn(async move { desk.work(version).await });
        }
        while let Some(worker) = workers.join_next().await {
            worker??;
        }
        Ok(())
    }

    async fn work(&self, version: Version) -> Result<()> {
        loop {
            // A message that has failed too often is moved by the receive that comes to it, and not returned.
            let next = timeout(Duration::from_millis(200), self.departures.recv()).await;
            match next {
                Ok(delivery) => self.handle(version, delivery?).await?,
                Err(_) if self.departures.counters().await?.total() == 0 => return Ok(()),
                Err(_) => {}
            }
        }
    }

    async fn handle(&self, version: Version, delivery: Delivery) -> Result<()> {
        let line = delivery.text()?;
        let added = self.totals.lock().add(version, &self.columns, line);
        let Err(error) = added else {
            delivery.ack().await?;
            return Ok(());
        };
        let [_, tail, ..] = self.columns.of(line)?;
        if tail == "NA" {
            let moved = delivery.dead(format!("{error}, and there is no aircraft to ask about it")).await?;
            ensure!(matches!(moved, DeadLettered::Moved { .. }), "given up, and yet {moved:?}");
            self.given_up.fetch_add(1, Ordering::Relaxed);
        } else {
            delivery.retry_in(Duration::ZERO).await?;
            self.failures.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// Looks at the dead letters without touching them: why each is there, and whether that is true.
async fn inspect(departures: &LocalQueue, dead: &LocalQueue) -> Result<Vec<DeadLetter>> {
    let mut letters = Vec::new();
    let mut kinds: BTreeMap<String, u64> = BTreeMap::new();
    let mut page = PeekOptions::up_to(100);
    loop {
        let peeked = dead.peek(page).await?;
        let Some(last) = peeked.last() else { break };
        page = page.after(last.sequence_number);
        for message in peeked {
            let letter = *message.dead_letter.with_context(|| format!("{} does not say why", message.id))?;
            check(&letter).with_context(|| format!("message {}", message.id))?;
            if letters.is_empty() {
                println!("explained: message {}: {}", message.id, departures.explain(message.id).await?);
            }
            *kinds.entry(letter.to_string()).or_default() += 1;
            letters.push(letter);
        }
    }
    for (kind, count) in kinds {
        println!("  {count} {kind}");
    }
    Ok(letters)
}

/// Fails if a dead letter does not say what happened.
fn check(letter: &DeadLetter) -> Result<()> {
    let times = [letter.first_received_at, letter.last_received_at, letter.moved_at];
    ensure!(times.is_sorted(), "moved before it was received: {letter:?}");
    let tries = if letter.reason.is_some() { 1 } else { DELIVERIES_MAX };
    ensure!(letter.source == "departures" && letter.receive_count == tries, "{letter}");
    Ok(())
}

/// Asks what a task would move, lets it, and fails if either is not the wanted number.
async fn redrive(broker: &Broker, task: MoveTask, wanted: u64) -> Result<()> {
    let plan = broker.plan_move(&task).await?;
    expect("a redrive would move", plan.matching, wanted)?;
    ensure!(plan.by_destination.get("departures") == Some(&wanted), "the plan is {plan:?}");
    broker.start_move_task(task).await?;
    loop {
        // It runs in the background, and would go on after a restart.
        let tasks = broker.list_move_tasks("departures-dead", 1).await?;
        let task = tasks.first().context("a task that was started is listed")?;
        match &task.status {
            MoveTaskStatus::Running => sleep(Duration::from_millis(10)).await,
            MoveTaskStatus::Completed => return expect("redriven", task.moved, wanted),
            status => bail!("the redrive ended as {status:?}"),
        }
    }
}

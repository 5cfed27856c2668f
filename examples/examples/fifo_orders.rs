//! FIFO: what one aircraft did comes in order, while the aircraft among themselves go as fast as the workers can.
//!
//! Run it with `cargo run --release -p broker-examples --example fifo_orders -- --fail 7`.
//!
//! 27,004 real departures go through one FIFO queue. The tail number is the message group, so there are 3,149 of them.
//! Eight workers write a logbook for each aircraft. A receive returns up to ten messages, often several of one group;
//! nobody else gets any of that group until they are deleted or given back. With `--fail` workers fail at random: some
//! give messages back, some die after their work and before the delete. At the end every logbook must have its flights
//! in the order of the file.

use std::{
    collections::{HashMap, HashSet},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use broker_core::{
    AttributeValue, ChangeVisibility, Entries, LocalQueue, Message, ReceiveOptions, SendMessage,
};
use broker_examples::flights::{self, Flight};
use clap::Parser;
use parking_lot::Mutex;
use tokio::{task::JoinSet, time::Instant};

const WORKERS: usize = 8;

/// Each sends the flights of its own aircraft, one batch after the other: what is sent at the same time has no order.
const SENDERS: usize = 16;

/// How long a dead worker's messages, and all that is behind them, have to wait.
const VISIBILITY_TIMEOUT: Duration = Duration::from_secs(2);

/// A worker begins nothing more when it has had its messages for so long: they may soon be somebody else's.
const PATIENCE: Duration = Duration::from_secs(1);

/// When nothing comes for so long although there are messages, a group is stuck.
const STUCK: Duration = Duration::from_secs(60);

/// Sends real departures through a FIFO queue, one message group per aircraft, and verifies the order of each.
#[derive(Debug, Parser)]
#[command(name = "fifo_orders", version)]
struct Options {
    /// Keeps the queue on disk in this directory, and empties it first. Without it the queue is in memory.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,

    /// Lets workers fail at random: one message in 20 is given back, and after one in 1,000 the worker dies.
    #[arg(long, value_name = "SEED")]
    fail: Option<u64>,

    /// Takes a standard queue instead, which keeps no order: the program notices and exits with 1.
    #[arg(long)]
    standard: bool,
}

/// What was written about an aircraft.
#[derive(Debug, Default)]
struct Logbook {
    /// The rows of the file, in the order in which they were worked on, repeats included.
    entries: Vec<usize>,
    /// So many of the aircraft's flights are in the book.
    done: usize,
    /// The messages of so many of them are deleted.
    deleted: usize,
}

/// What producers and workers share.
struct Shared {
    flights: Vec<Flight>,
    /// For each row, which flight of its aircraft it is.
    places: Vec<usize>,
    queue: LocalQueue,
    fail: Option<u64>,
    standard: bool,
    all_sent: AtomicBool,
    logbooks: Mutex<HashMap<String, Logbook>>,
    received: AtomicU64,
    again: AtomicU64,
    given_back: AtomicU64,
    deaths: AtomicU64,
}

#[tokio::main]
async fn main() -> Result<()> {
    let options = Options::parse();
    let broker = flights::open(options.dir.as_deref()).await?;
    let queue =
        if options.standard { broker.queue("aircraft") } else { broker.queue("aircraft.fifo").fifo() };
    let queue = queue.visibility_timeout(VISIBILITY_TIMEOUT).await?;
    // What an earlier run has left, and the deduplication ids that it used.
    queue.purge().await?;

    let shared = Arc::new(Shared::new(flights::shipped()?.1, queue, &options));
    let begin = Instant::now();
    let mut tasks = JoinSet::new();
    for number in 0..WORKERS {
        tasks.spawn(work(number, shared.clone()));
    }
    let mut senders = JoinSet::new();
    for number in 0..SENDERS {
        senders.spawn(send(number, shared.clone()));
    }
    while let Some(sender) = senders.join_next().await {
        sender??;
    }
    shared.all_sent.store(true, Ordering::Release);
    while let Some(worker) = tasks.join_next().await {
        worker??;
    }
    shared.report(begin.elapsed());
    let verified = shared.verify();
    broker.close().await?;
    verified
}

/// Sends the flights of every so manyth aircraft, in the order of the file.
async fn send(number: usize, shared: Arc<Shared>) -> Result<()> {
    let ours = |tail: &str| crc32fast::hash(tail.as_bytes()) as usize % SENDERS == number;
    let mut batch = Entries::new();
    for (row, flight) in shared.flights.iter().enumerate().filter(|(_, flight)| ours(&flight.tail)) {
        let message = SendMessage::from(flight.line.clone()).attribute("row", AttributeValue::number(row));
        let message = message.group_id(&flight.tail);
        // A row that were sent twice within five minutes would come once.
        let id = (!shared.standard).then(|| row.to_string());
        batch.push(SendMessage { deduplication_id: id, ..message });
        if batch.len() == 10 {
            shared.queue.send_batch(std::mem::take(&mut batch)).await?.all()?;
        }
    }
    if !batch.is_empty() {
        shared.queue.send_batch(batch).await?.all()?;
    }
    Ok(())
}

/// Works until everything was sent and the queue is empty.
async fn work(number: usize, shared: Arc<Shared>) -> Result<()> {
    let mut idle_since = Instant::now();
    loop {
        let begin = Instant::now();
        let options = ReceiveOptions::up_to(10).wait_time(Duration::from_millis(100));
        let messages = shared.queue.receive(options).await?;
        if !messages.is_empty() {
            shared.settle(begin, &messages).await.with_context(|| format!("worker {number}"))?;
            idle_since = Instant::now();
        } else if shared.all_sent.load(Ordering::Acquire) && shared.queue.counters().await?.total() == 0 {
            return Ok(());
        } else if idle_since.elapsed() > STUCK {
            bail!("nothing came for {STUCK:?}: {}", shared.queue.why_empty().await?);
        }
    }
}

/// What happens to a worker at a message.
#[rustfmt::skip]
enum Fate { Works, Fails, Dies }

/// By the seed, the row and the delivery alone, so that a retry may have another fate.
fn fate(seed: u64, row: usize, delivery: u32) -> Fate {
    let hash = crc32fast::hash(format!("{seed} {row} {delivery}").as_bytes());
    match hash % 1_000 {
        0 => Fate::Dies,
        1..=50 => Fate::Fails,
        _ => Fate::Works,
    }
}

impl Shared {
    fn new(flights: Vec<Flight>, queue: LocalQueue, options: &Options) -> Self {
        let mut counts: HashMap<&str, usize> = HashMap::new();
        let mut place = |flight| {
            let count = counts.entry(flight).or_default();
            *count += 1;
            *count - 1
        };
        let places = flights.iter().map(|flight| place(flight.tail.as_str())).collect();
        Self {
            places,
            flights,
            queue,
            fail: options.fail,
            standard: options.standard,
            all_sent: AtomicBool::new(false),
            logbooks: Mutex::default(),
            received: AtomicU64::new(0),
            again: AtomicU64::new(0),
            given_back: AtomicU64::new(0),
            deaths: AtomicU64::new(0),
        }
    }

    /// Works on messages in the order in which they came. What fails is given back, and with it what is behind it in its
    /// group: the queue keeps the order between receives, a worker must keep it within one.
    async fn settle(&self, begin: Instant, messages: &[Message]) -> Result<()> {
        self.received.fetch_add(messages.len() as u64, Ordering::Relaxed);
        let (mut done, mut back, mut failed) = (Vec::new(), Entries::new(), HashSet::new());
        for message in messages {
            let row = row_of(message)?;
            let tail = &self.flights[row].tail;
            let fate = self.fail.map_or(Fate::Works, |seed| fate(seed, row, message.receive_count));
            self.again.fetch_add(u64::from(message.receive_count > 1), Ordering::Relaxed);
            if failed.contains(tail) || matches!(fate, Fate::Fails) || begin.elapsed() > PATIENCE {
                failed.insert(tail);
                back.push(ChangeVisibility { receipt: message.receipt, timeout: Duration::ZERO });
                continue;
            }
            self.write(row)?;
            if matches!(fate, Fate::Dies) {
                // Nothing is deleted and nothing given back: all of it comes again after the visibility timeout.
                self.deaths.fetch_add(1, Ordering::Relaxed);
                return Ok(());
            }
            done.push((row, message.receipt));
        }
        if !done.is_empty() {
            let receipts = done.iter().map(|(_, receipt)| *receipt).collect();
            let outcomes = self.queue.delete_batch(receipts).await?;
            // A worker that was too slow may not delete: the message comes again, which the logbook bears.
            let deleted = done.iter().zip(&outcomes.0).filter(|(_, (_, outcome))| outcome.is_ok());
            deleted.for_each(|((row, _), _)| self.deleted(*row));
        }
        if !back.is_empty() {
            self.given_back.fetch_add(back.len() as u64, Ordering::Relaxed);
            let _ = self.queue.change_visibility_batch(back).await?;
        }
        Ok(())
    }

    /// The work. Fails if the row comes before an earlier one of its aircraft, or after its own delete.
    fn write(&self, row: usize) -> Result<()> {
        let (tail, place) = (&self.flights[row].tail, self.places[row]);
        let mut logbooks = self.logbooks.lock();
        let book = logbooks.entry(tail.clone()).or_default();
        let Logbook { done, deleted, .. } = *book;
        ensure!(place <= done, "flight {place} of {tail} came, and only {done} were done");
        ensure!(place >= deleted, "flight {place} of {tail} came, and the first {deleted} are deleted");
        book.entries.push(row);
        book.done = done.max(place + 1);
        Ok(())
    }

    fn deleted(&self, row: usize) {
        let mut logbooks = self.logbooks.lock();
        let book = logbooks.get_mut(&self.flights[row].tail).expect("written before it was deleted");
        book.deleted = book.deleted.max(self.places[row] + 1);
    }

    fn report(&self, took: Duration) {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (received, again, seconds) = (count(&self.received), count(&self.again), took.as_secs_f64());
        println!(
            "{WORKERS} workers received {received} messages in {seconds:.2} s, {again} not for the first time"
        );
        println!(
            "given back: {} messages; workers that died: {}",
            count(&self.given_back),
            count(&self.deaths)
        );
    }

    /// Compares the logbooks with the file.
    fn verify(&self) -> Result<()> {
        let mut wanted: HashMap<&str, Vec<usize>> = HashMap::new();
        for (row, flight) in self.flights.iter().enumerate() {
            wanted.entry(&flight.tail).or_default().push(row);
        }
        let logbooks = self.logbooks.lock();
        let mut repeats = 0;
        for (tail, rows) in &wanted {
            let book = logbooks.get(*tail).with_context(|| format!("there is no logbook of {tail}"))?;
            let mut seen = HashSet::new();
            let first: Vec<usize> = book.entries.iter().copied().filter(|row| seen.insert(*row)).collect();
            ensure!(first == *rows, "the logbook of {tail} has rows {first:?}, the file has {rows:?}");
            ensure!(book.deleted == rows.len(), "{} flights of {tail} are deleted", book.deleted);
            repeats += book.entries.len() - first.len();
        }
        let (flights, aircraft) = (self.flights.len(), wanted.len());
        ensure!(logbooks.len() == aircraft, "{} logbooks, {aircraft} aircraft", logbooks.len());
        println!(
            "verified: {flights} departures of {aircraft} aircraft, each aircraft in the order of the file"
        );
        println!(
            "verified: none came before an earlier one of its aircraft, or after its delete; {repeats} repeats"
        );
        Ok(())
    }
}

/// The row that a message is about.
fn row_of(message: &Message) -> Result<usize> {
    let row = message.attributes.get("row").and_then(AttributeValue::text);
    row.and_then(|row| row.parse().ok()).with_context(|| format!("message {} names no row", message.id))
}

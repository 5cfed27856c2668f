//! Streams: the same events for many independent readers, in order, and again if wanted.
//!
//! Run it with `cargo run --release -p broker-examples --example clickstream`.
//!
//! 27,004 real departures of a month are put into a stream of four shards, with the tail number as the partition key. Three
//! consumer groups read it, each at its own pace and with checkpoints of its own:
//!
//! - the *logbooks* are written by four workers with the simple loop, of which one dies and leaves its shards to the others;
//! - the *carriers* are counted by processors, a task per shard, on two workers;
//! - the *board* comes when half is put, begins an hour back, and goes on from there.
//!
//! Meanwhile the hottest shard is split. At the end each aircraft's logbook must have its flights in the order of the file,
//! also where they went on in another shard, and the counts must be those of the file.
//!
//! The broker's clock is that of the departures: it stands at the hour in which a departure was scheduled, and moves on with
//! the file. So an hour of the board is an hour of theirs, though the whole month takes a moment.

mod team;
mod verify;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use broker_core::{
    LocalStream, ManualClock, PutRecord, ShardFilter, ShardId, ShardTraffic, StartingPosition, Timestamp,
};
use broker_examples::flights::{self, Columns, Flight};
use clap::Parser;
use parking_lot::Mutex;
use tokio::{sync::watch, task::JoinSet};

use crate::{
    team::{Counting, Team, reached},
    verify::Tally,
};

/// A stream keeps a record for 24 hours unless told otherwise, and by this clock a month passes.
const RETENTION: Duration = Duration::from_secs(40 * 86_400);
/// On a clock that jumps by hours a lease of seconds would be lost at each jump.
const LEASE: Duration = RETENTION;
/// The record at which the first worker of the logbooks dies.
const DIES_AT: usize = 1_000;
/// Something hangs if all of it takes longer than this.
const STUCK: Duration = Duration::from_secs(120);

/// Puts real departures into a stream that three consumer groups read, and verifies what each of them got.
#[derive(Debug, Parser)]
#[command(name = "clickstream", version)]
struct Options {
    /// Keeps the stream on disk in this directory. Without it the broker is in memory.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// What is known of an aircraft: its rows in the order in which they came, and the shards that they came from.
#[derive(Debug, Default)]
struct Logbook {
    lines: Vec<String>,
    shards: BTreeSet<ShardId>,
}

/// What everybody shares.
struct Shared {
    columns: Columns,
    flights: Vec<Flight>,
    /// How long after the first departure each row arrives.
    arrivals: Vec<Duration>,
    stream: LocalStream,
    clock: ManualClock,
    /// So many rows are put.
    put: watch::Sender<usize>,
    /// So many rows may be put.
    may_put: watch::Sender<usize>,
    logbooks: Mutex<BTreeMap<String, Logbook>>,
    carriers: Mutex<BTreeMap<String, Tally>>,
    board: Mutex<Tally>,
}

#[tokio::main]
async fn main() -> Result<()> {
    let options = Options::parse();
    let (columns, flights) = flights::shipped()?;
    let first = flights.first().context("there are no departures")?.hour_ms;
    let clock = ManualClock::new(first);
    let broker = flights::builder(options.dir.as_deref())?.clock(clock.clone()).open().await?;
    if broker.list_streams().iter().any(|name| name == "departures") {
        // What an earlier run has left.
        broker.delete_stream("departures").await?;
    }
    let stream = broker.stream("departures").shards(4).retention(RETENTION).await?;
    let all = Arc::new(Shared::new(columns, flights, stream, clock));
    let run = tokio::time::timeout(STUCK, run(&all)).await;
    let Ok(run) = run else {
        anyhow::bail!("nothing moves any more: {:#?}", all.stream.consumer_groups().await?);
    };
    let from = run?;
    let verified = all.verify(from);
    broker.close().await?;
    verified
}

/// Everything at the same time. Returns when the board's hour began.
async fn run(all: &Arc<Shared>) -> Result<Duration> {
    let (rows, from_all) = (all.flights.len(), StartingPosition::TrimHorizon);
    let (logbooks, carriers) = (Team::new(rows), Team::new(rows));
    let mut tasks = JoinSet::new();
    for worker in 0..4 {
        let consumer = all.stream.consumer("logbooks").lease(LEASE).start(from_all).await?;
        let dies_at = (worker == 0).then_some(DIES_AT);
        let all = all.clone();
        tasks.spawn(logbooks.clone().work(consumer, dies_at, move |shard, line| all.write(shard, line)));
    }
    for _ in 0..2 {
        let consumer = all.stream.consumer("carriers").lease(LEASE);
        let (all, team) = (all.clone(), carriers.clone());
        tasks.spawn(async move {
            let mates = team.clone();
            let counting = move |_| Counting::new(all.clone(), mates.clone());
            Ok(consumer.run(from_all, counting, team.finished()).await?)
        });
    }
    let half = all.half();
    all.may_put.send_replace(half);
    tasks.spawn(all.clone().put());
    reached(&all.put, half).await;
    let hottest = all.stream.traffic().await?.first().copied().context("there are no shards")?;
    // From here on at the same time as the third quarter; the last one waits for all of it to have begun.
    all.may_put.send_replace(rows * 3 / 4);
    all.split(hottest).await?;
    let from = all.arrivals[half - 1].saturating_sub(Duration::from_secs(3_600));
    let board = all.begin_board(from, &mut tasks).await?;
    all.may_put.send_replace(rows);
    while let Some(task) = tasks.join_next().await {
        task??;
    }
    ensure!(logbooks.again() > 0, "what the dead worker had did not come again");
    println!(
        "a worker of the logbooks died: {} records came again, known by their numbers",
        logbooks.again()
    );
    println!("carriers and board, whose workers lived, got {} again", carriers.again() + board.again());
    Ok(from)
}

impl Shared {
    fn new(columns: Columns, flights: Vec<Flight>, stream: LocalStream, clock: ManualClock) -> Self {
        let first = flights.first().map_or(0, |flight| flight.hour_ms);
        let mut latest = first;
        let mut arrival = |flight: &Flight| {
            // The file has a cancelled departure at the end of its day: it arrives then.
            latest = latest.max(flight.hour_ms);
            Duration::from_millis(latest - first)
        };
        Self {
            arrivals: flights.iter().map(&mut arrival).collect(),
            may_put: watch::Sender::new(0),
            put: watch::Sender::new(0),
            columns,
            flights,
            stream,
            clock,
            logbooks: Mutex::default(),
            carriers: Mutex::default(),
            board: Mutex::default(),
        }
    }

    /// Puts all departures, an hour of them in a commit.
    async fn put(self: Arc<Self>) -> Result<()> {
        let (mut row, mut now) = (0, Duration::ZERO);
        for hour in self.arrivals.chunk_by(|one, next| one == next) {
            reached(&self.may_put, row + hour.len()).await;
            self.clock.advance(hour[0].saturating_sub(now));
            now = hour[0];
            for flights in self.flights[row..row + hour.len()].chunks(500) {
                let record = |flight: &Flight| PutRecord::new(&flight.tail, flight.line.clone());
                let outcomes = self.stream.put_batch(flights.iter().map(record).collect()).await?;
                outcomes.into_iter().collect::<Result<Vec<_>, _>>()?;
                row += flights.len();
                self.put.send_replace(row);
            }
        }
        println!("put {row} departures, a month by their clock");
        Ok(())
    }

    /// The middle of the file, where an hour ends.
    fn half(&self) -> usize {
        let middle = self.arrivals[self.arrivals.len() / 2];
        self.arrivals.partition_point(|arrival| *arrival <= middle)
    }

    /// Splits the shard that gets the most: half of its aircraft go to each of two others.
    async fn split(&self, hottest: ShardTraffic) -> Result<()> {
        let ShardTraffic { shard, records, .. } = hottest;
        let shards = self.stream.shards(ShardFilter::AtLatest).await?;
        let range = shards.iter().find(|info| info.id == shard).context("it is not there")?.range;
        let middle = range.start + (range.end - range.start) / 2 + 1;
        let [low, high] = self.stream.split_shard(shard, middle).await?;
        println!("{shard} was the hottest, with {records} records in a minute: split into {low} and {high}");
        Ok(())
    }

    /// Starts the third group, in the past.
    async fn begin_board(
        self: &Arc<Self>,
        from: Duration,
        tasks: &mut JoinSet<Result<()>>,
    ) -> Result<Arc<Team>> {
        // By the time of the broker, which after an earlier run in this directory is ahead of the clock: it never goes back.
        let began = self.stream.attributes().await?.created_at.as_millis();
        let time = Timestamp::from_millis(began + u64::try_from(from.as_millis())?);
        let consumer = self.stream.consumer("board").lease(LEASE);
        let consumer = consumer.start(StartingPosition::AtTimestamp(time)).await?;
        let before = self.arrivals.partition_point(|arrival| *arrival < from);
        println!("the board begins an hour back, behind {before} departures");
        let (all, team) = (self.clone(), Team::new(self.flights.len() - before));
        let post = move |_, line: &str| all.board.lock().add(&all.columns, line);
        tasks.spawn(team.clone().work(consumer, None, post));
        Ok(team)
    }

    fn write(&self, shard: ShardId, line: &str) -> Result<()> {
        let [_, tail, ..] = self.columns.of(line)?;
        let mut logbooks = self.logbooks.lock();
        let book = logbooks.entry(tail.to_owned()).or_default();
        book.lines.push(line.to_owned());
        book.shards.insert(shard);
        Ok(())
    }

    fn count(&self, carriers: &mut BTreeMap<String, Tally>, line: &str) -> Result<()> {
        let [carrier, ..] = self.columns.of(line)?;
        carriers.entry(carrier.to_owned()).or_default().add(&self.columns, line)
    }
}

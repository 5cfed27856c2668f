//! Exactly once: a pipeline whose program is killed twenty times, and every input is counted once all the same.
//!
//! Run it with `cargo run --release -p broker-examples --example exactly_once`.
//!
//! 27,004 real departures go through three stages, each of which does all that it does in **one transaction**:
//!
//! 1. *feed* sends the next rows to a queue and moves its cursor, a user key;
//! 2. *count* receives rows, adds them to the totals of their carriers, marks them as counted, puts a record for each to a
//!    stream, and acknowledges them;
//! 3. *audit* reads the stream, counts once more, and moves its checkpoint.
//!
//! The program runs itself as a child, reads what that says, and kills it (SIGKILL) in the middle, twenty times. The last child
//! may finish. Then the totals must be those of the file, and every row must be marked, once. Nothing here looks whether
//! something was done before: a transaction that did not happen is done again, and one that did is not.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use broker_core::{
    Broker, Consumed, LocalQueue, LocalStream, Message, PutRecord, ReceiveOptions, Space, StartingPosition,
    Transaction,
};
use broker_examples::flights::{self, Columns};
use clap::Parser;

/// Rows that the feed sends in one transaction.
const FED_AT_ONCE: usize = 100;
/// Records that the audit takes in one transaction, at most.
const AUDITED_AT_ONCE: usize = 100;
/// Tasks that count. They share the totals, and so get in each other's way: who is late begins again.
const COUNTERS: usize = 2;
/// How long a stage waits for more before it looks whether all is done.
const WAIT: Duration = Duration::from_millis(100);

/// Counts real departures in a pipeline of transactions, while the program is killed again and again.
#[derive(Debug, Parser)]
#[command(name = "exactly_once", version)]
struct Options {
    /// Where the broker keeps everything; it must not exist. By default a directory that is removed at the end.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// How many times the program is killed.
    #[arg(long, default_value_t = 20)]
    kills: usize,
    /// Runs the pipeline in this directory to its end: what is killed.
    #[arg(long, value_name = "DIR", hide = true)]
    child: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> Result<()> {
    let options = Options::parse();
    if let Some(dir) = &options.child {
        return Pipeline::open(dir).await?.run().await;
    }
    let own = std::env::temp_dir().join(format!("broker-exactly-once-{}", std::process::id()));
    let dir = options.dir.as_deref().unwrap_or(&own);
    ensure!(!dir.exists(), "{} exists already", dir.display());
    let mut said = 0;
    for life in 0..options.kills {
        // From the first words to well into the work.
        said += live(dir, Some(1 + life * 37 % 150))?;
    }
    println!("killed {} times, after {said} transactions that were acknowledged", options.kills);
    said = live(dir, None)?;
    println!("the last one did {said} more, and finished");
    let checked = check(dir).await;
    if options.dir.is_none() {
        std::fs::remove_dir_all(&own).with_context(|| format!("removing {}", own.display()))?;
    }
    checked
}

/// Runs a child until it has said so much, and kills it; or to its end. Returns how many transactions it said it had done.
fn live(dir: &Path, lines: Option<usize>) -> Result<usize> {
    let mut child = Command::new(std::env::current_exe()?)
        .arg("--child")
        .arg(dir)
        .stdout(Stdio::piped())
        .spawn()
        .context("starting this program again")?;
    let output = child.stdout.take().context("its output is piped")?;
    let heard = BufReader::new(output).lines().take(lines.unwrap_or(usize::MAX)).count();
    if lines.is_some() {
        child.kill().context("killing it")?;
        child.wait()?;
    } else {
        let status = child.wait()?;
        ensure!(status.success(), "the last one failed: {status}");
    }
    Ok(heard)
}

/// What a carrier comes to.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Total {
    departures: u64,
    cancelled: u64,
    minutes: i64,
}

impl Total {
    fn read(value: Option<&[u8]>) -> Result<Self> {
        let Some(value) = value else { return Ok(Self::default()) };
        let text = std::str::from_utf8(value)?;
        let [departures, cancelled, minutes] = text.split(' ').collect::<Vec<_>>()[..] else {
            bail!("not a total: {text:?}");
        };
        Ok(Self { departures: departures.parse()?, cancelled: cancelled.parse()?, minutes: minutes.parse()? })
    }

    fn write(self) -> String {
        format!("{} {} {}", self.departures, self.cancelled, self.minutes)
    }

    fn add(&mut self, [_, _, dep_time, delay, _]: [&str; 5]) {
        self.departures += 1;
        self.cancelled += u64::from(dep_time == "NA");
        self.minutes += delay.parse::<i64>().unwrap_or(0);
    }
}

/// Everything that the stages share.
#[derive(Clone)]
struct Pipeline {
    broker: Broker,
    departures: LocalQueue,
    counted: LocalStream,
    cursor: Space,
    totals: Space,
    rows: Space,
    audited: Space,
    columns: Columns,
    lines: std::sync::Arc<Vec<String>>,
}

impl Pipeline {
    async fn open(dir: &Path) -> Result<Self> {
        let (columns, flights) = flights::shipped()?;
        let broker = flights::open(Some(dir)).await?;
        Ok(Self {
            departures: broker.queue("departures").await?,
            counted: broker.stream("counted").shards(2).await?,
            cursor: broker.space("cursor").await?,
            totals: broker.space("totals").await?,
            rows: broker.space("rows").await?,
            audited: broker.space("audited").await?,
            broker,
            columns,
            lines: std::sync::Arc::new(flights.into_iter().map(|flight| flight.line).collect()),
        })
    }

    /// Runs all stages until everything is audited.
    async fn run(self) -> Result<()> {
        let mut stages = tokio::task::JoinSet::new();
        stages.spawn(self.clone().feed());
        for _ in 0..COUNTERS {
            stages.spawn(self.clone().count());
        }
        stages.spawn(self.clone().audit());
        while let Some(ended) = stages.join_next().await {
            ended??;
        }
        self.broker.close().await?;
        Ok(())
    }

    /// Sends all rows, behind those that were sent before.
    async fn feed(self) -> Result<()> {
        loop {
            let mut tx = self.broker.transaction();
            let from = number(tx.get(&self.cursor, "next").await?.as_deref())?;
            let rows: Vec<_> = self.lines.iter().enumerate().skip(from).take(FED_AT_ONCE).collect();
            if rows.is_empty() {
                return Ok(());
            }
            for (row, line) in &rows {
                tx.send(&self.departures, format!("{row}\n{line}"))?;
            }
            tx.put(&self.cursor, "next", (from + rows.len()).to_string())?;
            tx.commit().await?;
            say("fed");
        }
    }

    /// Counts rows until all are.
    async fn count(self) -> Result<()> {
        loop {
            let poll = ReceiveOptions::up_to(10).wait_time(WAIT);
            let messages = self.departures.receive(poll).await?;
            if messages.is_empty() {
                if self.rows.stats().await?.keys == self.lines.len() as u64 {
                    return Ok(());
                }
                continue;
            }
            self.broker.transact(|tx| self.count_these(tx, &messages)).await?;
            say("counted");
        }
    }

    async fn count_these(&self, mut tx: Transaction, messages: &[Message]) -> Result<()> {
        for message in messages {
            let (row, line) = message.text()?.split_once('\n').context("not a row")?;
            let fields = self.columns.of(line)?;
            let carrier = fields[0];
            let mut total = Total::read(tx.get(&self.totals, carrier).await?.as_deref())?;
            total.add(fields);
            tx.put(&self.totals, carrier, total.write())?;
            // Nothing depends on this: it is to be seen that no row is counted twice.
            ensure!(tx.get(&self.rows, row).await?.is_none(), "row {row} is counted twice");
            tx.put(&self.rows, row, "counted")?;
            tx.put_record(&self.counted, PutRecord::new(carrier, line.to_owned()))?;
            tx.ack(&self.departures, message.receipt)?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Counts once more what comes out of the stream.
    async fn audit(self) -> Result<()> {
        let mut consumer = self.counted.consumer("audit").start(StartingPosition::TrimHorizon).await?;
        loop {
            let mut records: Vec<Consumed> = Vec::new();
            while records.len() < AUDITED_AT_ONCE
                && let Ok(record) = tokio::time::timeout(WAIT, consumer.next()).await
            {
                records.push(record?);
            }
            if !records.is_empty() {
                self.broker.transact(|tx| self.audit_these(tx, &records)).await?;
                say("audited");
            } else if self.all_audited().await? {
                return Ok(());
            }
        }
    }

    async fn audit_these(&self, mut tx: Transaction, records: &[Consumed]) -> Result<()> {
        for record in records {
            let fields = self.columns.of(std::str::from_utf8(&record.data)?)?;
            let mut total = Total::read(tx.get(&self.audited, fields[0]).await?.as_deref())?;
            total.add(fields);
            tx.put(&self.audited, fields[0], total.write())?;
            tx.checkpoint(record)?;
        }
        tx.commit().await?;
        Ok(())
    }

    async fn all_audited(&self) -> Result<bool> {
        let audited = totals(&self.audited).await?;
        Ok(audited.values().map(|total| total.departures).sum::<u64>() == self.lines.len() as u64)
    }
}

fn number(value: Option<&[u8]>) -> Result<usize> {
    value.map_or(Ok(0), |value| Ok(std::str::from_utf8(value)?.parse()?))
}

/// A transaction was acknowledged. If nobody listens any more, this program is about to be killed.
fn say(what: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{what}").and_then(|()| out.flush());
}

async fn totals(space: &Space) -> Result<BTreeMap<String, Total>> {
    let entries = space.scan("", None, 1_000).await?.entries;
    let total = |(carrier, value): &(bytes::Bytes, bytes::Bytes)| {
        Ok((String::from_utf8(carrier.to_vec())?, Total::read(Some(value))?))
    };
    entries.iter().map(total).collect()
}

/// Compares what is left with a straight computation over the file.
async fn check(dir: &Path) -> Result<()> {
    let pipeline = Pipeline::open(dir).await?;
    let mut straight: BTreeMap<String, Total> = BTreeMap::new();
    for line in &*pipeline.lines {
        let fields = pipeline.columns.of(line)?;
        straight.entry(fields[0].to_owned()).or_default().add(fields);
    }
    ensure!(totals(&pipeline.totals).await? == straight, "the totals are not those of the file");
    ensure!(totals(&pipeline.audited).await? == straight, "what was audited is not what is in the file");
    let marked = pipeline.rows.stats().await?.keys;
    ensure!(marked == pipeline.lines.len() as u64, "{marked} rows are marked, of {}", pipeline.lines.len());
    ensure!(pipeline.departures.counters().await?.total() == 0, "messages are left in the queue");
    println!("verified: {marked} rows of {} carriers, each counted once and audited once", straight.len());
    pipeline.broker.close().await?;
    Ok(())
}

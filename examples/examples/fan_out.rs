//! Topics: one event, many independent consumers, and the publisher knows none of them.
//!
//! Run it with `cargo run --release -p broker-examples --example fan_out`.
//!
//! 27,004 real departures are published once, to one topic. Three consumers get them, each at its own pace:
//!
//! - the *dashboard* counts departures per carrier. It has a queue, and gets everything;
//! - *scoring* adds up long delays. Its subscription has a filter with a number in it, so its queue holds nothing else;
//! - the *warehouse* loads everything, in order. It is a handler in this process; it is offline while the first half is
//!   published, and goes away once more later. What it misses waits for it, and slows nobody down.
//!
//! Each message reaches all three in one commit, or none of them. At the end their counts must be those of the file.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::{Result, ensure};
use broker_core::{
    AttributeValue, Broker, Endpoint, Entries, LocalQueue, LocalTopic, Message, Notification, PublishMessage,
    ReceiveOptions, SubscriptionId,
};
use broker_examples::flights::{self, Columns, Flight};
use clap::Parser;
use parking_lot::Mutex;

/// A departure is late from this many minutes on.
const LATE_MINUTES: i64 = 60;

/// Publishes real departures to a topic with three consumers, and verifies what each of them got.
#[derive(Debug, Parser)]
#[command(name = "fan_out", version)]
struct Options {
    /// Keeps everything on disk in this directory. Without it the broker is in memory.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// What the consumers found out.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Report {
    by_carrier: BTreeMap<String, u64>,
    late: u64,
    late_minutes: i64,
    loaded: u64,
}

#[tokio::main]
async fn main() -> Result<()> {
    let options = Options::parse();
    let broker = flights::open(options.dir.as_deref()).await?;
    let topic = broker.topic("departures").await?;
    let dashboard = fresh_queue(&broker, "dashboard").await?;
    let scoring = fresh_queue(&broker, "scoring").await?;
    // Made anew, so that nothing of an earlier run waits.
    for old in topic.subscriptions().await? {
        topic.unsubscribe(old.id).await?;
    }
    topic.subscribe(&dashboard).raw_delivery(true).await?;
    let late = format!(r#"{{"delay": [{{"numeric": [">=", {LATE_MINUTES}]}}]}}"#);
    topic.subscribe(&scoring).raw_delivery(true).filter_attributes(late).await?;
    let warehouse = topic.subscribe(Endpoint::handler("warehouse")).await?.id;

    let (columns, all) = flights::shipped()?;
    let published = Arc::new(AtomicBool::new(false));
    let counting = tokio::spawn(count(dashboard, published.clone()));
    let adding = tokio::spawn(add_up(scoring, published.clone()));

    let (first, second) = all.split_at(all.len() / 2);
    publish(&topic, &columns, first, 0).await?;
    let waiting = topic.subscription(warehouse).await?.counters.waiting;
    println!("published {}, the warehouse is offline: {waiting} wait for it", first.len());

    let loaded = Arc::new(Mutex::new(Vec::new()));
    load_some(&topic, warehouse, &loaded, 5_000).await?;
    println!("the warehouse loaded {} and is gone again", loaded.lock().len());
    publish(&topic, &columns, second, first.len()).await?;
    published.store(true, Ordering::Release);
    load_some(&topic, warehouse, &loaded, all.len()).await?;
    println!("published {}, the warehouse has caught up", second.len());

    let (late, late_minutes) = adding.await??;
    let loaded = loaded.lock().clone();
    let in_order = loaded.iter().copied().eq((0..all.len()).map(Some));
    ensure!(in_order, "the warehouse has not loaded every row once and in order");
    let report = Report { by_carrier: counting.await??, late, late_minutes, loaded: loaded.len() as u64 };
    broker.close().await?;
    verify(&report, &columns, &all)
}

async fn fresh_queue(broker: &Broker, name: &str) -> Result<LocalQueue> {
    let queue = broker.queue(name).await?;
    queue.purge().await?;
    Ok(queue)
}

/// Publishes departures, ten in a commit. The first is this row of the file.
async fn publish(topic: &LocalTopic, columns: &Columns, flights: &[Flight], first: usize) -> Result<()> {
    let rows: Vec<_> = (first..).zip(flights).collect();
    for batch in rows.chunks(10) {
        let message = |(row, flight): &(usize, &Flight)| -> Result<PublishMessage> {
            let message = PublishMessage::new(&flight.line).attribute("row", AttributeValue::number(row));
            let message = message.attribute("carrier", AttributeValue::string(&flight.carrier));
            // A departure that was cancelled has no delay, and so no number to compare.
            Ok(match delay(columns, &flight.line)? {
                Some(minutes) => message.attribute("delay", AttributeValue::number(minutes)),
                None => message,
            })
        };
        let batch: Entries<_> = batch.iter().map(message).collect::<Result<Vec<_>>>()?.into_iter().collect();
        topic.publish_batch(batch).await?.all()?;
    }
    Ok(())
}

/// The delay of a departure in minutes, if it departed.
fn delay(columns: &Columns, line: &str) -> Result<Option<i64>> {
    let [_, _, _, delay, _] = columns.of(line)?;
    Ok(delay.parse().ok())
}

/// The dashboard: departures per carrier.
async fn count(queue: LocalQueue, published: Arc<AtomicBool>) -> Result<BTreeMap<String, u64>> {
    let mut by_carrier = BTreeMap::new();
    while let Some(messages) = next(&queue, &published).await? {
        for message in messages {
            let carrier = message.attributes.get("carrier").and_then(AttributeValue::text);
            *by_carrier.entry(carrier.unwrap_or("?").to_owned()).or_default() += 1;
        }
    }
    Ok(by_carrier)
}

/// Scoring: how many departures were late, and by how much.
async fn add_up(queue: LocalQueue, published: Arc<AtomicBool>) -> Result<(u64, i64)> {
    let (mut late, mut late_minutes) = (0, 0);
    while let Some(messages) = next(&queue, &published).await? {
        for message in messages {
            let minutes = message.attributes.get("delay").and_then(AttributeValue::text).unwrap_or("?");
            late += 1;
            late_minutes += minutes.parse::<i64>()?;
        }
    }
    Ok((late, late_minutes))
}

/// The next messages of a queue, which are its consumer's from here on; `None` when there are no more and all is published.
async fn next(queue: &LocalQueue, published: &AtomicBool) -> Result<Option<Vec<Message>>> {
    loop {
        let all = published.load(Ordering::Acquire);
        let poll = ReceiveOptions::up_to(10).wait_time(Duration::from_millis(200));
        let messages = queue.receive(poll).await?;
        if !messages.is_empty() {
            queue.delete_batch(messages.iter().map(|message| message.receipt).collect()).await?.all()?;
            return Ok(Some(messages));
        }
        if all {
            return Ok(None);
        }
    }
}

/// The warehouse, until it has loaded so many.
async fn load_some(
    topic: &LocalTopic,
    subscription: SubscriptionId,
    loaded: &Arc<Mutex<Vec<Option<usize>>>>,
    until: usize,
) -> Result<()> {
    let enough = Arc::new(tokio::sync::Notify::new());
    let (shelf, done) = (loaded.clone(), enough.clone());
    let attached = topic.attach(subscription, move |departure: Notification| {
        let mut shelf = shelf.lock();
        let row = departure.attributes.get("row").and_then(AttributeValue::text);
        shelf.push(row.and_then(|row| row.parse().ok()));
        if shelf.len() >= until {
            done.notify_one();
        }
        async {}
    });
    let attached = attached.await?;
    enough.notified().await;
    attached.stop().await;
    Ok(())
}

/// Compares what the consumers found with a straight computation over the file.
fn verify(report: &Report, columns: &Columns, all: &[Flight]) -> Result<()> {
    let mut straight = Report { loaded: all.len() as u64, ..Report::default() };
    for flight in all {
        *straight.by_carrier.entry(flight.carrier.clone()).or_default() += 1;
        if let Some(minutes) = delay(columns, &flight.line)?.filter(|minutes| *minutes >= LATE_MINUTES) {
            straight.late += 1;
            straight.late_minutes += minutes;
        }
    }
    let Report { by_carrier, late, late_minutes, loaded } = report;
    println!("dashboard: {} departures of {} carriers", by_carrier.values().sum::<u64>(), by_carrier.len());
    println!(
        "scoring: {late} departures were {LATE_MINUTES} minutes late or more, {late_minutes} minutes together"
    );
    println!("warehouse: {loaded} departures, each once and in order");
    ensure!(*report == straight, "not what is in the file: {straight:?}");
    println!("verified: equal to the straight computation");
    Ok(())
}

//! Publishing to 1, 10 and 100 queues, with and without filters, in memory and on sled. Against what one would do without
//! a topic: a send to each of the queues, with the commit that each of them takes.
//!
//! Then what it costs to store: the memory and the disk that large messages take in 100 queues.

#![allow(clippy::disallowed_methods, reason = "a bench reads the clock")]
#![allow(clippy::cast_precision_loss, reason = "ratios need no more than a few digits")]
#![allow(missing_docs, reason = "criterion's macros make public functions")]

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use broker_benches::{Contest, resident_bytes};
use broker_core::{
    AttributeValue, Broker, LocalQueue, LocalTopic, PublishMessage, SendMessage,
    storage::{Durability, Storage},
};
use broker_mem::MemStorage;
use broker_sled::SledStorage;
use criterion::{Criterion, criterion_group, criterion_main};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// Makes an empty store, and returns what must outlive it.
type MakeStore = fn() -> (Arc<dyn Storage>, Option<TempDir>);

fn in_memory() -> (Arc<dyn Storage>, Option<TempDir>) {
    (Arc::new(MemStorage::new()), None)
}

fn on_sled() -> (Arc<dyn Storage>, Option<TempDir>) {
    let directory = tempfile::tempdir().expect("a directory");
    (Arc::new(SledStorage::open(directory.path().join("store")).expect("open sled")), Some(directory))
}

/// Every subscription wants the messages, which costs the most.
const POLICY: &str =
    r#"{"source": ["web", "shop"], "total": [{"numeric": [">", 100]}], "country": [{"prefix": "d"}]}"#;
/// What is published is not received, so a store is left behind after so many rounds.
const ROUNDS_OF_A_STORE: u64 = 200;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Publish,
    PublishFiltered,
    SendToEach,
}

struct World {
    broker: Broker,
    topic: LocalTopic,
    queues: Vec<LocalQueue>,
    directory: Option<TempDir>,
}

async fn world((store, directory): (Arc<dyn Storage>, Option<TempDir>), queues: usize, way: Way) -> World {
    let broker = Broker::builder_on(store).open().await.expect("open");
    // Not synced: this measures the work, not the disk's latency.
    let topic = broker.topic("bench").durability(Durability::Buffered).await.expect("topic");
    let mut made = Vec::new();
    for n in 0..queues {
        let queue = broker.queue(format!("q{n}")).durability(Durability::Buffered).await.expect("queue");
        let subscribing = topic.subscribe(&queue).raw_delivery(true);
        match way {
            Way::PublishFiltered => subscribing.filter_attributes(POLICY).await.expect("subscribe"),
            _ => subscribing.await.expect("subscribe"),
        };
        made.push(queue);
    }
    World { broker, topic, queues: made, directory }
}

const BODY: &str = "{\"order\": 4711, \"customer\": \"c-81\", \"lines\": [{\"sku\": \"a\", \"n\": 2}, {\"sku\": \"b\", \"n\": 1}]}";

fn attributes() -> [(&'static str, AttributeValue); 3] {
    [
        ("source", AttributeValue::string("web")),
        ("total", AttributeValue::number(120)),
        ("country", AttributeValue::string("de")),
    ]
}

async fn rounds(world: &World, way: Way, rounds: u64) {
    for _ in 0..rounds {
        if way == Way::SendToEach {
            for queue in &world.queues {
                let message = SendMessage { attributes: attributes().into_iter().collect(), ..BODY.into() };
                queue.send(message).await.expect("send");
            }
        } else {
            let message = PublishMessage { attributes: attributes().into_iter().collect(), ..BODY.into() };
            world.topic.publish(message).await.expect("publish");
        }
    }
}

fn turn(runtime: &Runtime, store: MakeStore, queues: usize, way: Way, mut left: u64) -> Duration {
    let mut took = Duration::ZERO;
    while left > 0 {
        let some = left.min(ROUNDS_OF_A_STORE);
        let world = runtime.block_on(world(store(), queues, way));
        let start = Instant::now();
        runtime.block_on(rounds(&world, way, some));
        took += start.elapsed();
        runtime.block_on(world.broker.close()).expect("close");
        left -= some;
    }
    took
}

fn publishing(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build();
    let runtime = runtime.expect("a runtime");
    for (name, store) in [("memory", in_memory as MakeStore), ("sled", on_sled)] {
        for queues in [1, 10, 100] {
            let name = format!("publish on {name}, to {queues} queues");
            let mut contest = Contest::new(name, queues as u64).turns_of(Duration::from_millis(150));
            let ways = [
                ("publish", Way::Publish),
                ("publish with filters", Way::PublishFiltered),
                ("a send to each queue", Way::SendToEach),
            ];
            for (name, way) in ways {
                let runtime = &runtime;
                contest.enter(name, move |rounds| turn(runtime, store, queues, way, rounds));
            }
            contest.run(criterion);
        }
    }
    stored(&runtime);
}

/// What 50 messages of 64 KiB take in 100 queues, raw.
fn stored(runtime: &Runtime) {
    const MESSAGES: usize = 50;
    const BYTES: usize = 64 * 1024;
    let published = (MESSAGES * BYTES) as f64;
    for (name, store) in [("memory", in_memory as MakeStore), ("sled", on_sled)] {
        let world = runtime.block_on(world(store(), 100, Way::Publish));
        let before = resident_bytes();
        let body = "x".repeat(BYTES);
        for _ in 0..MESSAGES {
            runtime.block_on(world.topic.publish(body.as_str())).expect("publish");
        }
        let memory = resident_bytes().saturating_sub(before) as f64 / published;
        runtime.block_on(world.broker.close()).expect("close");
        let disk =
            world.directory.as_ref().map_or(0, |directory| bytes_in(directory.path())) as f64 / published;
        println!(
            "stored  {name}: 64 KiB in 100 queues take {memory:.1} times their size in memory, {disk:.1} on disk"
        );
    }
}

fn bytes_in(directory: &Path) -> u64 {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(data) if data.is_dir() => bytes_in(&entry.path()),
            Ok(data) => data.len(),
            Err(_) => 0,
        })
        .sum()
}

criterion_group!(benches, publishing);
criterion_main!(benches);

//! A worker on a stream: batches in order, records that always fail, a shard that splits meanwhile, a restart, and windows with a sum.
//!
//! Run it with `cargo run -p broker-examples --example stream_worker`. It runs on virtual time, so that ten minutes take none.
//!
//! Sensors put a reading each second. Two of the readings are no numbers. The function `store` keeps readings; a batch with a bad one
//! fails, is cut in two again and again until the bad one is alone, and goes on behind it. A queue is told where the bad ones are.
//! The function `sum` adds up what comes in a minute: its state goes from invocation to invocation, and a last one says the sum.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use broker_core::{Broker, LocalStream, PutRecord, ReceiveOptions, Record, RecordNumber, ShardId};
use broker_mem::MemStorage;
use broker_worker::{
    Context, Failure,
    invoke::QueueDestination,
    stream::{RecordBatch, RunningStream, StreamMapping, StreamResponse, batch},
};
use parking_lot::Mutex;

/// How many sensors there are, and for how many seconds they put readings.
const SENSORS: u32 = 20;
const SECONDS: u32 = 300;
/// Which readings are no numbers: sensor and second.
const BAD: [(u32, u32); 2] = [(3, 77), (11, 200)];
/// How long a function may go on with what it has when it is stopped.
const DRAIN: Duration = Duration::from_secs(10);

/// What was stored.
type Stored = Arc<Mutex<Readings>>;

/// The readings of each sensor in the order in which they came, with the numbers of their records.
#[derive(Default)]
struct Readings {
    of: BTreeMap<String, Vec<(RecordNumber, u32)>>,
    /// How many came again after a restart. They are known by their numbers.
    again: u32,
}

impl Readings {
    fn store(&mut self, sensor: &str, number: RecordNumber, reading: u32) {
        let readings = self.of.entry(sensor.to_owned()).or_default();
        match readings.last() {
            Some((last, _)) if number <= *last => self.again += 1,
            _ => readings.push((number, reading)),
        }
    }
}

/// The reading of a sensor at a second.
fn reading(sensor: u32, second: u32) -> u32 {
    sensor * 1_000 + second
}

/// Puts the readings of a second.
async fn put_second(stream: &LocalStream, second: u32) -> anyhow::Result<()> {
    let record = |sensor| {
        let bad = BAD.contains(&(sensor, second));
        let text = if bad { "NaN".to_owned() } else { reading(sensor, second).to_string() };
        PutRecord::new(format!("sensor-{sensor}"), text)
    };
    for put in stream.put_batch((0..SENSORS).map(record).collect()).await? {
        put?;
    }
    Ok(())
}

/// The readings of a batch, or which one is no number.
fn readings(batch: &RecordBatch) -> Result<Vec<(&Record, u32)>, Failure> {
    let mut readings = Vec::new();
    for record in batch.records() {
        let text = String::from_utf8_lossy(&record.data);
        let reading = text.parse().map_err(|_| Failure::new(format!("{text:?} is no number")))?;
        readings.push((record, reading));
    }
    Ok(readings)
}

/// Starts the function that stores readings: all of a batch, or none.
async fn start_store(
    stream: &LocalStream,
    stored: &Stored,
    failed: Arc<QueueDestination>,
) -> anyhow::Result<RunningStream> {
    let stored = stored.clone();
    let handler = batch(move |batch: RecordBatch, _: Context| {
        let stored = stored.clone();
        async move {
            for (record, reading) in readings(&batch)? {
                stored.lock().store(&record.partition_key, record.number, reading);
            }
            Ok::<_, Failure>(())
        }
    });
    let mapping = StreamMapping::new("store", stream.clone(), handler)
        .window(Duration::from_secs(5))
        .parallelization_factor(2)
        .bisect_batch_on_function_error(true)
        .maximum_retry_attempts(2)
        .on_failure(failed);
    Ok(mapping.start().await?)
}

/// Starts the function that adds up what comes in a minute.
async fn start_sum(stream: &LocalStream, sums: &Arc<Mutex<Vec<u64>>>) -> anyhow::Result<RunningStream> {
    let sums = sums.clone();
    let handler = batch(move |batch: RecordBatch, _: Context| {
        let sums = sums.clone();
        async move {
            let window = batch.window().ok_or_else(|| Failure::new("no window"))?;
            let before = window.state.as_u64().unwrap_or(0);
            if window.is_final {
                sums.lock().push(before);
            }
            let more = batch
                .records()
                .iter()
                .filter_map(|record| std::str::from_utf8(&record.data).ok()?.parse::<u64>().ok());
            Ok::<_, Failure>(StreamResponse::State((before + more.sum::<u64>()).into()))
        }
    });
    let mapping = StreamMapping::new("sum", stream.clone(), handler);
    Ok(mapping.tumbling_window(Duration::from_secs(60)).start().await?)
}

async fn run() -> anyhow::Result<()> {
    let broker = Broker::open(MemStorage::new()).await?;
    let stream = broker.stream("readings").shards(2).await?;
    let failed = broker.queue("failed-readings").await?;
    let told = QueueDestination::new(Arc::new(failed.clone()))?;
    let (stored, sums) = (Stored::default(), Arc::default());
    let mut store = start_store(&stream, &stored, told.clone()).await?;
    let sum = start_sum(&stream, &sums).await?;

    for second in 0..SECONDS {
        put_second(&stream, second).await?;
        tokio::time::sleep(Duration::from_secs(1)).await;
        if second == 100 {
            let children = stream.split_shard(ShardId(0), 1 << 126).await?;
            println!("{second:>3} s: shard 0 was split into {} and {}", children[0], children[1]);
        }
        if second == 150 {
            let counts = store.counts();
            store.stop(DRAIN).await;
            println!("{second:>3} s: store was stopped after {} readings, and started again", counts.done);
            store = start_store(&stream, &stored, told.clone()).await?;
        }
    }
    tokio::time::sleep(Duration::from_secs(120)).await;
    let counts = store.counts();
    println!(
        "store, after its restart: {} readings in {} invocations, {} given up",
        counts.done, counts.invocations, counts.given_up
    );
    for message in failed.receive(ReceiveOptions::up_to(10)).await? {
        println!("given up: {}", message.text()?);
    }
    store.stop(DRAIN).await;
    sum.stop(DRAIN).await;
    verify(&stored.lock(), &sums.lock())
}

/// Compares with what was put.
fn verify(stored: &Readings, sums: &[u64]) -> anyhow::Result<()> {
    let mut all = 0;
    for sensor in 0..SENSORS {
        let good = (0..SECONDS).filter(|second| !BAD.contains(&(sensor, *second)));
        let expected: Vec<u32> = good.map(|second| reading(sensor, second)).collect();
        all += expected.iter().copied().map(u64::from).sum::<u64>();
        let found = stored.of.get(&format!("sensor-{sensor}")).into_iter().flatten();
        let found: Vec<u32> = found.map(|(_, reading)| *reading).collect();
        anyhow::ensure!(found == expected, "the readings of sensor {sensor} are not as they were put");
    }
    println!("{} readings came again after the restart, known by their numbers", stored.again);
    println!("verified: {} readings, each once, those of each sensor in their order", SENSORS * SECONDS - 2);
    anyhow::ensure!(sums.iter().sum::<u64>() == all, "the sums of the windows are not those of the readings");
    println!("verified: the sums of {} windows are the sum of all readings", sums.len());
    Ok(())
}

fn main() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?;
    runtime.block_on(run())
}

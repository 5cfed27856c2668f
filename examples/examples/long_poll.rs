//! Long poll: a consumer waits for a message without asking again and again.
//!
//! Run it with `cargo run --release -p broker-examples --example long_poll`.
//!
//! A receive with a wait time returns as soon as there is a message. While it waits nothing runs: no polling, no timer
//! but the one that ends the wait. So waiting costs nothing, and waking up takes microseconds.

use std::time::Duration;

use broker_core::{Broker, LocalQueue, ReceiveOptions};
use broker_mem::MemStorage;
use tokio::time::{Instant, sleep};

const ROUNDS: usize = 20;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let broker = Broker::open(MemStorage::new()).await?;
    let bell = broker.queue("bell").await?;

    let begin = Instant::now();
    let consumer = tokio::spawn(measure(bell.clone(), begin));
    for _ in 0..ROUNDS {
        // Long enough for the consumer to be asleep again.
        sleep(Duration::from_millis(10)).await;
        bell.send(begin.elapsed().as_nanos().to_string()).await?;
    }
    let mut latencies = consumer.await??;
    latencies.sort_unstable();
    println!(
        "woken {} times, from send to receive: median {:?}, longest {:?}",
        latencies.len(),
        latencies[latencies.len() / 2],
        latencies[latencies.len() - 1]
    );

    // Without a message, the receive returns when its time is up.
    let begin = Instant::now();
    let short = ReceiveOptions::up_to(1).wait_time(Duration::from_millis(100));
    let nothing = bell.receive(short).await?;
    println!("waited {} ms for {} messages", begin.elapsed().as_millis(), nothing.len());
    Ok(())
}

/// The consumer: takes messages that say when they were sent, and notes how long each took.
async fn measure(bell: LocalQueue, begin: Instant) -> anyhow::Result<Vec<Duration>> {
    let patient = ReceiveOptions::up_to(1).wait_time(Duration::from_secs(20));
    let mut latencies = Vec::new();
    while latencies.len() < ROUNDS {
        // Empty if 20 seconds pass without a message: then it just waits again.
        for message in bell.receive(patient.clone()).await? {
            let sent = Duration::from_nanos(message.text()?.parse()?);
            latencies.push(begin.elapsed().saturating_sub(sent));
            bell.delete(message.receipt).await?;
        }
    }
    Ok(latencies)
}

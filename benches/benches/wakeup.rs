//! A consumer that waits: what it costs while nothing happens, and how soon it has a message that was sent to it.

#![allow(clippy::disallowed_methods, reason = "a bench reads the clock")]
#![allow(missing_docs, reason = "criterion's macros make public functions")]

use std::time::{Duration, Instant};

use broker_benches::{Contest, processor_ticks};
use broker_core::{Broker, LocalQueue, ReceiveOptions};
use broker_mem::MemStorage;
use criterion::{Criterion, criterion_group, criterion_main};
use tokio::{runtime::Runtime, sync::mpsc};

async fn next(queue: &LocalQueue) {
    let wait = ReceiveOptions::up_to(1).wait_time(Duration::from_secs(20));
    for message in queue.receive(wait).await.expect("receive") {
        queue.delete(message.receipt).await.expect("delete");
    }
}

/// Ping and pong over two queues: two wake-ups a round.
fn over_queues(runtime: &Runtime, ping: &LocalQueue, pong: &LocalQueue, rounds: u64) -> Duration {
    let start = Instant::now();
    let (there, back) = (ping.clone(), pong.clone());
    let echo = runtime.spawn(async move {
        for _ in 0..rounds {
            next(&there).await;
            back.send("pong").await.expect("send");
        }
    });
    runtime.block_on(async {
        for _ in 0..rounds {
            ping.send("ping").await.expect("send");
            next(pong).await;
        }
        echo.await.expect("the echo");
    });
    start.elapsed()
}

/// The same over tokio's channels, which keep nothing and lease nothing.
fn over_channels(runtime: &Runtime, rounds: u64) -> Duration {
    let (ping, mut pinged) = mpsc::unbounded_channel();
    let (pong, mut ponged) = mpsc::unbounded_channel();
    let start = Instant::now();
    let echo = runtime.spawn(async move {
        while pinged.recv().await.is_some() {
            let _ = pong.send(());
        }
    });
    runtime.block_on(async {
        for _ in 0..rounds {
            let _ = ping.send(());
            ponged.recv().await;
        }
        drop(ping);
        echo.await.expect("the echo");
    });
    start.elapsed()
}

fn wakeup(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build();
    let runtime = runtime.expect("a runtime");
    let broker = runtime.block_on(Broker::open(MemStorage::new())).expect("open");
    let ping = runtime.block_on(broker.queue("ping").into_future()).expect("queue");
    let pong = runtime.block_on(broker.queue("pong").into_future()).expect("queue");
    let mut contest = Contest::new("wake-up, two a round", 2);
    contest.enter("broker", |rounds| over_queues(&runtime, &ping, &pong, rounds));
    contest.enter("channels", |rounds| over_channels(&runtime, rounds));
    contest.run(criterion);
    drop(contest);
    idle(&runtime, &ping);
}

/// Processor time that eight blocked consumers use in two seconds.
fn idle(runtime: &Runtime, queue: &LocalQueue) {
    let consumers: Vec<_> = (0..8)
        .map(|_| {
            let queue = queue.clone();
            runtime.spawn(async move { next(&queue).await })
        })
        .collect();
    std::thread::sleep(Duration::from_millis(200));
    let before = processor_ticks();
    std::thread::sleep(Duration::from_secs(2));
    let used = processor_ticks() - before;
    println!("idle   8 consumers in a long poll for 2 s: {used} ticks of 10 ms of processor time");
    consumers.iter().for_each(tokio::task::JoinHandle::abort);
}

criterion_group!(benches, wakeup);
criterion_main!(benches);

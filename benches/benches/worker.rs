//! What the consumer runtime adds to a message, against a bare loop of receive and delete that does the same work. Wanted: under
//! a fifth at batches of 10. In memory, where nothing else hides it.

#![allow(clippy::disallowed_methods, reason = "a bench reads the clock")]
#![allow(clippy::cast_precision_loss, reason = "ratios need no more than a few digits")]
#![allow(missing_docs, reason = "criterion's macros make public functions")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use broker_benches::{Contest, processor_ticks};
use broker_core::{Broker, Entries, LocalQueue, ReceiveOptions, SendMessage};
use broker_mem::MemStorage;
use broker_worker::{
    Handler,
    handler::{batch, each},
    queue::{Batch, Pollers, QueueMapping, Received, Running},
};
use criterion::{Criterion, criterion_group, criterion_main};
use tokio::{runtime::Runtime, sync::Notify};

/// Messages in a round: so many that what begins and ends a round does not count.
const MESSAGES: usize = 10_000;
const BATCH: usize = 10;
/// For the processor time: turns, and rounds in each.
const TURNS: u64 = 20;
const CHUNK: u64 = 20;

/// How many messages were handled, and a call for whoever waits for all of a round.
#[derive(Default)]
struct Handled {
    count: AtomicUsize,
    all: Notify,
}

impl Handled {
    fn add(&self, messages: usize) {
        if self.count.fetch_add(messages, Ordering::Relaxed) + messages == MESSAGES {
            self.count.store(0, Ordering::Relaxed);
            self.all.notify_one();
        }
    }
}

async fn fill(queue: &LocalQueue) {
    for _ in 0..MESSAGES / BATCH {
        let messages: Entries<SendMessage> =
            (0..BATCH).map(|_| SendMessage::from("an order of socks")).collect();
        queue.send_batch(messages).await.expect("send").all().expect("all are taken");
    }
}

/// Receives and deletes until everything is gone.
async fn bare(queue: LocalQueue, handled: Arc<Handled>) {
    let mut left = MESSAGES;
    while left > 0 {
        let options = ReceiveOptions::up_to(BATCH).wait_time(Duration::from_secs(20));
        let messages = queue.receive(options).await.expect("receive");
        handled.add(messages.len());
        left -= messages.len();
        let receipts: Entries<_> = messages.iter().map(|message| message.receipt).collect();
        queue.delete_batch(receipts).await.expect("delete").all().expect("all are gone");
    }
}

fn over_loop(runtime: &Runtime, queue: &LocalQueue, rounds: u64) -> Duration {
    let mut took = Duration::ZERO;
    for _ in 0..rounds {
        runtime.block_on(fill(queue));
        let (queue, handled) = (queue.clone(), Arc::new(Handled::default()));
        let start = Instant::now();
        let consumer = runtime.spawn(bare(queue, handled.clone()));
        runtime.block_on(handled.all.notified());
        took += start.elapsed();
        runtime.block_on(consumer).expect("the consumer");
    }
    took
}

fn over_runtime(
    runtime: &Runtime,
    queue: &LocalQueue,
    running: &Running,
    handled: &Handled,
    rounds: u64,
) -> Duration {
    let mut took = Duration::ZERO;
    for _ in 0..rounds {
        runtime.block_on(fill(queue));
        let start = Instant::now();
        running.resize(1);
        runtime.block_on(handled.all.notified());
        took += start.elapsed();
        running.resize(0);
        while running.workers().running > 0 {
            // Not in a spin, which would count as the runtime's own time.
            runtime.block_on(async { tokio::time::sleep(Duration::from_micros(200)).await });
        }
    }
    took
}

/// Compares the processor time of both, sending included, in turns: on a machine that others use too, the time on the wall
/// says little.
fn on_the_processor(name: &str, mut with: impl FnMut() -> Duration, mut without: impl FnMut() -> Duration) {
    let ticks_of = |run: &mut dyn FnMut() -> Duration| {
        let before = processor_ticks();
        run();
        processor_ticks() - before
    };
    let (mut runtime, mut bare) = (0, 0);
    for _ in 0..TURNS {
        runtime += ticks_of(&mut with);
        bare += ticks_of(&mut without);
    }
    let part = |ticks: u64| ticks as f64 * 10_000.0 / (TURNS * CHUNK) as f64 / MESSAGES as f64;
    let ratio = part(bare) / part(runtime);
    println!(
        "processor  {name}: {:.3} us a message, {:.3} us with a bare loop, ratio {ratio:.3}",
        part(runtime),
        part(bare)
    );
}

/// A mapping on a queue of its own, without workers yet.
fn mapping(
    runtime: &Runtime,
    broker: &Broker,
    name: &str,
    heartbeat: bool,
    handler: impl Handler<Batch>,
) -> (LocalQueue, Running) {
    let queue = runtime.block_on(broker.queue(name).into_future()).expect("queue");
    let mapping = QueueMapping::new(queue.clone(), handler).batch_size(BATCH).heartbeat(heartbeat);
    let running = runtime.block_on(mapping.pollers(Pollers::Fixed(0)).start()).expect("start");
    (queue, running)
}

fn worker(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_time().build();
    let runtime = runtime.expect("a runtime");
    let broker = runtime.block_on(Broker::open(MemStorage::new())).expect("open");
    let plain = runtime.block_on(broker.queue("plain").into_future()).expect("queue");
    let handled: [Arc<Handled>; 3] = Default::default();

    let counts = handled[0].clone();
    let whole = batch(move |messages: Batch, _| {
        counts.add(messages.len());
        async {}
    });
    let counts = handled[1].clone();
    let kept = batch(move |messages: Batch, _| {
        counts.add(messages.len());
        async {}
    });
    let counts = handled[2].clone();
    let single = each(move |(): (), _: Received| {
        counts.add(1);
        async {}
    });
    let whole = mapping(&runtime, &broker, "whole", false, whole);
    let kept = mapping(&runtime, &broker, "kept", true, kept);
    let single = mapping(&runtime, &broker, "single", false, single);

    for (name, (queue, running), handled) in [
        ("runtime, batches of 10", &whole, &handled[0]),
        ("runtime, batches of 10 with a heartbeat", &kept, &handled[1]),
        ("runtime, single messages", &single, &handled[2]),
    ] {
        let mut contest = Contest::new(name, MESSAGES as u64);
        contest.enter("runtime", |rounds| over_runtime(&runtime, queue, running, handled, rounds));
        contest.enter("bare loop", |rounds| over_loop(&runtime, &plain, rounds));
        contest.run(criterion);
        drop(contest);
        on_the_processor(
            name,
            || over_runtime(&runtime, queue, running, handled, CHUNK),
            || over_loop(&runtime, &plain, CHUNK),
        );
    }
    for (_, running) in [whole, kept, single] {
        runtime.block_on(running.stop(Duration::from_secs(5)));
    }
}

criterion_group!(benches, worker);
criterion_main!(benches);

//! The life of a message in memory: send, receive, delete. Against a mutex around the plainest structures that do the
//! same steps, and against the bare store doing the same writes.

#![allow(clippy::disallowed_methods, reason = "a bench reads the clock")]
#![allow(missing_docs, reason = "criterion's macros make public functions")]

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use broker_benches::Contest;
use broker_core::{
    Broker, Entries, LocalQueue, ReceiveOptions, SendMessage,
    storage::{Batch, Durability, Storage},
};
use broker_mem::MemStorage;
use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use parking_lot::Mutex;
use tokio::runtime::Runtime;

fn body() -> Bytes {
    Bytes::from(vec![b'x'; 100])
}

/// Runs `rounds` of a life cycle, split over tasks.
fn timed<F>(runtime: &Runtime, tasks: u64, rounds: u64, work: impl Fn(u64) -> F) -> Duration
where
    F: Future<Output = ()> + Send + 'static,
{
    let start = Instant::now();
    if tasks == 1 {
        runtime.block_on(work(rounds));
    } else {
        let share = rounds.div_ceil(tasks);
        let handles: Vec<_> = (0..tasks).map(|_| runtime.spawn(work(share))).collect();
        runtime.block_on(async {
            for handle in handles {
                handle.await.expect("a task of the bench");
            }
        });
    }
    start.elapsed()
}

async fn lives_in_broker(queue: LocalQueue, batch: usize, rounds: u64) {
    for _ in 0..rounds {
        if batch == 1 {
            queue.send(body()).await.expect("send");
            for message in queue.receive(ReceiveOptions::default()).await.expect("receive") {
                queue.delete(message.receipt).await.expect("delete");
            }
            continue;
        }
        let entries: Entries<SendMessage> = (0..batch).map(|_| SendMessage::from(body())).collect();
        let _ = queue.send_batch(entries).await.expect("send");
        let received = queue.receive(ReceiveOptions::up_to(batch)).await.expect("receive");
        if !received.is_empty() {
            let receipts = received.iter().map(|message| message.receipt).collect();
            let _ = queue.delete_batch(receipts).await.expect("delete");
        }
    }
}

/// The writes of the broker and nothing else: a row and the queue's record, a lease each, and their removal.
async fn writes_in_store(store: MemStorage, partition: u64, batch: u64, rounds: u64) {
    let record = [0_u8; 56];
    let mut writes = Batch::new();
    let commit = |writes: &mut Batch| {
        writes.put_meta(b"r........", &record);
        store.commit(writes, Durability::Synced).expect("commit");
        writes.clear();
    };
    let mut key = [b's'; 17];
    key[1..9].copy_from_slice(&partition.to_be_bytes());
    for round in 0..rounds {
        let seqs = round * batch..(round + 1) * batch;
        for seq in seqs.clone() {
            let mut row = vec![0; 118];
            row[18..].copy_from_slice(&body());
            writes.put_row(partition, seq, row);
        }
        commit(&mut writes);
        for seq in seqs.clone() {
            key[9..].copy_from_slice(&seq.to_be_bytes());
            writes.put_meta(&key, &[0; 36]);
        }
        commit(&mut writes);
        for seq in seqs {
            key[9..].copy_from_slice(&seq.to_be_bytes());
            writes.delete_row(partition, seq);
            writes.delete_meta(&key);
        }
        commit(&mut writes);
    }
}

/// What one would write by hand: a deque of what waits, a map of what is in flight, a heap of deadlines.
#[derive(Default)]
struct ByHand {
    waiting: VecDeque<(u64, Bytes)>,
    in_flight: HashMap<u64, Bytes>,
    deadlines: BinaryHeap<Reverse<(Instant, u64)>>,
    next: u64,
}

impl ByHand {
    fn send(&mut self, body: Bytes) {
        self.next += 1;
        self.waiting.push_back((self.next, body));
    }

    fn receive(&mut self, max: usize, now: Instant) -> Vec<(u64, Bytes)> {
        while let Some(Reverse((deadline, id))) = self.deadlines.peek().copied()
            && (deadline <= now || !self.in_flight.contains_key(&id))
        {
            self.deadlines.pop();
            if let Some(body) = self.in_flight.remove(&id) {
                self.waiting.push_front((id, body));
            }
        }
        let count = max.min(self.waiting.len());
        let taken: Vec<_> = self.waiting.drain(..count).collect();
        for (id, body) in &taken {
            self.in_flight.insert(*id, body.clone());
            self.deadlines.push(Reverse((now + Duration::from_secs(30), *id)));
        }
        taken
    }

    fn delete(&mut self, id: u64) {
        self.in_flight.remove(&id);
    }
}

async fn lives_by_hand(queue: Arc<Mutex<ByHand>>, batch: usize, rounds: u64) {
    for _ in 0..rounds {
        {
            let mut queue = queue.lock();
            (0..batch).for_each(|_| queue.send(body()));
        }
        let taken = queue.lock().receive(batch, Instant::now());
        let mut queue = queue.lock();
        taken.iter().for_each(|(id, _)| queue.delete(*id));
    }
}

fn memory(criterion: &mut Criterion) {
    for tasks in [1, 4] {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build();
        let runtime = runtime.expect("a runtime");
        for batch in [1_usize, 10] {
            let broker = runtime.block_on(Broker::open(MemStorage::new())).expect("open");
            let queue = runtime.block_on(broker.queue("bench").into_future()).expect("queue");
            let store = MemStorage::new();
            let by_hand = Arc::new(Mutex::new(ByHand::default()));
            let mut partition = 0;
            let mut contest =
                Contest::new(format!("memory, {tasks} tasks, batches of {batch}"), batch as u64);
            contest.enter("broker", |rounds| {
                timed(&runtime, tasks, rounds, |share| lives_in_broker(queue.clone(), batch, share))
            });
            contest.enter("the bare store", |rounds| {
                let first = partition;
                partition += tasks;
                let next = std::sync::atomic::AtomicU64::new(first);
                timed(&runtime, tasks, rounds, |share| {
                    let partition = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    writes_in_store(store.clone(), partition, batch as u64, share)
                })
            });
            contest.enter("a mutex by hand", |rounds| {
                timed(&runtime, tasks, rounds, |share| lives_by_hand(by_hand.clone(), batch, share))
            });
            contest.run(criterion);
        }
    }
}

criterion_group!(benches, memory);
criterion_main!(benches);

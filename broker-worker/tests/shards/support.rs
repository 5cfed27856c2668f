//! What the tests of stream mapping share: a stream, and a function that notes what it was given and when.

use std::{collections::BTreeSet, future::Future, sync::Arc, time::Duration};

use broker_core::{Broker, LocalQueue, LocalStream, PutRecord, Record, RecordNumber, ShardId};
use broker_mem::MemStorage;
use broker_worker::{
    Context, Failure, Handler,
    invoke::QueueDestination,
    stream::{RecordBatch, StreamMapping, StreamResponse, batch},
};
use parking_lot::Mutex;
use serde_json::Value;
use tokio::time::Instant;

pub(crate) fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

pub(crate) fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// One invocation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Call {
    /// Milliseconds since the world began.
    pub(crate) at: u64,
    pub(crate) shard: ShardId,
    /// The data of the records, one text after the other.
    pub(crate) texts: String,
    pub(crate) attempt: u32,
}

/// A broker on virtual time with a stream, and what functions did.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) broker: Broker,
    pub(crate) stream: LocalStream,
    began: Instant,
    calls: Arc<Mutex<Vec<Call>>>,
    /// How many invocations run, and the most that did.
    running: Arc<Mutex<(usize, usize)>>,
}

impl World {
    pub(crate) async fn new(shards: u32) -> Self {
        let broker = Broker::open(MemStorage::new()).await.unwrap();
        let stream = broker.stream("clicks").shards(shards).await.unwrap();
        Self { broker, stream, began: Instant::now(), calls: Arc::default(), running: Arc::default() }
    }

    /// The same world with another stream.
    pub(crate) fn with(self, stream: LocalStream) -> Self {
        Self { stream, ..self }
    }

    /// Puts each letter as a record of this key.
    pub(crate) async fn put(&self, key: &str, letters: &str) -> Vec<RecordNumber> {
        let records = letters.chars().map(|letter| PutRecord::new(key, letter.to_string())).collect();
        let put = self.stream.put_batch(records).await.unwrap();
        put.into_iter().map(|put| put.unwrap().number).collect()
    }

    pub(crate) async fn queue(&self, name: &str) -> LocalQueue {
        self.broker.queue(name).await.unwrap()
    }

    /// A handler that does this, and whose calls are noted.
    pub(crate) fn handler<F, Fut, R>(&self, then: F) -> impl Handler<RecordBatch>
    where
        F: Fn(RecordBatch, Context) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, Failure>> + Send,
        R: Into<StreamResponse> + Send,
    {
        let world = self.clone();
        batch(move |batch: RecordBatch, context: Context| {
            let (at, attempt) = (world.now(), context.attempt());
            let texts = batch.records().iter().map(text).collect();
            world.calls.lock().push(Call { at, shard: batch.shard(), texts, attempt });
            let entered = Entered::new(world.running.clone());
            let answer = then(batch, context);
            async move {
                let answer = answer.await;
                drop(entered);
                answer
            }
        })
    }

    /// A mapping of a function that does this.
    pub(crate) fn mapping<F, Fut, R>(&self, then: F) -> StreamMapping
    where
        F: Fn(RecordBatch, Context) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, Failure>> + Send,
        R: Into<StreamResponse> + Send,
    {
        StreamMapping::new("bill", self.stream.clone(), self.handler(then))
    }

    /// A mapping of a function that fails on records with these letters.
    pub(crate) fn poisoned(&self, letters: &str) -> StreamMapping {
        let letters: BTreeSet<char> = letters.chars().collect();
        self.mapping(move |batch: RecordBatch, _| {
            let poison =
                batch.records().iter().any(|record| text(record).chars().any(|c| letters.contains(&c)));
            async move { if poison { Err(Failure::new("no")) } else { Ok(()) } }
        })
    }

    /// A mapping of a function that works.
    pub(crate) fn working(&self) -> StreamMapping {
        self.poisoned("")
    }

    pub(crate) fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap()
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        self.calls.lock().clone()
    }

    /// When there were invocations, and on what.
    pub(crate) fn timeline(&self) -> Vec<(u64, String)> {
        self.calls().into_iter().map(|call| (call.at, call.texts)).collect()
    }

    /// What there were invocations on.
    pub(crate) fn texts(&self) -> Vec<String> {
        self.calls().into_iter().map(|call| call.texts).collect()
    }

    /// The most invocations that ran at once.
    pub(crate) fn most(&self) -> usize {
        self.running.lock().1
    }

    /// What is in a queue, taken out.
    pub(crate) async fn told(&self, queue: &LocalQueue) -> Vec<Value> {
        let mut told = Vec::new();
        loop {
            let options = broker_core::ReceiveOptions::up_to(10);
            let messages = queue.receive(options).await.unwrap();
            if messages.is_empty() {
                return told;
            }
            for message in messages {
                told.push(message.json().unwrap());
                queue.delete(message.receipt).await.unwrap();
            }
        }
    }
}

struct Entered(Arc<Mutex<(usize, usize)>>);

impl Entered {
    fn new(running: Arc<Mutex<(usize, usize)>>) -> Self {
        {
            let mut running = running.lock();
            running.0 += 1;
            running.1 = running.1.max(running.0);
        }
        Self(running)
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.0.lock().0 -= 1;
    }
}

pub(crate) fn text(record: &Record) -> String {
    String::from_utf8(record.data.to_vec()).unwrap()
}

pub(crate) fn queue(queue: &LocalQueue) -> Arc<QueueDestination> {
    QueueDestination::new(Arc::new(queue.clone())).unwrap()
}

pub(crate) fn owned<const N: usize>(expected: [(u64, &str); N]) -> Vec<(u64, String)> {
    expected.into_iter().map(|(at, texts)| (at, texts.to_owned())).collect()
}

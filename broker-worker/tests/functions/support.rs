//! What the tests of functions share: a function that plays a script and notes when it was called.

use std::{future::Future, sync::Arc, time::Duration};

use async_trait::async_trait;
use broker_core::{Broker, LocalQueue, Message, ReceiveOptions};
use broker_mem::MemStorage;
use broker_worker::{
    Context, Failure, Handler,
    handler::BoxError,
    invoke::{
        AsyncFunction, Destination, DestinationKind, Invocation, InvokeConfig, QueueDestination, Report,
    },
};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::time::Instant;
use uuid::Uuid;

pub(crate) fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// One call of a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Call {
    /// Milliseconds since the world began.
    pub(crate) at: u128,
    pub(crate) attempt: u32,
    pub(crate) request_id: Uuid,
}

/// A broker on virtual time, and what functions did in it.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) broker: Broker,
    began: Instant,
    calls: Arc<Mutex<Vec<Call>>>,
}

impl World {
    pub(crate) async fn new() -> Self {
        let broker = Broker::open(MemStorage::new()).await.unwrap();
        Self { broker, began: Instant::now(), calls: Arc::default() }
    }

    pub(crate) async fn queue(&self, name: &str) -> LocalQueue {
        self.broker.queue(name).await.unwrap()
    }

    /// A function that does this, and whose calls are noted.
    pub(crate) async fn function<F, Fut>(&self, name: &str, then: F) -> AsyncFunction
    where
        F: Fn(Invocation, Context) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Value, Failure>> + Send,
    {
        let queue = self.queue(&format!("{name}-events")).await;
        AsyncFunction::new(name, queue, Noted { world: self.clone(), then })
    }

    /// A function that always fails.
    pub(crate) async fn failing(&self, name: &str) -> AsyncFunction {
        self.function(name, |_, _| async { Err(Failure::new("no such order")) }).await
    }

    /// A function that answers `"done"`.
    pub(crate) async fn working(&self, name: &str) -> AsyncFunction {
        self.function(name, |_, _| async { Ok(json!("done")) }).await
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        self.calls.lock().clone()
    }

    /// When there were calls, in milliseconds.
    pub(crate) fn times(&self) -> Vec<u128> {
        self.calls().iter().map(|call| call.at).collect()
    }

    pub(crate) fn now(&self) -> u128 {
        self.began.elapsed().as_millis()
    }

    /// Waits for what comes into a queue within an hour. Returns it with the time of its coming.
    pub(crate) async fn arrival(&self, queue: &LocalQueue) -> (u128, Message) {
        for _ in 0..3_600 / 20 {
            let poll = ReceiveOptions::default().wait_time(secs(20));
            if let Some(message) = queue.receive(poll).await.unwrap().pop() {
                queue.delete(message.receipt).await.unwrap();
                return (self.now(), message);
            }
        }
        panic!("nothing came into {}", queue.name());
    }

    /// The same for a record of a destination.
    pub(crate) async fn record(&self, queue: &LocalQueue) -> (u128, Value) {
        let (at, message) = self.arrival(queue).await;
        (at, message.json().unwrap())
    }
}

struct Noted<F> {
    world: World,
    then: F,
}

#[async_trait]
impl<F, Fut> Handler<Invocation> for Noted<F>
where
    F: Fn(Invocation, Context) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Value, Failure>> + Send,
{
    async fn handle(&self, event: Invocation, context: Context) -> Result<Value, Failure> {
        let (at, attempt, request_id) = (self.world.now(), context.attempt(), context.request_id());
        self.world.calls.lock().push(Call { at, attempt, request_id });
        (self.then)(event, context).await
    }
}

/// Failures are told to this queue.
pub(crate) fn on_failure(queue: &LocalQueue) -> InvokeConfig {
    let destination = QueueDestination::new(Arc::new(queue.clone())).unwrap();
    InvokeConfig { on_failure: Some(destination), ..InvokeConfig::default() }
}

/// Successes are told to this queue.
pub(crate) fn on_success(queue: &LocalQueue) -> InvokeConfig {
    let destination = QueueDestination::new(Arc::new(queue.clone())).unwrap();
    InvokeConfig { on_success: Some(destination), ..InvokeConfig::default() }
}

/// A destination that takes nothing.
pub(crate) struct Broken(pub(crate) DestinationKind, pub(crate) &'static str);

#[async_trait]
impl Destination for Broken {
    fn kind(&self) -> DestinationKind {
        self.0
    }

    fn arn(&self) -> &'static str {
        self.1
    }

    async fn deliver(&self, _: &Report) -> Result<(), BoxError> {
        Err("it takes nothing".into())
    }
}

//! Asynchronous invocation: events wait in a durable queue, are tried up to three times, and reach a destination (rules L10 to
//! L21).
//!
//! | file | what it is for |
//! |---|---|
//! | `event` | what a handler gets; functions on typed JSON as handlers |
//! | `config` | retries, age and destinations of a function, and what is refused |
//! | `retry` | what follows from an attempt; pure |
//! | `stored` | an event as it waits in the queue |
//! | `record` | what a destination is told, byte for byte as Lambda does |
//! | `destination`, `targets` | the trait; queues, topics, functions, buses and object stores |
//! | `dead_letter` | the event as a dead letter |
//! | `function`, `caller` | a function as it is built and as it runs; as it is called |
//! | `worker`, `attempt` | the task that takes events, and one attempt |
//! | `counts` | what it has done so far |
//!
//! # An example
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
//! use std::{sync::Arc, time::Duration};
//! use broker_worker::invoke::{AsyncFunction, InvokeConfig, QueueDestination, function};
//! use serde_json::json;
//!
//! # let broker = broker_core::Broker::open(broker_mem::MemStorage::new()).await?;
//! let failed = broker.queue("failed-orders").await?;
//! let ship = function(|order: serde_json::Value, _| async move { Err::<(), _>(format!("no {order}")) });
//! let orders = AsyncFunction::new("orders", broker.queue("orders-events").await?, ship);
//! let on_failure = InvokeConfig { on_failure: Some(QueueDestination::new(Arc::new(failed.clone()))?), ..Default::default() };
//! let orders = orders.config(on_failure).start().await?;
//!
//! orders.invoke(json!({"item": "socks"}).to_string()).await?; // on the disk when this returns
//! tokio::time::sleep(Duration::from_secs(200)).await; // three attempts: now, after one minute, after two more
//! let told = failed.receive(Default::default()).await?;
//! assert!(told[0].text()?.contains(r#""condition":"RetriesExhausted","approximateInvokeCount":3"#));
//! orders.stop(Duration::from_secs(30)).await;
//! # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
//! ```

mod attempt;
mod caller;
mod config;
mod counts;
mod dead_letter;
mod destination;
mod error;
mod event;
mod function;
mod record;
mod retry;
mod stored;
mod targets;
mod worker;

pub use caller::{Accepted, Caller};
pub use config::{DestinationChange, InvokeConfig, InvokeConfigChange};
pub use counts::InvokeCounts;
pub use dead_letter::DeadLetterTarget;
pub(crate) use destination::deliver;
pub use destination::{Destination, DestinationKind, Report};
pub use error::InvokeError;
pub use event::{Function, Invocation, function};
pub use function::{AsyncFunction, RunningFunction};
pub(crate) use record::dated_name;
pub use record::{Condition, InvocationRecord, RequestContext, ResponseContext};
pub use targets::{
    BusDestination, EventBus, FunctionDestination, ObjectDestination, ObjectStore, QueueDestination,
    TopicDestination,
};

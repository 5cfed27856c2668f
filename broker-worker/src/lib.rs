//! The consumer runtime: handlers run on messages, records and events, with the retries, destinations, scaling and
//! deployment of AWS Lambda's event sources.
//!
//! The crate knows the traits of `broker-core` and nothing of its engine: any [`Queue`](broker_core::Queue) or
//! [`GroupStream`](broker_core::GroupStream) will do. Time comes from a [`Clock`](broker_core::Clock), so tests run on virtual time.
//!
//! # An example of most of it
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
//! use std::time::Duration;
//!
//! use broker_worker::{Json, Outcome, handler::each, queue::{Pollers, QueueMapping, Received}};
//!
//! #[derive(serde::Deserialize)]
//! struct Order { total: u32 }
//!
//! # let broker = broker_core::Broker::open(broker_mem::MemStorage::new()).await?;
//! let dead = broker.queue("dead-orders").await?;
//! let orders = broker.queue("orders").dead_letter("dead-orders", 5).await?;
//! for order in [r#"{"total": 12}"#, r#"{"total": 0}"#, r#"{"total": 7000}"#, r#"{"total": "none"}"#] {
//!     orders.send(order).await?;
//! }
//!
//! // Each message is typed, has a lease, and an outcome of its own.
//! let handler = each(|Json(order): Json<Order>, message: Received| async move {
//!     match order.total {
//!         0 => Outcome::dead("nothing to pay"),
//!         1000.. if message.receive_count == 1 => Outcome::retry(Duration::from_secs(5)),
//!         _ => Outcome::Ack,
//!     }
//! });
//! let running = QueueMapping::new(orders, handler).batch_size(10).pollers(Pollers::Maximum(8)).start().await?;
//!
//! tokio::time::sleep(Duration::from_secs(300)).await; // of virtual time
//! let report = running.stop(Duration::from_secs(30)).await;
//! assert_eq!((report.counts.acked, report.counts.retried, report.counts.dead), (2, 1, 1));
//! // What does not parse fails each time, until the queue's policy moves it.
//! assert_eq!((report.counts.failed, dead.counters().await?.visible), (5, 2));
//! # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
//! ```
//!
//! # The concepts
//!
//! - [`Handler`]: what runs when an [`Event`] arrives. Plain async functions, tower services and functions on the JSON
//!   of Lambda's events become one; a panic, a timeout and a payload that does not parse are a [`Failure`].
//! - [`queue`]: batches of a queue's messages to a handler, and what becomes of each message.
//! - [`stream`]: batches of a shard's records to a handler, in order.
//! - [`invoke`]: events to a handler through a durable queue, with retries and destinations.
//! - [`concurrency`]: permits that handlers share.
//! - [`scaling`], [`pool`], [`deploy`]: how many workers run, and which version of the handler.
//! - [`shutdown`], [`telemetry`]: how it ends, and what is seen of it.
//!
//! # Guarantees
//!
//! | what | holds |
//! |---|---|
//! | a message is deleted only after its handler said that it is done | always |
//! | a handler that fails, panics, hangs or is dropped loses nothing: its messages come again | always |
//! | an acknowledge after the lease was lost deletes nothing that somebody else has | as far as the queue's receipts say so |
//! | nothing is received that may not run at once | unless a [gate](concurrency::Gate) has no room |
//! | on a FIFO queue, one batch of a group is at work at a time | always |
//! | with a heartbeat, a lease lasts as long as its handler works, also if that blocks all threads | up to 12 hours, as the queue allows |
//! | no worker is ended while it has a batch | but by [`stop`](queue::Running::stop) at its deadline, and by a drop |
//! | waiting for time is waiting on the [`Clock`](broker_core::Clock) | always |
//!
//! # It is not
//!
//! - isolation: handlers run in this process, and one that blocks its thread cannot be stopped;
//! - exactly once: handlers must bear to be called again with the same message;
//! - the control plane of Lambda: functions have no names, policies or packages here.

pub mod concurrency;
pub mod deploy;
mod error;
pub mod event;
pub mod handler;
pub mod invoke;
pub mod pool;
pub mod queue;
pub mod scaling;
mod seeded;
pub mod shutdown;
pub mod stream;
pub mod telemetry;

pub use error::{Error, Result};
pub use handler::{
    BoxError, Context, Event, Failure, FailureKind, Handler, IntoOutcome, Json, Outcome, Payload,
    SharedHandler,
};

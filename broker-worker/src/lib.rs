//! The consumer runtime: handlers run on messages, records and events, with the retries, destinations, scaling and
//! deployment of AWS Lambda's event sources.
//!
//! The crate knows the traits of `broker-core` and nothing of its engine: any [`Queue`](broker_core::Queue) or
//! [`GroupStream`](broker_core::GroupStream) will do. Time comes from a [`Clock`](broker_core::Clock), so tests run on virtual time.
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

pub mod concurrency;
pub mod deploy;
mod error;
pub mod event;
pub mod handler;
pub mod invoke;
pub mod pool;
pub mod queue;
pub mod scaling;
pub mod shutdown;
pub mod stream;
pub mod telemetry;

pub use error::{Error, Result};
pub use handler::{
    BoxError, Context, Event, Failure, FailureKind, Handler, IntoOutcome, Json, Outcome, Payload,
    SharedHandler,
};

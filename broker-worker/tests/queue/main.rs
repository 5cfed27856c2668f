//! Queue mapping against rules L30 to L75, on virtual time.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod batches;
mod events;
mod failures;
mod fifo;
mod filters;
mod ground;
mod handlers;
mod hostile;
mod leases;
mod orders;
mod outcomes;
mod partial;
mod pollers;
mod provisioned;
mod rejected;
#[path = "../common/telemetry.rs"]
mod seen;
mod settings;
mod stopping;
mod telemetry;
mod throttling;
mod transacted_batches;
mod transactions;
mod windows;

//! Functions: asynchronous invocation (rules L1, L10 to L21) and concurrency (rules L100 to L105), on virtual time.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod aging;
mod concurrency;
mod configuration;
mod dead_letters;
mod deploying;
mod destinations;
mod hanging;
mod provisioned;
mod restarts;
mod retries;
#[path = "../common/telemetry.rs"]
mod seen;
mod support;
mod telemetry;
mod throttling;

//! Deployment of handlers: the decisions at explicit times, and versions that replace one another while they run.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod health;
mod plan;
mod rolling;
mod traffic;
mod versions;

use std::time::Duration;

use broker_core::Timestamp;

/// So many seconds after the beginning.
fn at(second: u64) -> Timestamp {
    Timestamp::from_millis(second * 1_000)
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

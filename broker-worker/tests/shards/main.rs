//! Stream mapping (rules L36, L80 to L90), on virtual time.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod age;
mod batches;
mod bisect;
mod deploying;
mod events;
mod exhausted;
mod filters;
mod hanging;
mod hostile;
mod order;
mod partial;
mod resharding;
mod restarts;
#[path = "../common/telemetry.rs"]
mod seen;
mod settings;
mod states;
mod storm;
mod support;
mod telemetry;
mod throttling;
mod transactions;
mod tumbling;

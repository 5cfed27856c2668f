//! Stream mapping (rules L36, L80 to L90), on virtual time.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod age;
mod batches;
mod bisect;
mod events;
mod exhausted;
mod filters;
mod hostile;
mod order;
mod partial;
mod resharding;
mod restarts;
mod settings;
mod states;
mod storm;
mod support;
mod throttling;
mod transactions;
mod tumbling;

//! Handlers that panic, hang past their leases, block the executor, or lose their leases: no message is lost, no stale
//! acknowledge counts, and redelivery is as the rules say.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod blocked;
mod ledger;
mod storm;

//! The adapter for the SDK, `TestAws` and its probe.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod dependencies;
mod probe;

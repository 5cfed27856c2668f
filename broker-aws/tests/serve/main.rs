//! The listener and the program, over sockets of this machine.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod bounds;
mod http2;
mod metrics;
mod program;
mod requests;
mod stop;
mod support;

//! Kinesis with the official SDK, and request by request in both protocols.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod account;
mod cbor;
mod consumers;
mod every_operation;
#[path = "../shared/operations.rs"]
mod operations;
mod puts;
mod queues;
mod reads;
#[path = "../shared/refusal.rs"]
mod refusal;
mod settings;
mod shards;
mod streams;
mod subscribe;
mod support;
mod tags;

//! Kinesis with the official SDK, and request by request in both protocols.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod account;
mod cbor;
mod consumers;
mod puts;
mod queues;
mod reads;
mod settings;
mod shards;
mod streams;
mod subscribe;
mod support;
mod tags;

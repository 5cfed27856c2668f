//! SQS with the official SDK, and request by request in both protocols.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod attributes;
mod batches;
mod dead_letters;
mod digests;
mod every_operation;
mod fifo;
mod json;
mod messages;
mod moves;
#[path = "../shared/operations.rs"]
mod operations;
mod permissions;
mod query;
mod queues;
mod realms;
mod receive;
#[path = "../shared/refusal.rs"]
mod refusal;
mod send;
mod settle;
mod support;

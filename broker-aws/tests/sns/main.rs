//! SNS as clients of the official SDK see it: every operation, happy and refused. On virtual time.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod confirmations;
mod every_operation;
mod fan_out;
mod fifo;
mod http_endpoints;
mod message_attributes;
#[path = "../shared/operations.rs"]
mod operations;
mod permissions;
#[cfg(feature = "serve")]
mod plain_http;
mod publish;
mod publish_batch;
mod replay;
mod retries;
mod signatures;
mod subscription_attributes;
mod subscriptions;
mod support;
mod tags;
mod topic_attributes;
mod topics;
mod wire;

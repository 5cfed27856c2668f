//! Deliveries to HTTP endpoints (rules N11, N14, N43, N53).
//!
//! | file | what it is for |
//! |---|---|
//! | `outgoing` | who sends requests |
//! | `plain` | the one that speaks plain HTTP (feature `serve`) |
//! | `hosts` | to whom they may go |
//! | `request` | what a request says |
//! | `deliver` | notifications |
//! | `confirm` | requests to confirm a subscription, or its end |

mod confirm;
mod deliver;
mod hosts;
mod outgoing;
#[cfg(feature = "serve")]
mod plain;
mod request;

use std::sync::Arc;

use broker_core::LocalTopic;
pub(super) use confirm::{Confirmation, Kind};
use deliver::HttpDeliver;
pub use hosts::AllowedHosts;
pub use outgoing::{Outgoing, Unreachable};
#[cfg(feature = "serve")]
pub use plain::PlainHttp;
pub(super) use request::endpoint_url;

use super::names::Names;

/// How HTTP endpoints are reached, and which.
pub(crate) struct HttpDelivery {
    pub(super) outgoing: Box<dyn Outgoing>,
    pub(super) hosts: AllowedHosts,
}

impl HttpDelivery {
    pub(crate) fn new(outgoing: impl Outgoing, hosts: AllowedHosts) -> Self {
        Self { outgoing: Box::new(outgoing), hosts }
    }

    /// What delivers the notifications of a topic.
    pub(super) fn deliver(self: &Arc<Self>, topic: LocalTopic, names: Arc<Names>) -> HttpDeliver {
        HttpDeliver { http: self.clone(), topic, names }
    }
}

//! Who sends requests to HTTP endpoints: the world outside of this process, behind a trait.

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, StatusCode};

/// Sends requests to the HTTP endpoints of SNS subscriptions.
///
/// Implementors owe: one request to the host that its URL names, redirects not followed, and the status of the answer, whose body
/// nobody wants. The future is dropped after 15 seconds.
#[async_trait]
pub trait Outgoing: Send + Sync + 'static {
    /// Sends a request. Its URL has scheme, host and path; the header `Host` is up to the implementor.
    async fn send(&self, request: Request<Bytes>) -> Result<StatusCode, Unreachable>;
}

/// No answer came, and why: the delivery is tried again later.
#[derive(Debug, Clone, thiserror::Error)]
#[error("no answer from the endpoint: {0}")]
pub struct Unreachable(pub String);

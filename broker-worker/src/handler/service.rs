//! Tower services as handlers, of single messages and of batches.

use std::future::poll_fn;

use async_trait::async_trait;
use tower_service::Service;

use super::{BoxError, Context, Failure, Handler, IntoOutcome, each};
use crate::queue::{Batch, IntoResponse, Received, Response};

/// A handler that calls a service with one message after the other, as [`each`](super::each()) calls a function. It is
/// cloned for each call, and waited for until it is ready: layers that limit concurrency or rate work as they do in servers.
pub fn each_service<S>(service: S) -> impl Handler<Batch>
where
    S: Service<Received> + Clone + Send + Sync + 'static,
    S::Response: IntoOutcome + Send,
    S::Error: Into<BoxError> + Send,
    S::Future: Send,
{
    each(move |(): (), message: Received| {
        let service = service.clone();
        async move { call(service, message).await }
    })
}

/// A handler that calls a service with each batch. As [`each_service`] otherwise.
pub fn batch_service<S>(service: S) -> impl Handler<Batch>
where
    S: Service<Batch> + Clone + Send + Sync + 'static,
    S::Response: IntoResponse + Send,
    S::Error: Into<BoxError> + Send,
    S::Future: Send,
{
    BatchService(service)
}

async fn call<S: Service<R>, R>(mut service: S, request: R) -> Result<S::Response, S::Error> {
    poll_fn(|cx| service.poll_ready(cx)).await?;
    service.call(request).await
}

struct BatchService<S>(S);

#[async_trait]
impl<S> Handler<Batch> for BatchService<S>
where
    S: Service<Batch> + Clone + Send + Sync + 'static,
    S::Response: IntoResponse + Send,
    S::Error: Into<BoxError> + Send,
    S::Future: Send,
{
    async fn handle(&self, batch: Batch, _: Context) -> Result<Response, Failure> {
        call(self.0.clone(), batch).await.into_response()
    }
}

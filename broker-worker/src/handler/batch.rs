//! A function on whole batches, as a handler of them.

use std::future::Future;

use async_trait::async_trait;

use super::{Context, Failure, Handler};
use crate::queue::{Batch, IntoResponse, Response};

/// A handler of batches. What the function answers becomes of every message that it did not
/// [decide](crate::queue::Received::decide) on.
///
/// ```
/// use broker_worker::{Outcome, handler::batch, queue::Batch};
///
/// let handler = batch(|orders: Batch, _| async move {
///     for order in orders.messages() {
///         if order.text().is_err() {
///             order.dead("not text");
///         }
///     }
///     // Everything else is done.
/// });
/// ```
pub fn batch<F, Fut>(function: F) -> BatchFunction<F>
where
    F: Fn(Batch, Context) -> Fut + Send + Sync + 'static,
    Fut: Future + Send,
    Fut::Output: IntoResponse + Send,
{
    BatchFunction(function)
}

/// What [`batch`] makes.
pub struct BatchFunction<F>(F);

#[async_trait]
impl<F, Fut> Handler<Batch> for BatchFunction<F>
where
    F: Fn(Batch, Context) -> Fut + Send + Sync + 'static,
    Fut: Future + Send,
    Fut::Output: IntoResponse + Send,
{
    async fn handle(&self, batch: Batch, context: Context) -> Result<Response, Failure> {
        (self.0)(batch, context).await.into_response()
    }
}

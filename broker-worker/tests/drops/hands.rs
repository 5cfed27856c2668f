//! A handler that gives what it gets to the test.

use async_trait::async_trait;
use broker_worker::{Context, Event, Failure, Handler};
use tokio::sync::{
    mpsc::{self, UnboundedReceiver, UnboundedSender},
    oneshot,
};

/// Where the answer goes. Dropped, it is a failure.
pub(crate) type Answer<E> = oneshot::Sender<Result<<E as Event>::Response, Failure>>;

/// Gives each event to the test, and waits for its answer.
pub(crate) struct Hands<E: Event>(UnboundedSender<(E, Context, Answer<E>)>);

impl<E: Event> Hands<E> {
    pub(crate) fn new() -> (Self, UnboundedReceiver<(E, Context, Answer<E>)>) {
        let (hands, handed) = mpsc::unbounded_channel();
        (Self(hands), handed)
    }
}

#[async_trait]
impl<E: Event> Handler<E> for Hands<E> {
    async fn handle(&self, event: E, context: Context) -> Result<E::Response, Failure> {
        let (answer, answered) = oneshot::channel();
        let nobody = |_| Failure::new("nobody is there to handle it");
        self.0.send((event, context, answer)).map_err(nobody)?;
        answered.await.unwrap_or_else(|_| Err(Failure::new("it was dropped")))
    }
}

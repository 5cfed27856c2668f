//! Handlers: what runs when something arrives.
//!
//! | file | what it is for |
//! |---|---|
//! | `context` | what every invocation is told |
//! | `failure` | what can go wrong in a handler |
//! | `outcome` | what a handler says of a message, and what converts to that |
//! | `payload` | bodies as typed values |
//! | `call` | one invocation: panics and timeouts become failures |
//! | `each`, `batch`, `service` | functions and tower services as handlers of queue batches |
//! | `transact` | functions whose work is committed together with the acknowledgement |

mod batch;
mod call;
mod context;
mod each;
mod failure;
mod outcome;
mod payload;
mod service;
mod transact;

use std::sync::Arc;

use async_trait::async_trait;

pub use batch::{BatchFunction, batch};
pub use call::call;
pub(crate) use call::call_until_deadline;
pub use context::Context;
pub use each::{Each, each};
pub use failure::{BoxError, Failure, FailureKind};
pub use outcome::{IntoOutcome, Outcome};
pub(crate) use payload::from_json;
pub use payload::{Json, Payload};
pub use service::{batch_service, each_service};
pub use transact::{TransactEach, Transacted, transact_batch, transact_each};

/// What a handler can be given, and what it answers.
pub trait Event: Send + 'static {
    /// The answer to it.
    type Response: Send + 'static;
}

/// What runs when an event arrives: a function on batches of messages, of records, or on single events.
///
/// Implementors owe: what has to be done once, must bear being done twice, since every source delivers at least once. A
/// handler may panic or be dropped at any await: both count as a failure, and the source tries again.
#[async_trait]
pub trait Handler<E: Event>: Send + Sync + 'static {
    /// Handles one event. [`Context::cancelled`] says when to stop.
    async fn handle(&self, event: E, context: Context) -> Result<E::Response, Failure>;
}

/// A handler that several sources share.
pub type SharedHandler<E> = Arc<dyn Handler<E>>;

#[async_trait]
impl<E: Event, H: Handler<E> + ?Sized> Handler<E> for Arc<H> {
    async fn handle(&self, event: E, context: Context) -> Result<E::Response, Failure> {
        (**self).handle(event, context).await
    }
}

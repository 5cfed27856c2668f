//! What a handler of single events gets, and functions on typed JSON as handlers.

use std::{future::Future, marker::PhantomData};

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{
    deploy::Judge,
    handler::{BoxError, Context, Event, Failure, Handler, from_json},
};

/// One event: JSON, as it was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invocation {
    payload: Bytes,
}

impl Event for Invocation {
    type Response = Value;
}

/// An attempt counts as one, and has failed if the function has.
impl Judge for Invocation {}

impl Invocation {
    pub(crate) fn new(payload: Bytes) -> Self {
        Self { payload }
    }

    /// The event, byte for byte.
    pub fn payload(&self) -> &Bytes {
        &self.payload
    }

    /// The event read as this type. A failure says where it does not fit.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        from_json(&self.payload)
    }
}

/// A function on the event, read from JSON, as a handler. What it answers is written as JSON.
pub fn function<F, Fut, T, R, E>(function: F) -> Function<F, T>
where
    F: Fn(T, Context) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<R, E>> + Send,
    T: DeserializeOwned + Send + 'static,
    R: Serialize + Send,
    E: Into<BoxError> + Send,
{
    Function { function, event: PhantomData }
}

/// What [`function`] makes.
pub struct Function<F, T> {
    function: F,
    event: PhantomData<fn(T)>,
}

#[async_trait]
impl<F, Fut, T, R, E> Handler<Invocation> for Function<F, T>
where
    F: Fn(T, Context) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<R, E>> + Send,
    T: DeserializeOwned + Send + 'static,
    R: Serialize + Send,
    E: Into<BoxError> + Send,
{
    async fn handle(&self, event: Invocation, context: Context) -> Result<Value, Failure> {
        let answer = (self.function)(event.json()?, context).await.map_err(Failure::of)?;
        let no_json = |error| Failure::new(format_args!("the answer cannot be written as JSON: {error}"));
        serde_json::to_value(answer).map_err(no_json)
    }
}

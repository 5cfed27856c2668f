//! Functions as handlers of records: of batches, of single records, and on the JSON of Lambda.

use std::{future::Future, marker::PhantomData};

use async_trait::async_trait;
use broker_core::Record;
use serde_json::Value;

use super::{
    batch::{RecordBatch, StreamResponse},
    event::KinesisEvent,
};
use crate::{
    event::Source,
    handler::{BoxError, Context, Failure, Handler},
};

/// A function on batches. What it answers is a [`StreamResponse`], or nothing if all are done.
pub fn batch<F, Fut, R, E>(function: F) -> Batches<F>
where
    F: Fn(RecordBatch, Context) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<R, E>> + Send,
    R: Into<StreamResponse> + Send,
    E: Into<BoxError> + Send,
{
    Batches(function)
}

/// What [`batch`] makes.
pub struct Batches<F>(F);

#[async_trait]
impl<F, Fut, R, E> Handler<RecordBatch> for Batches<F>
where
    F: Fn(RecordBatch, Context) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<R, E>> + Send,
    R: Into<StreamResponse> + Send,
    E: Into<BoxError> + Send,
{
    async fn handle(&self, batch: RecordBatch, context: Context) -> Result<StreamResponse, Failure> {
        (self.0)(batch, context).await.map(Into::into).map_err(Failure::of)
    }
}

/// A function on one record after the other. It stops at the first that fails: those before it are done, and it comes again with
/// all behind it.
pub fn each<F, Fut, E>(function: F) -> Each<F>
where
    F: Fn(Record, Context) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<(), E>> + Send,
    E: Into<BoxError> + Send,
{
    Each(function)
}

/// What [`each`] makes.
pub struct Each<F>(F);

#[async_trait]
impl<F, Fut, E> Handler<RecordBatch> for Each<F>
where
    F: Fn(Record, Context) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<(), E>> + Send,
    E: Into<BoxError> + Send,
{
    async fn handle(&self, batch: RecordBatch, context: Context) -> Result<StreamResponse, Failure> {
        for record in batch.records() {
            if let Err(error) = (self.0)(record.clone(), context.clone()).await {
                let failure = Failure::of(error);
                tracing::warn!(number = %record.number, %failure, "a record failed");
                return Ok(StreamResponse::Failed(vec![record.number]));
            }
        }
        Ok(StreamResponse::Done)
    }
}

/// A function on the JSON event of Lambda: what it answers is read as Lambda would.
pub fn function<F, Fut, E>(source: Source, function: F) -> Function<F, E>
where
    F: Fn(KinesisEvent, Context) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Value, E>> + Send,
    E: Into<BoxError> + Send + 'static,
{
    Function { source, call: function, error: PhantomData }
}

/// What [`function`] makes.
pub struct Function<F, E> {
    source: Source,
    call: F,
    error: PhantomData<fn() -> E>,
}

#[async_trait]
impl<F, Fut, E> Handler<RecordBatch> for Function<F, E>
where
    F: Fn(KinesisEvent, Context) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<Value, E>> + Send,
    E: Into<BoxError> + Send + 'static,
{
    async fn handle(&self, batch: RecordBatch, context: Context) -> Result<StreamResponse, Failure> {
        let event = KinesisEvent::new(&batch, &self.source);
        (self.call)(event, context).await.map(StreamResponse::Json).map_err(Failure::of)
    }
}

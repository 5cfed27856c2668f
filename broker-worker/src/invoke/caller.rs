//! A function as it is called and configured.

use std::sync::{Arc, atomic::Ordering};

use broker_core::Entries;
use bytes::Bytes;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::{
    config::{InvokeConfig, InvokeConfigChange},
    counts::InvokeCounts,
    error::InvokeError,
    function::Shared,
    stored::StoredEvent,
};

/// An event was accepted (status 202): it is kept, and the function will run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accepted {
    /// The id of the event, the same for all attempts.
    pub request_id: Uuid,
}

/// Calls a function and configures it. Cheap to clone.
#[derive(Clone)]
pub struct Caller(pub(super) Arc<Shared>);

impl Caller {
    /// The function's ARN, with its qualifier.
    pub fn arn(&self) -> &str {
        &self.0.arn
    }

    /// Calls the function with this event, JSON of up to 1 MiB less 256 bytes, or what the queue takes. Returns when the event has
    /// the queue's durability; the function runs later, also if this process ends before. Whether it can run now does not matter:
    /// one whose reserved concurrency is zero accepts events too (rule L13).
    ///
    /// Cancel safe in this sense: a dropped call was accepted or not.
    pub async fn invoke(&self, event: impl Into<Bytes>) -> Result<Accepted, InvokeError> {
        let shared = &*self.0;
        let payload = event.into();
        if payload.len() > shared.payload_bytes_max {
            return Err(InvokeError::RequestTooLarge { bytes: payload.len(), max: shared.payload_bytes_max });
        }
        serde_json::from_slice::<&RawValue>(&payload)
            .map_err(|error| InvokeError::NotJson { reason: error.to_string() })?;
        let (request_id, invoked_at) = (Uuid::new_v4(), shared.clock.now());
        let event = StoredEvent { request_id, payload, invoked_at, attempts: 0, trace: None };
        shared.queue.send_batch(Entries::one(event.message())).await?.all()?;
        shared.accepted.fetch_add(1, Ordering::Relaxed);
        Ok(Accepted { request_id })
    }

    /// Replaces the whole configuration (rule L17): what is not given is as by default from now on.
    pub fn put_config(&self, config: InvokeConfig) -> Result<InvokeConfig, InvokeError> {
        config.check_not_empty()?;
        config.check(&self.0.unqualified)?;
        *self.0.config.lock() = Some(config.clone());
        Ok(config)
    }

    /// Changes what is given, and nothing else (rule L17).
    pub fn update_config(&self, change: InvokeConfigChange) -> Result<InvokeConfig, InvokeError> {
        let mut config = self.0.config.lock();
        let changed = config.clone().ok_or_else(|| self.no_config())?.changed(change);
        changed.check(&self.0.unqualified)?;
        *config = Some(changed.clone());
        Ok(changed)
    }

    /// The configuration, if there is one (rule L17).
    pub fn get_config(&self) -> Result<InvokeConfig, InvokeError> {
        self.0.config.lock().clone().ok_or_else(|| self.no_config())
    }

    /// Removes the configuration (rule L17).
    pub fn delete_config(&self) -> Result<(), InvokeError> {
        let removed = self.0.config.lock().take();
        removed.map(drop).ok_or_else(|| self.no_config())
    }

    fn no_config(&self) -> InvokeError {
        InvokeError::NoConfig { function: self.0.arn.clone() }
    }

    /// What the function has done so far in this process.
    pub fn counts(&self) -> InvokeCounts {
        InvokeCounts::new(self.0.accepted.load(Ordering::Relaxed), &self.0.telemetry.counters)
    }
}

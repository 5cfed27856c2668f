//! What a destination is told of an event (rules L18, L19). Members come in the order of Lambda.

use broker_core::Timestamp;
use bytes::Bytes;
use serde::Serialize;
use serde_json::{Value, json, value::RawValue};
use uuid::Uuid;

use crate::{event::Source, handler::Failure};

/// Why a destination is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Condition {
    /// The function has succeeded.
    Success,
    /// It has failed as often as it is tried.
    RetriesExhausted,
    /// The event would get too old.
    EventAgeExceeded,
    /// Nothing of this function runs.
    ZeroReservedConcurrency,
}

/// What a destination is told of an event.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct InvocationRecord {
    /// `1.0`.
    pub version: &'static str,
    /// When this was written, as RFC 3339.
    pub timestamp: String,
    /// Which event of which function.
    pub request_context: RequestContext,
    /// The event, byte for byte. `None` where there is no room for it (rule L21).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_payload: Option<Box<RawValue>>,
    /// What the last attempt said, if there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_context: Option<ResponseContext>,
    /// The function's answer, or its error. `None` if there was no attempt, or where there is no room for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_payload: Option<Value>,
}

/// Which event of which function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RequestContext {
    /// The id of the event, the same for all attempts.
    pub request_id: String,
    /// The function, with a qualifier.
    pub function_arn: String,
    /// Why the destination is told.
    pub condition: Condition,
    /// How often the function was tried.
    pub approximate_invoke_count: u32,
}

/// What an attempt said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ResponseContext {
    /// 200, also if the function has failed.
    pub status_code: u16,
    /// Which version of the function ran.
    pub executed_version: String,
    /// `Unhandled` if the function has failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function_error: Option<&'static str>,
}

/// What is said of every event that a function is done with.
pub(super) struct Outcome<'a> {
    pub(super) request_id: Uuid,
    pub(super) payload: &'a Bytes,
    pub(super) function_arn: &'a str,
    pub(super) executed_version: &'a str,
    pub(super) condition: Condition,
    pub(super) attempts: u32,
    /// What the last attempt said, if it is known.
    pub(super) answer: Option<Result<Value, Failure>>,
}

impl InvocationRecord {
    pub(super) fn new(outcome: Outcome<'_>, now: Timestamp) -> Self {
        let failed = matches!(outcome.answer, Some(Err(_)));
        let context = |_: &_| ResponseContext {
            status_code: 200,
            executed_version: outcome.executed_version.to_owned(),
            function_error: failed.then_some("Unhandled"),
        };
        let request_id = outcome.request_id.to_string();
        Self {
            version: "1.0",
            timestamp: now.to_string(),
            response_context: outcome.answer.as_ref().map(context),
            response_payload: outcome.answer.map(|answer| match answer {
                Ok(answer) => answer,
                Err(failure) => error_payload(&failure, &request_id),
            }),
            request_context: RequestContext {
                request_id,
                function_arn: outcome.function_arn.to_owned(),
                condition: outcome.condition,
                approximate_invoke_count: outcome.attempts,
            },
            // An event is JSON: it was looked at when it was taken out of the queue.
            request_payload: serde_json::from_slice(outcome.payload).ok(),
        }
    }

    /// The record as JSON.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("text, numbers and JSON can be written as JSON")
    }

    /// The same without the event and the answer.
    pub fn without_payloads(&self) -> Self {
        Self { request_payload: None, response_payload: None, ..self.clone() }
    }

    /// What a bus is told (rule L19).
    pub(super) fn bus_event(&self, bus_arn: &str, source: &Source) -> Value {
        let success = self.request_context.condition == Condition::Success;
        let outcome = if success { "Success" } else { "Failure" };
        json!({
            "version": "0",
            "id": Uuid::new_v4().to_string(),
            "detail-type": format!("Lambda Function Invocation Result - {outcome}"),
            "source": "lambda",
            "account": source.account,
            "time": self.timestamp,
            "region": source.region,
            "resources": [bus_arn, self.request_context.function_arn],
            "detail": self,
        })
    }

    /// Under which key an object store keeps it (rule L19).
    pub(super) fn object_key(&self) -> String {
        let arn = &self.request_context.function_arn;
        let name = arn.split(':').nth(6).unwrap_or("function");
        format!("aws/lambda/async/{name}/{}", dated_name(&self.timestamp))
    }
}

/// The end of an object's key: `YYYY/MM/DD/YYYY-MM-DDTHH.MM.SS-` and an id.
pub(crate) fn dated_name(timestamp: &str) -> String {
    let (day, second) = (timestamp.get(..10).unwrap_or_default(), timestamp.get(..19).unwrap_or_default());
    format!("{}/{}-{}", day.replace('-', "/"), second.replace(':', "."), Uuid::new_v4())
}

/// A function's error as it answers with it.
fn error_payload(failure: &Failure, request_id: &str) -> Value {
    json!({
        "errorMessage": failure.message,
        "errorType": failure.error_type,
        "requestId": request_id,
        "stackTrace": [],
    })
}

//! Answers that name the items which failed: the table behind rule L50, the same for queues and streams. Pure.

use serde_json::Value;

/// What an answer with `batchItemFailures` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Report {
    /// Everything is done.
    Success,
    /// These failed: message ids, or sequence numbers.
    Failed(Vec<String>),
    /// It makes no sense, so everything failed.
    Malformed(String),
}

/// Reads the answer of a function whose mapping reports failures of single items.
pub fn read_report(answer: &Value) -> Report {
    let malformed =
        |what: &str| Report::Malformed(format!("the answer is not one with batchItemFailures: {what}"));
    let failures = match answer {
        Value::Null => return Report::Success,
        Value::String(text) if text.is_empty() => return Report::Success,
        Value::Array(items) if items.is_empty() => return Report::Success,
        Value::Object(members) => members.get("batchItemFailures").unwrap_or(&Value::Null),
        _ => return malformed("it is no object"),
    };
    let items = match failures {
        Value::Null => return Report::Success,
        Value::Array(items) if items.is_empty() => return Report::Success,
        Value::Array(items) => items,
        _ => return malformed("the list is none"),
    };
    let id = |item: &Value| match item.get("itemIdentifier") {
        Some(Value::String(id)) if !id.is_empty() => Some(id.clone()),
        _ => None,
    };
    match items.iter().map(id).collect() {
        Some(ids) => Report::Failed(ids),
        None => malformed("an item has no itemIdentifier of text"),
    }
}

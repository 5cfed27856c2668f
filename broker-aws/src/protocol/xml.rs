//! Answers to query requests: XML, or the same as JSON.
//!
//! An output becomes a tree of plain values first, which is then written by the names of its members. The services
//! write lists and maps differently: SQS repeats an element whose name is in a table, SNS wraps `member` and `entry`.

use bytes::Bytes;
use serde::Serialize;
use serde_json::{Value, json};

use super::answer::Question;
use crate::{
    request::Api,
    sqs,
    wire::error::{WireError, WireResult},
};

/// Writes an output. One without a shape (`()`) has no result element.
pub(super) fn write<T: Serialize>(asked: &Question<'_>, output: &T) -> WireResult<Bytes> {
    let output = value(output)?;
    let Question { api, operation, request_id, .. } = asked;
    let mut out = format!("<?xml version=\"1.0\"?><{operation}Response xmlns=\"{}\">", api.xml_namespace());
    if !output.is_null() {
        let writer = Writer { api: *api, operation };
        element(&mut out, &format!("{operation}Result"), |out| writer.content(out, &output));
    }
    element(&mut out, "ResponseMetadata", |out| {
        element(out, "RequestId", |out| escape(out, request_id));
    });
    out.extend(["</", operation, "Response>"]);
    Ok(out.into())
}

/// Writes an output as JSON, with the wrappers of the XML around it.
pub(super) fn write_as_json<T: Serialize>(asked: &Question<'_>, output: &T) -> WireResult<Bytes> {
    let Question { operation, request_id, .. } = asked;
    let mut response = json!({ "ResponseMetadata": { "RequestId": request_id } });
    let output = value(output)?;
    if !output.is_null() {
        response[format!("{operation}Result")] = output;
    }
    Ok(json!({ format!("{operation}Response"): response }).to_string().into())
}

/// Writes an error.
pub(super) fn write_error(api: Api, error: &WireError, request_id: &str) -> Bytes {
    let mut out = format!("<?xml version=\"1.0\"?><ErrorResponse xmlns=\"{}\">", api.xml_namespace());
    element(&mut out, "Error", |out| {
        element(out, "Type", |out| out.push_str(side(error)));
        element(out, "Code", |out| escape(out, &error.code));
        element(out, "Message", |out| escape(out, &error.message));
        out.push_str("<Detail/>");
    });
    element(&mut out, "RequestId", |out| escape(out, request_id));
    out.push_str("</ErrorResponse>");
    out.into()
}

/// Writes an error as JSON.
pub(super) fn write_error_as_json(error: &WireError, request_id: &str) -> Bytes {
    let told = json!({ "Type": side(error), "Code": error.code, "Message": error.message });
    json!({ "Error": told, "RequestId": request_id }).to_string().into()
}

fn side(error: &WireError) -> &'static str {
    if error.is_sender() { "Sender" } else { "Receiver" }
}

fn value<T: Serialize>(output: &T) -> WireResult<Value> {
    serde_json::to_value(output).map_err(|error| WireError::internal(error.to_string()))
}

/// Writes the members of outputs of one operation.
struct Writer<'a> {
    api: Api,
    operation: &'a str,
}

impl Writer<'_> {
    fn content(&self, out: &mut String, value: &Value) {
        match value {
            Value::Null => {}
            Value::Bool(flag) => out.push_str(&flag.to_string()),
            Value::Number(number) => out.push_str(&number.to_string()),
            Value::String(text) => escape(out, text),
            Value::Array(items) => {
                for item in items {
                    element(out, "member", |out| self.content(out, item));
                }
            }
            Value::Object(members) => {
                for (name, member) in members {
                    self.member(out, name, member);
                }
            }
        }
    }

    fn member(&self, out: &mut String, name: &str, member: &Value) {
        match (self.api, member) {
            (Api::Sqs, Value::Array(items)) => {
                let name = sqs::element_name(self.operation, name);
                for item in items {
                    element(out, name, |out| self.content(out, item));
                }
            }
            (Api::Sqs, Value::Object(entries)) if sqs::is_map(name) => {
                let entry_name = sqs::element_name(self.operation, name);
                let (key_name, value_name) = sqs::entry_names(name);
                for (key, value) in entries {
                    element(out, entry_name, |out| {
                        element(out, key_name, |out| escape(out, key));
                        element(out, value_name, |out| self.content(out, value));
                    });
                }
            }
            (Api::Sns, Value::Object(entries)) if crate::sns::is_map(name) => {
                element(out, name, |out| {
                    for (key, value) in entries {
                        element(out, "entry", |out| {
                            element(out, "key", |out| escape(out, key));
                            element(out, "value", |out| self.content(out, value));
                        });
                    }
                });
            }
            (_, member) => element(out, name, |out| self.content(out, member)),
        }
    }
}

/// An element whose name is ours, not the client's.
fn element(out: &mut String, name: &str, content: impl FnOnce(&mut String)) {
    out.push('<');
    out.push_str(name);
    out.push('>');
    content(out);
    out.push_str("</");
    out.push_str(name);
    out.push('>');
}

/// Text between tags. What XML cannot hold is replaced, and a carriage return is kept from being read as a line feed.
fn escape(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\r' => out.push_str("&#xD;"),
            '\t' | '\n' => out.push(c),
            '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => out.push(char::REPLACEMENT_CHARACTER),
            _ => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped_and_stays_xml() {
        let mut out = String::new();
        escape(&mut out, "a<b>&\"c\"\r\n\t\u{1}\u{fffe}é");
        assert_eq!(out, "a&lt;b&gt;&amp;&quot;c&quot;&#xD;\n\t\u{fffd}\u{fffd}é");
    }
}

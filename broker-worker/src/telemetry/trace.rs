//! The trace context of messages: W3C's `traceparent` and `tracestate` as message attributes, and AWS's trace header; and of records
//! of a stream, which carry nothing beside their data: the same two as members of the JSON in it.

use std::{collections::BTreeMap, fmt, str::FromStr};

use broker_core::{AttributeValue, Message, SendMessage};
use serde::Deserialize;
use serde_json::value::RawValue;

/// The message attribute that holds the trace context, as W3C writes it.
pub const TRACE_PARENT: &str = "traceparent";
/// The message attribute that holds what the vendors of traces add.
pub const TRACE_STATE: &str = "tracestate";
/// The longest `tracestate` that is taken, in bytes: what W3C asks to be passed on at least.
const STATE_BYTES_MAX: usize = 512;

/// Which trace a message belongs to, and who in it sent the message.
///
/// ```
/// use broker_core::SendMessage;
/// use broker_worker::telemetry::TraceContext;
///
/// let context: TraceContext = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".parse()?;
/// let message = context.inject(SendMessage::from("socks"));
/// assert!(message.attributes.get("traceparent").is_some());
/// # Ok::<(), broker_worker::telemetry::TraceError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceContext {
    /// The trace, never zero.
    pub trace_id: u128,
    /// The span that sent the message, never zero.
    pub span_id: u64,
    /// Whether the sender records its part of the trace.
    pub sampled: bool,
    /// What vendors add.
    pub state: Option<String>,
}

/// Why a text is no trace context. A message that carries it is handled all the same, without a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a trace context: {0}")]
pub struct TraceError(&'static str);

impl TraceContext {
    /// The context that a message carries: W3C's if there is one, or else AWS's. `None` if it carries none that makes
    /// sense.
    pub fn extract(message: &Message) -> Option<Self> {
        let text = |name| message.attributes.get(name).and_then(AttributeValue::text);
        if let Some(context) = text(TRACE_PARENT).and_then(|parent| parent.parse::<Self>().ok()) {
            return Some(context.with_state(text(TRACE_STATE).map(str::to_owned)));
        }
        message.trace_header.as_deref().and_then(|header| Self::from_aws(header).ok())
    }

    /// The context in a JSON object: its members `traceparent` and `tracestate`, as the events of `CloudEvents` have them. `None` if
    /// there is none that makes sense. It reads all of the JSON.
    ///
    /// ```
    /// use broker_worker::telemetry::TraceContext;
    ///
    /// let click = br#"{"page": 7, "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}"#;
    /// assert_eq!(TraceContext::of_json(click).map(|context| context.span_id), Some(0x00f0_67aa_0ba9_02b7));
    /// ```
    pub fn of_json(json: &[u8]) -> Option<Self> {
        #[derive(Deserialize)]
        struct Members {
            traceparent: String,
            tracestate: Option<String>,
        }
        let members: Members = serde_json::from_slice(json).ok()?;
        Some(members.traceparent.parse::<Self>().ok()?.with_state(members.tracestate))
    }

    /// The same JSON object with this context, at its end. `None` if it is no object, or has a context.
    pub(super) fn in_json(&self, json: &[u8]) -> Option<Vec<u8>> {
        let members: BTreeMap<String, &RawValue> = serde_json::from_slice(json).ok()?;
        if members.contains_key(TRACE_PARENT) {
            return None;
        }
        let mut more = json.trim_ascii_end().strip_suffix(b"}")?.trim_ascii_end().to_vec();
        let comma = if members.is_empty() { "" } else { "," };
        more.extend_from_slice(format!(r#"{comma}"{TRACE_PARENT}":"{self}""#).as_bytes());
        if let Some(state) = self.state.as_deref().filter(|_| !members.contains_key(TRACE_STATE)) {
            let state = serde_json::Value::from(state);
            more.extend_from_slice(format!(r#","{TRACE_STATE}":{state}"#).as_bytes());
        }
        more.push(b'}');
        Some(more)
    }

    fn with_state(self, state: Option<String>) -> Self {
        Self { state: state.filter(|state| state.len() <= STATE_BYTES_MAX), ..self }
    }

    /// The message with this context as W3C's attributes. They count towards its size, and its ten attributes.
    pub fn inject(&self, message: SendMessage) -> SendMessage {
        let message = message.attribute(TRACE_PARENT, AttributeValue::string(self.to_string()));
        match &self.state {
            Some(state) => message.attribute(TRACE_STATE, AttributeValue::string(state.clone())),
            None => message,
        }
    }

    /// The message with this context as `AWSTraceHeader`, which does not count towards its size.
    pub fn inject_aws(&self, message: SendMessage) -> SendMessage {
        message.trace_header(self.to_aws())
    }

    /// As `AWSTraceHeader` has it.
    pub fn to_aws(&self) -> String {
        let trace = format!("{:032x}", self.trace_id);
        let (time, random) = trace.split_at(8);
        format!("Root=1-{time}-{random};Parent={:016x};Sampled={}", self.span_id, u8::from(self.sampled))
    }

    /// Reads an `AWSTraceHeader`: `Root`, `Parent` and `Sampled`, in any order, among other fields.
    pub fn from_aws(header: &str) -> Result<Self, TraceError> {
        let field = |name: &str| {
            let mut fields = header.split(';').filter_map(|field| field.trim().split_once('='));
            fields.find(|(key, _)| *key == name).map(|(_, value)| value)
        };
        let root = field("Root").ok_or(TraceError("there is no Root"))?;
        let mut parts = root.split('-');
        let trace = match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some("1"), Some(time), Some(random), None) if time.len() == 8 && random.len() == 24 => {
                digits(time)? << 96 | digits(random)?
            }
            _ => return Err(TraceError("Root is not 1-, 8 digits, - and 24 digits")),
        };
        let parent = field("Parent").filter(|parent| parent.len() == 16);
        let parent = digits(parent.ok_or(TraceError("there is no Parent of 16 digits"))?)?;
        Self::new(trace, parent, field("Sampled") == Some("1"))
    }

    fn new(trace_id: u128, span_id: u128, sampled: bool) -> Result<Self, TraceError> {
        let span_id = u64::try_from(span_id).map_err(|_| TraceError("a span id has 16 digits"))?;
        if trace_id == 0 || span_id == 0 {
            return Err(TraceError("the ids are zero"));
        }
        Ok(Self { trace_id, span_id, sampled, state: None })
    }
}

/// As W3C's `traceparent` has it.
impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-{:02x}", self.trace_id, self.span_id, u8::from(self.sampled))
    }
}

/// Reads a `traceparent`. Of versions to come it reads what it knows, as W3C asks for.
impl FromStr for TraceContext {
    type Err = TraceError;

    fn from_str(text: &str) -> Result<Self, TraceError> {
        let mut parts = text.split('-');
        let (Some(version), Some(trace), Some(span), Some(flags)) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(TraceError("it has fewer than four parts"));
        };
        if [version.len(), trace.len(), span.len(), flags.len()] != [2, 32, 16, 2] {
            return Err(TraceError("its parts do not have 2, 32, 16 and 2 digits"));
        }
        if digits(version)? == 0xff || (version == "00" && parts.next().is_some()) {
            return Err(TraceError("its version does not fit"));
        }
        Self::new(digits(trace)?, digits(span)?, digits(flags)? & 1 == 1)
    }
}

/// Lowercase hexadecimal digits, up to 32 of them.
fn digits(text: &str) -> Result<u128, TraceError> {
    let digits = text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let number = u128::from_str_radix(text, 16).ok().filter(|_| digits);
    number.ok_or(TraceError("its digits are not lowercase hexadecimal ones"))
}

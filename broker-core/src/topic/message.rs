//! Messages on their way into a topic, and as accepted.

use std::{collections::BTreeMap, fmt};

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{MapAccess, Visitor},
};

use crate::{
    error::{Error, Result},
    ids::{MessageId, SequenceNumber},
    queue::attributes::{AttributeValue, MessageAttributes},
};

/// A message to be published.
///
/// ```
/// use broker_core::{AttributeValue, PublishMessage};
///
/// let message = PublishMessage::new(r#"{"total": 1200}"#)
///     .subject("an order")
///     .attribute("source", AttributeValue::string("web"));
/// assert_eq!(message.body, r#"{"total": 1200}"#);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PublishMessage {
    /// The message, which must not be empty.
    pub body: String,
    /// What to say instead to the subscribers of a protocol, by its name: `sqs`, `lambda`, `http` (rule N22).
    pub body_for: BTreeMap<String, String>,
    /// A subject, 1 to 99 characters without line breaks, for mail and the envelope.
    pub subject: Option<String>,
    /// Attributes, which filter policies look at.
    pub attributes: MessageAttributes,
    /// The message group, which a FIFO topic needs. On a standard topic it goes on to standard queues, where it names a
    /// tenant.
    pub group_id: Option<String>,
    /// The deduplication id, which only FIFO topics take.
    pub deduplication_id: Option<String>,
}

impl PublishMessage {
    /// A message with this body and nothing else.
    pub fn new(body: impl Into<String>) -> Self {
        Self { body: body.into(), ..Self::default() }
    }

    /// A message whose body is `value` as JSON. Fails if the type cannot be written as JSON.
    pub fn json<T: Serialize + ?Sized>(value: &T) -> Result<Self, serde_json::Error> {
        Ok(Self::new(serde_json::to_string(value)?))
    }

    /// A message from a JSON object with a text for each protocol and one under `default`, as SNS takes it with the
    /// message structure `json` (rule N22). Keys of no protocol are kept and mean nothing.
    pub fn structured(json: &str) -> Result<Self> {
        let refuse = |reason: String| Error::invalid("message_structure", json, reason);
        let Texts(mut texts) = serde_json::from_str(json).map_err(|what| {
            refuse(format!("Message Structure - JSON message body failed to parse: {what}"))
        })?;
        let body = texts
            .remove("default")
            .ok_or_else(|| refuse("Message Structure - No default entry in JSON message body".into()))?;
        Ok(Self { body, body_for: texts, ..Self::default() })
    }

    /// Says something else to the subscribers of a protocol.
    pub fn body_for(mut self, protocol: impl Into<String>, body: impl Into<String>) -> Self {
        self.body_for.insert(protocol.into(), body.into());
        self
    }

    /// Has a subject.
    pub fn subject(self, subject: impl Into<String>) -> Self {
        Self { subject: Some(subject.into()), ..self }
    }

    /// Adds an attribute, in place of an older one of the same name.
    pub fn attribute(mut self, name: impl Into<String>, value: AttributeValue) -> Self {
        self.attributes.insert(name, value);
        self
    }

    /// Belongs to a message group: 1 to 128 letters, digits and ASCII punctuation.
    pub fn group_id(self, group_id: impl Into<String>) -> Self {
        Self { group_id: Some(group_id.into()), ..self }
    }

    /// Has a deduplication id, on a FIFO topic: 1 to 128 letters, digits and ASCII punctuation.
    pub fn deduplication_id(self, id: impl Into<String>) -> Self {
        Self { deduplication_id: Some(id.into()), ..self }
    }

    /// The size that limits count: body, attribute names, types and values (rule N20).
    pub fn size_bytes(&self) -> usize {
        let attributes: usize = self.attributes.iter().map(|(name, value)| value.size_bytes(name)).sum();
        let bodies: usize = self.body_for.values().map(String::len).sum();
        self.body.len() + bodies + attributes
    }

    /// The body for the subscribers of a protocol.
    pub(crate) fn body_of(&self, protocol: &str) -> &str {
        self.body_for.get(protocol).unwrap_or(&self.body)
    }
}

impl From<&str> for PublishMessage {
    fn from(body: &str) -> Self {
        Self::new(body)
    }
}

impl From<String> for PublishMessage {
    fn from(body: String) -> Self {
        Self::new(body)
    }
}

/// A message that the topic has accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Published {
    /// The id that every subscriber is told. That of the original if this was a duplicate.
    pub id: MessageId,
    /// On a FIFO topic, the message's place in the order; that of the original if this was a duplicate.
    pub sequence_number: Option<SequenceNumber>,
    /// A message with this deduplication id was accepted in the last five minutes, so this one was delivered to nobody.
    pub duplicate: bool,
}

/// The texts of a JSON object: other values are left out, a key that occurs twice is an error.
struct Texts(BTreeMap<String, String>);

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Texts;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Texts, A::Error> {
                let mut seen = BTreeMap::new();
                while let Some((key, value)) = map.next_entry::<String, serde_json::Value>()? {
                    let text = if let serde_json::Value::String(text) = value { Some(text) } else { None };
                    if seen.insert(key, text).is_some() {
                        return Err(serde::de::Error::custom("a key occurs twice"));
                    }
                }
                Ok(Texts(seen.into_iter().filter_map(|(key, text)| Some((key, text?))).collect()))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn n22_each_protocol_gets_its_text_and_others_the_default() {
        let json = r#"{"default": "all", "sqs": "queues", "http": 5, "nobody": "x"}"#;
        let message = PublishMessage::structured(json).expect("a default");
        assert_eq!(message.body_of("sqs"), "queues");
        assert_eq!(message.body_of("http"), "all", "not a string, so ignored");
        assert_eq!(message.body_of("lambda"), "all");
    }

    #[test]
    fn n22_what_is_not_a_structure_is_refused() {
        let refused = |json: &str, reason: &str| {
            let error = PublishMessage::structured(json).expect_err(json).to_string();
            assert!(error.contains(reason), "{error}");
        };
        refused("{}", "No default entry in JSON message body");
        refused(r#"{"default": 1}"#, "No default entry in JSON message body");
        refused(r#"["default"]"#, "JSON message body failed to parse");
        refused("default", "JSON message body failed to parse");
        refused(r#"{"default": "a", "default": "b"}"#, "JSON message body failed to parse");
    }
}

//! Message attributes: typed names and values beside the body (rules Q30 to Q35, Q58).

use std::collections::{BTreeMap, btree_map};

use bytes::Bytes;

/// The value of a message attribute, with its type: `String`, `Number` or `Binary`, and optionally a suffix of the
/// sender's own behind a dot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttributeValue {
    data_type: String,
    value: Value,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Value {
    Text(String),
    Binary(Bytes),
}

impl AttributeValue {
    /// A `String`.
    pub fn string(value: impl Into<String>) -> Self {
        Self::from_text("String".into(), value.into())
    }

    /// A `Number`, as text: SQS keeps the digits as they are, up to 38 of them.
    pub fn number(value: impl std::fmt::Display) -> Self {
        Self::from_text("Number".into(), value.to_string())
    }

    /// A `Binary`.
    pub fn binary(value: impl Into<Bytes>) -> Self {
        Self::from_binary("Binary".into(), value.into())
    }

    /// A text value with a type as it stands, such as `String.uuid`; checked when it is sent.
    pub fn from_text(data_type: String, value: String) -> Self {
        Self { data_type, value: Value::Text(value) }
    }

    /// A binary value with a type as it stands, such as `Binary.png`; checked when it is sent.
    pub fn from_binary(data_type: String, value: Bytes) -> Self {
        Self { data_type, value: Value::Binary(value) }
    }

    /// The type with its suffix.
    pub fn data_type(&self) -> &str {
        &self.data_type
    }

    /// The value if it is text: a `String` or a `Number`.
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            Value::Binary(_) => None,
        }
    }

    /// The bytes of the value, whatever its type.
    pub fn bytes(&self) -> &[u8] {
        match &self.value {
            Value::Text(text) => text.as_bytes(),
            Value::Binary(bytes) => bytes,
        }
    }

    /// What this attribute adds to the size of a message: name, type and value (rule Q21).
    pub(crate) fn size_bytes(&self, name: &str) -> usize {
        name.len() + self.data_type.len() + self.bytes().len()
    }
}

/// The attributes of a message, in the order of their names.
///
/// ```
/// use broker_core::{AttributeValue, MessageAttributes};
///
/// let mut attributes = MessageAttributes::new();
/// attributes.insert("trace.id", AttributeValue::string("a1"));
/// attributes.insert("trace.hop", AttributeValue::number(3));
/// attributes.insert("source", AttributeValue::string("web"));
/// assert_eq!(attributes.select(["trace.*"]).len(), 2);
/// assert_eq!(attributes.get("source").and_then(|value| value.text()), Some("web"));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MessageAttributes(BTreeMap<String, AttributeValue>);

impl MessageAttributes {
    /// No attributes.
    pub const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// Adds an attribute, in place of an older one of the same name.
    pub fn insert(&mut self, name: impl Into<String>, value: AttributeValue) {
        self.0.insert(name.into(), value);
    }

    /// The value of an attribute.
    pub fn get(&self, name: &str) -> Option<&AttributeValue> {
        self.0.get(name)
    }

    /// The attributes in the order of their names.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &AttributeValue)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Those that a receive would ask for by `names`: exact names, `prefix.*`, or `All`, `*`, `.*` for all of them.
    /// Unknown names select nothing (rule Q58).
    pub fn select<'n>(&self, names: impl IntoIterator<Item = &'n str>) -> Self {
        let mut selected = BTreeMap::new();
        for name in names {
            if matches!(name, "All" | "*" | ".*") {
                return self.clone();
            }
            if let Some(prefix) = name.strip_suffix(".*") {
                let matching = self.0.iter().filter(|(name, _)| name.starts_with(prefix));
                selected.extend(matching.map(|(name, value)| (name.clone(), value.clone())));
            } else if let Some(value) = self.0.get(name) {
                selected.insert(name.to_owned(), value.clone());
            }
        }
        Self(selected)
    }
}

impl IntoIterator for MessageAttributes {
    type Item = (String, AttributeValue);
    type IntoIter = btree_map::IntoIter<String, AttributeValue>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<N: Into<String>> FromIterator<(N, AttributeValue)> for MessageAttributes {
    fn from_iter<I: IntoIterator<Item = (N, AttributeValue)>>(attributes: I) -> Self {
        Self(attributes.into_iter().map(|(name, value)| (name.into(), value)).collect())
    }
}

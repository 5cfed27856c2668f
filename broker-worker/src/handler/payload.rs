//! Bodies as typed values: one that does not parse is a failure that names the place, never a panic.

use broker_core::Message;
use bytes::Bytes;
use serde::de::DeserializeOwned;

use super::failure::Failure;

/// What a handler can take a message as.
pub trait Payload: Sized + Send + 'static {
    /// Reads it from the message.
    fn read(message: &Message) -> Result<Self, Failure>;
}

/// The body read as JSON. What does not parse fails with the path to the place, as `items[2].price: …`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned + Send + 'static> Payload for Json<T> {
    fn read(message: &Message) -> Result<Self, Failure> {
        from_json(&message.body).map(Self)
    }
}

/// Nothing of it: the function looks at the message itself.
impl Payload for () {
    fn read(_: &Message) -> Result<Self, Failure> {
        Ok(())
    }
}

impl Payload for String {
    fn read(message: &Message) -> Result<Self, Failure> {
        let not_text = |error| Failure::payload(format_args!("the body is not text: {error}"));
        message.text().map(str::to_owned).map_err(not_text)
    }
}

impl Payload for Bytes {
    fn read(message: &Message) -> Result<Self, Failure> {
        Ok(message.body.clone())
    }
}

impl Payload for Message {
    fn read(message: &Message) -> Result<Self, Failure> {
        Ok(message.clone())
    }
}

/// Reads JSON, all of it. A failure says where.
pub(crate) fn from_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Failure> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let read: T = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        let inner = error.into_inner();
        match path.as_str() {
            "." => Failure::payload(format_args!("the body is not what is expected: {inner}")),
            path => Failure::payload(format_args!("the body is not what is expected at {path}: {inner}")),
        }
    })?;
    reader
        .end()
        .map_err(|error| Failure::payload(format_args!("the body goes on behind its end: {error}")))?;
    Ok(read)
}

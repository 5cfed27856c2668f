//! AWS JSON: an object for the input, one for the output.

use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::json;

use super::strict::Objects;
use crate::{
    request::Api,
    wire::error::{WireError, WireResult},
};

/// Reads an input. No body at all is an input without members. The depth is bounded by the parser.
pub(super) fn read<T: DeserializeOwned>(body: &[u8]) -> WireResult<T> {
    let body: &[u8] = if body.is_empty() { b"{}" } else { body };
    let read = serde_json::from_slice::<Objects<T>>(body);
    read.map(|input| input.0).map_err(|error| WireError::sender("SerializationException", error.to_string()))
}

/// Writes an output; that of an operation without one is an empty body.
pub(crate) fn write<T: Serialize>(output: &T) -> WireResult<Bytes> {
    let written = serde_json::to_vec(output).map_err(|error| WireError::internal(error.to_string()))?;
    Ok(if written == b"null" { Bytes::new() } else { written.into() })
}

/// Writes an error.
pub(super) fn write_error(api: Api, error: &WireError) -> Bytes {
    let told = json!({
        "__type": format!("{}{}", api.error_namespace(), error.shape),
        "message": error.message,
    });
    told.to_string().into()
}

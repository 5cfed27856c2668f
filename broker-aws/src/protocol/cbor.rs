//! AWS JSON 1.1 in CBOR, as the Java client of Kinesis speaks it.

use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};

use super::strict::Objects;
use crate::{
    request::Api,
    wire::error::{WireError, WireResult},
};

/// Reads an input. No body at all is an input without members. The depth is bounded by the parser.
pub(super) fn read<T: DeserializeOwned>(body: &[u8]) -> WireResult<T> {
    /// An empty map.
    const NOTHING: &[u8] = &[0xa0];
    let refused = |what: String| WireError::sender("SerializationException", what);
    let mut rest = if body.is_empty() { NOTHING } else { body };
    let read = ciborium::from_reader::<Objects<T>, _>(&mut rest);
    let input = read.map_err(|error| refused(error.to_string()))?.0;
    if rest.is_empty() { Ok(input) } else { Err(refused("there is more behind the input".into())) }
}

/// Writes an output; that of an operation without one is an empty body.
pub(crate) fn write<T: Serialize>(output: &T) -> WireResult<Bytes> {
    /// Null.
    const NO_OUTPUT: &[u8] = &[0xf6];
    let mut written = Vec::new();
    ciborium::into_writer(output, &mut written).map_err(|error| WireError::internal(error.to_string()))?;
    Ok(if written == NO_OUTPUT { Bytes::new() } else { written.into() })
}

/// Writes an error.
pub(super) fn write_error(api: Api, error: &WireError) -> Bytes {
    #[derive(Serialize)]
    struct Told<'a> {
        #[serde(rename = "__type")]
        kind: String,
        message: &'a str,
    }
    let told = Told { kind: format!("{}{}", api.error_namespace(), error.shape), message: &error.message };
    write(&told).unwrap_or_default()
}

//! The protocols: how what is asked and what is answered is written down.
//!
//! Operations know nothing of them: their inputs and outputs are plain structs, which serde takes through each protocol.
//!
//! | file | what it is for |
//! |---|---|
//! | `json` | AWS JSON 1.0 and 1.1 |
//! | `cbor` | the same in CBOR, for Kinesis |
//! | `strict` | for both: structures are objects, and never arrays |
//! | `query` | parameters of a form as a tree, and that tree for serde |
//! | `xml` | answers to query requests |
//! | `answer` | from an output or an error to an HTTP response |

pub(crate) mod answer;
pub(crate) mod cbor;
pub(crate) mod json;
pub(crate) mod query;
mod strict;
mod xml;

use bytes::Bytes;
use serde::de::DeserializeOwned;

use crate::{
    request::Api,
    wire::error::{WireError, WireResult},
};

/// How a client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// AWS JSON 1.0.
    Json10,
    /// AWS JSON 1.1.
    Json11,
    /// AWS JSON 1.1 in CBOR.
    Cbor,
    /// A form; the answer is XML, or JSON for who asks for it.
    Query {
        /// Whether the answer is JSON.
        json: bool,
    },
}

impl Protocol {
    /// That of a request with `X-Amz-Target`, by its content type.
    pub(crate) fn of_content(content_type: Option<&str>) -> Self {
        match content_type.map(|text| text.split(';').next().unwrap_or_default().trim()) {
            Some("application/x-amz-json-1.1") => Self::Json11,
            Some("application/x-amz-cbor-1.1" | "application/cbor") => Self::Cbor,
            _ => Self::Json10,
        }
    }

    /// The content type of answers.
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Json10 => "application/x-amz-json-1.0",
            Self::Json11 => "application/x-amz-json-1.1",
            Self::Cbor => "application/x-amz-cbor-1.1",
            Self::Query { json: false } => "text/xml",
            Self::Query { json: true } => "application/json",
        }
    }
}

/// The input of an operation as it came.
#[derive(Debug)]
pub(crate) enum Payload {
    Json(Bytes),
    Cbor(Bytes),
    Form(query::Node),
}

impl Payload {
    /// The input as the operation wants it.
    pub(crate) fn read<T: DeserializeOwned>(&self) -> WireResult<T> {
        match self {
            Self::Json(body) => json::read(body),
            Self::Cbor(body) => cbor::read(body),
            Self::Form(form) => query::read(form),
        }
    }
}

/// An error, and to whom it is told in which protocol.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) api: Api,
    pub(crate) protocol: Protocol,
    pub(crate) error: WireError,
}

impl Fault {
    pub(crate) fn new(api: Api, protocol: Protocol, error: WireError) -> Self {
        Self { api, protocol, error }
    }
}

//! From an output or an error to an HTTP response.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use serde::Serialize;

use super::{Fault, Protocol, cbor, json, xml};
use crate::{body::Body, request::Api, wire::error::WireResult};

/// What an operation answers: the body, in the protocol of the request.
pub(crate) struct Answer {
    content_type: &'static str,
    body: Body,
}

impl Answer {
    /// An output, written in a protocol.
    pub(crate) fn new<T: Serialize>(asked: &Question<'_>, output: &T) -> WireResult<Self> {
        let body = match asked.protocol {
            Protocol::Json10 | Protocol::Json11 => json::write(output)?,
            Protocol::Cbor => cbor::write(output)?,
            Protocol::Query { json: false } => xml::write(asked, output)?,
            Protocol::Query { json: true } => xml::write_as_json(asked, output)?,
        };
        Ok(Self { content_type: asked.protocol.content_type(), body: Body::Whole(body) })
    }

    /// A body that comes over time, whatever the protocol.
    pub(crate) fn chunks(content_type: &'static str, body: Body) -> Self {
        Self { content_type, body }
    }

    /// The response.
    pub(crate) fn into_response(self, request_id: &str) -> Response<Body> {
        respond(StatusCode::OK, self.content_type, self.body, request_id)
    }
}

/// What an answer must know of the question.
pub(crate) struct Question<'a> {
    pub(crate) api: Api,
    pub(crate) operation: &'a str,
    pub(crate) protocol: Protocol,
    pub(crate) request_id: &'a str,
}

/// The response that tells of an error.
pub(crate) fn error_response(fault: &Fault, request_id: &str) -> Response<Body> {
    let Fault { api, protocol, error } = fault;
    let body = match protocol {
        Protocol::Json10 | Protocol::Json11 => json::write_error(*api, error),
        Protocol::Cbor => cbor::write_error(*api, error),
        Protocol::Query { json: false } => xml::write_error(*api, error, request_id),
        Protocol::Query { json: true } => xml::write_error_as_json(error, request_id),
    };
    let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = respond(status, protocol.content_type(), Body::Whole(body), request_id);
    if *api == Api::Sqs && matches!(protocol, Protocol::Json10 | Protocol::Json11) {
        let side = if error.is_sender() { "Sender" } else { "Receiver" };
        if let Ok(value) = HeaderValue::from_str(&format!("{};{side}", error.code)) {
            response.headers_mut().insert("x-amzn-query-error", value);
        }
    }
    response
}

fn respond(status: StatusCode, content_type: &'static str, body: Body, request_id: &str) -> Response<Body> {
    let length = body.whole().map(Bytes::len);
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    if let Some(length) = length {
        headers.insert(header::CONTENT_LENGTH, length.into());
    }
    if let Ok(id) = HeaderValue::from_str(request_id) {
        headers.insert("x-amzn-requestid", id);
    }
    response
}

//! What a request seems to be, before it is read: to refuse it in the protocol that it speaks, and to count it.

use http::{header, request::Parts};

use super::{Api, credential, split_target, text, wants_json};
use crate::protocol::Protocol;

/// The service and the protocol of a request, by its headers.
pub(crate) fn addressed(parts: &Parts) -> (Api, Protocol) {
    let headers = &parts.headers;
    if let Some(target) = text(headers, "x-amz-target") {
        let api = split_target(target).map_or(Api::Sqs, |(api, _)| api);
        return (api, Protocol::of_content(text(headers, header::CONTENT_TYPE.as_str())));
    }
    let signed = credential::scope_of_header(headers).and_then(|scope| Api::of_name(&scope.service));
    (signed.unwrap_or_else(|| Api::of_host(headers)), Protocol::Query { json: wants_json(headers) })
}

/// The operation that a request asks for, if it says so; it may be none of the service.
pub(crate) fn operation(parts: &Parts, body: &[u8]) -> Option<String> {
    if let Some(target) = text(&parts.headers, "x-amz-target") {
        return split_target(target).ok().map(|(_, operation)| operation.to_owned());
    }
    let query = form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes());
    let action = query.chain(form_urlencoded::parse(body)).find(|(name, _)| name == "Action");
    action.map(|(_, operation)| operation.into_owned())
}

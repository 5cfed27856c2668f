//! From an HTTP request to what is asked: of which service, which operation, in which protocol, for which realm.
//!
//! | file | what it is for |
//! |---|---|
//! | `api` | the three services, and how a request says which one it means |
//! | `credential` | account and region, from the scope of the signature |
//! | `endpoint` | under which address a client knows the broker |

//! | `glance` | what a request seems to be, before it is read |

mod api;
mod credential;
mod endpoint;
#[cfg(feature = "serve")]
mod glance;

pub(crate) use api::Api;
use bytes::Bytes;
#[cfg(feature = "serve")]
pub(crate) use credential::{Scope, scope_of_header, scope_of_text};
#[cfg(feature = "serve")]
pub(crate) use glance::{addressed, operation};
use http::{HeaderMap, Method, Request, header};

use crate::{
    protocol::{Fault, Payload, Protocol, query::Node},
    realm::Realm,
    wire::{
        error::{WireError, WireResult},
        queue_url::queue_in_path,
    },
};

/// What a request asks for.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) api: Api,
    /// As spelled by the client; it may be no operation of the service.
    pub(crate) operation: String,
    pub(crate) protocol: Protocol,
    pub(crate) payload: Payload,
    pub(crate) origin: Origin,
}

/// Where a request comes from and by which names it knows the broker.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    pub(crate) realm: Realm,
    /// Scheme and host, without a slash at the end: queue URLs start with it.
    pub(crate) endpoint: String,
    /// Account and name, if the request went to the URL of a queue.
    pub(crate) queue: Option<(String, String)>,
    /// The header `X-Amzn-Trace-Id`.
    pub(crate) trace: Option<String>,
    /// Whether the request has a signature. Links in messages have none.
    pub(crate) signed: bool,
}

/// Takes a request apart. `home` is the realm of requests that name none, `endpoint` the address of the service if it has one.
pub(crate) fn read(request: Request<Bytes>, home: &Realm, endpoint: Option<&str>) -> Result<Asked, Fault> {
    let (parts, body) = request.into_parts();
    let headers = &parts.headers;
    if let Some(target) = text(headers, "x-amz-target") {
        let protocol = Protocol::of_content(text(headers, header::CONTENT_TYPE.as_str()));
        let (api, operation) = split_target(target).map_err(|error| Fault::new(Api::Sqs, protocol, error))?;
        let fault = |error| Fault::new(api, protocol, error);
        let realm = credential::realm(headers, None, home).map_err(fault)?;
        let origin = origin(realm, headers, None, &parts.uri, endpoint);
        let payload = match protocol {
            Protocol::Cbor => Payload::Cbor(body),
            _ => Payload::Json(body),
        };
        return Ok(Asked { api, operation: operation.to_owned(), protocol, payload, origin });
    }
    let protocol = Protocol::Query { json: wants_json(headers) };
    let fault = |error| Fault::new(Api::of_host(headers), protocol, error);
    let form = read_form(&parts.method, parts.uri.query(), &body).map_err(fault)?;
    let api = Api::of_query(&form, headers, parts.uri.path());
    let fault = |error| Fault::new(api, protocol, error);
    let Some(operation) = form.text("Action").map(str::to_owned) else {
        let message = "The request must contain the parameter Action.";
        return Err(fault(WireError::sender("MissingAction", message)));
    };
    let realm = credential::realm(headers, Some(&form), home).map_err(fault)?;
    let origin = origin(realm, headers, Some(&form), &parts.uri, endpoint);
    Ok(Asked { api, operation, protocol, payload: Payload::Form(form), origin })
}

/// The parameters of a query request: those of the URL, and those of the body if it has one.
fn read_form(method: &Method, query: Option<&str>, body: &[u8]) -> WireResult<Node> {
    let pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    let body: &[u8] = if method == Method::POST { body } else { &[] };
    Node::from_pairs(pairs.chain(form_urlencoded::parse(body)))
}

/// `AmazonSQS.SendMessage` as the service and the operation.
fn split_target(target: &str) -> WireResult<(Api, &str)> {
    let unknown = || WireError::sender("UnknownOperationException", "");
    let (prefix, operation) = target.rsplit_once('.').ok_or_else(unknown)?;
    Ok((Api::of_target(prefix).ok_or_else(unknown)?, operation))
}

/// Whether the answer to a query request is to be JSON.
fn wants_json(headers: &HeaderMap) -> bool {
    text(headers, header::ACCEPT.as_str()).is_some_and(|accept| accept.contains("application/json"))
}

fn origin(
    realm: Realm,
    headers: &HeaderMap,
    form: Option<&Node>,
    uri: &http::Uri,
    endpoint: Option<&str>,
) -> Origin {
    let queue = queue_in_path(uri.path()).map(|(account, name)| (account.to_owned(), name.to_owned()));
    let endpoint = endpoint.map_or_else(|| endpoint::of_request(headers, uri), str::to_owned);
    let trace = text(headers, "x-amzn-trace-id").map(str::to_owned);
    let signed = credential::scope(headers, form).is_some();
    Origin { realm, endpoint, queue, trace, signed }
}

/// A header as text; one that is not ASCII counts as absent.
fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

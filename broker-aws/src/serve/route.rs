//! What is answered here, and what the service answers.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header, request::Parts};
use hyper::body::Incoming;

use super::{
    activity::{Busy, BusyBody},
    health,
    metrics::{self, Requests},
    receive::{Received, Room, receive},
    signature::{AccessKeys, Guard},
};
use crate::{Body, Service, protocol::Fault, request, wire::error::WireError};

/// Answers requests. All clones are the same.
#[derive(Clone)]
pub(super) struct Router {
    shared: Arc<Shared>,
}

struct Shared {
    service: Service,
    guard: Option<Guard>,
    room: Room,
    requests: Requests,
}

impl Router {
    pub(super) fn new(service: Service, keys: Option<AccessKeys>) -> Self {
        let guard = keys.map(Guard::new);
        let shared = Shared { service, guard, room: Room::default(), requests: Requests::default() };
        Self { shared: Arc::new(shared) }
    }

    /// Answers a request; its connection is busy until the answer is sent.
    pub(super) async fn answer(&self, request: Request<Incoming>, busy: Busy) -> Response<BusyBody> {
        let (parts, body) = request.into_parts();
        let chunked = parts.headers.contains_key(header::TRANSFER_ENCODING);
        let mut response = match (&parts.method, parts.uri.path()) {
            (&Method::GET, "/health") => self.health().await,
            (&Method::GET, "/metrics") => self.metrics().await,
            _ if parts.headers.contains_key(header::ORIGIN) => refuse(
                &parts,
                StatusCode::FORBIDDEN,
                "AccessDenied",
                "Requests of web pages are not taken.".into(),
            ),
            _ => self.call(parts, body).await,
        };
        // It may have had a length too, which is not seen here, and by which a proxy in front took other bytes for the body. So nothing
        // behind it is read.
        if chunked {
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response.map(|body| BusyBody::new(body, busy))
    }

    /// A call of the service.
    async fn call(&self, parts: Parts, body: Incoming) -> Response<Body> {
        let Shared { requests, room, .. } = &*self.shared;
        let Received { body, share } = match receive(body, room).await {
            Ok(received) => received,
            Err(not) => {
                let (status, code, text) = not.told();
                requests.count(metrics::label(&parts, &[]), status);
                return refuse(&parts, status, code, text);
            }
        };
        let label = metrics::label(&parts, &body);
        let response = self.checked(parts, body).await;
        drop(share);
        requests.count(label, response.status());
        response
    }

    /// A call that is received, if its signature is good.
    async fn checked(&self, parts: Parts, body: Bytes) -> Response<Body> {
        let Shared { service, guard, .. } = &*self.shared;
        if let Some(guard) = guard
            && !is_link(&parts)
            && let Err(refused) = guard.check(&parts, &body)
        {
            let (status, code) = refused.told(request::addressed(&parts).1);
            return refuse(&parts, status, code, refused.to_string());
        }
        service.handle(Request::from_parts(parts, body)).await
    }

    async fn health(&self) -> Response<Body> {
        let (status, told) = health::health(&self.shared.service).await;
        text(status, "application/json", told)
    }

    async fn metrics(&self) -> Response<Body> {
        let told = metrics::render(&self.shared.service, &self.shared.requests).await;
        text(StatusCode::OK, "text/plain; version=0.0.4", told)
    }
}

/// Whether it is one of the links in messages of SNS, which who gets them follows without a key: the certificate, and to confirm
/// or to end a subscription. What claims to be signed is none.
fn is_link(parts: &Parts) -> bool {
    let headers = ["x-amz-target", header::AUTHORIZATION.as_str()];
    let is_plain =
        parts.method == Method::GET && !headers.iter().any(|name| parts.headers.contains_key(*name));
    let query = parts.uri.query().unwrap_or_default();
    let mut actions = form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name == "Action");
    let is_signed = form_urlencoded::parse(query.as_bytes()).any(|(name, _)| name == "X-Amz-Credential");
    // One action alone: of two, the service could mean the other one.
    is_plain
        && !is_signed
        && match (actions.next(), actions.next()) {
            (Some((_, action)), None) => matches!(&*action, "ConfirmSubscription" | "Unsubscribe"),
            (None, _) => {
                let path = parts.uri.path();
                let name = path.strip_prefix("/SimpleNotificationService-");
                name.is_some_and(|name| name.strip_suffix(".pem").is_some())
            }
            (Some(_), Some(_)) => false,
        }
}

fn text(status: StatusCode, content_type: &'static str, told: String) -> Response<Body> {
    let mut response = Response::new(Body::Whole(Bytes::from(told)));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// An error in the protocol that the request seems to speak.
fn refuse(parts: &Parts, status: StatusCode, code: &'static str, text: String) -> Response<Body> {
    let (api, protocol) = request::addressed(parts);
    let error = WireError::sender(code, text).with_status(status.as_u16());
    crate::protocol::answer::error_response(&Fault::new(api, protocol, error), "")
}

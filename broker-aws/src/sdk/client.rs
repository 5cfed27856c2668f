//! The SDK's HTTP client, which asks a service in the same process.

use std::{
    convert::Infallible,
    fmt,
    pin::Pin,
    sync::{Mutex, PoisonError},
    task::{Context, Poll},
};

use aws_smithy_runtime_api::client::{
    http::{HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector},
    orchestrator::{HttpRequest, HttpResponse},
    result::ConnectorError,
    runtime_components::RuntimeComponents,
};
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use http_body::Frame;
use http_body_util::BodyExt as _;

use crate::{Body, Service};

/// The HTTP client of an SDK whose requests go to a [`Service`] in the same process: there is no socket, no thread and no
/// waiting but that of the broker. What clients call the host does not matter.
///
/// Cheap to clone. A call that the SDK gives up, as at one of its timeouts, is dropped: a receive gives its messages back.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
/// use aws_sdk_sqs::config::{BehaviorVersion, Region};
/// use broker_aws::{InProcess, Service};
/// use broker_core::{Broker, QueueExt as _};
///
/// let broker = Broker::open(broker_mem::MemStorage::new()).await?;
/// let config = aws_sdk_sqs::Config::builder()
///     .behavior_version(BehaviorVersion::latest())
///     .http_client(InProcess::new(Service::new(broker.clone())))
///     .endpoint_url("http://localhost")
///     .region(Region::new("us-east-1"))
///     .allow_no_auth()
///     .build();
/// let sqs = aws_sdk_sqs::Client::from_conf(config);
/// let created = sqs.create_queue().queue_name("orders").send().await.expect("a queue");
/// assert_eq!(created.queue_url(), Some("http://localhost/000000000000/orders"));
/// # Ok::<(), broker_core::Error>(()) }).unwrap();
/// ```
#[derive(Clone)]
pub struct InProcess {
    service: Service,
}

impl InProcess {
    /// A client that asks this service.
    pub fn new(service: Service) -> Self {
        Self { service }
    }
}

impl fmt::Debug for InProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InProcess").finish_non_exhaustive()
    }
}

impl HttpClient for InProcess {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for InProcess {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let service = self.service.clone();
        HttpConnectorFuture::new(async move {
            let refused = |error| ConnectorError::user(error);
            let (parts, body) =
                request.try_into_http1x().map_err(|error| refused(error.into()))?.into_parts();
            // Read to its end, as a socket would: the SDK watches whether somebody does.
            let body = body.collect().await.map_err(refused)?.to_bytes();
            let request = http::Request::from_parts(parts, body);
            let response = service.handle(request).await.map(to_sdk_body);
            HttpResponse::try_from(response).map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}

fn to_sdk_body(body: Body) -> SdkBody {
    match body {
        Body::Whole(bytes) => SdkBody::from(bytes.to_vec()),
        Body::Chunks(chunks) => SdkBody::from_body_1_x(Shared(Mutex::new(Body::Chunks(chunks)))),
    }
}

/// The chunks, as the SDK wants them: it could look at them from two threads, but never does.
struct Shared(Mutex<Body>);

impl http_body::Body for Shared {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Pin::new(self.0.get_mut().unwrap_or_else(PoisonError::into_inner)).poll_frame(context)
    }
}

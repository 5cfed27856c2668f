//! The service: an HTTP request in, an HTTP response out.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use broker_core::{Broker, Certainty, Error};
use bytes::Bytes;
use http::{Method, Request, Response};

use crate::{
    body::Body,
    call::Call,
    kinesis,
    protocol::{
        Fault, Protocol,
        answer::{self, Answer},
    },
    realm::{Realm, Realms, SingleRealm},
    request::{self, Api, Asked},
    sns::{
        Sns,
        http::{AllowedHosts, HttpDelivery, Outgoing},
    },
    sqs,
    wire::{error::WireError, request_id::RequestIds},
};

/// Answers requests of AWS clients. Cheap to clone; all clones are the same service.
///
/// It is a [`tower_service::Service`] too, which is always ready and never fails: what goes wrong is a response.
#[derive(Clone)]
pub struct Service {
    inner: Arc<Inner>,
}

struct Inner {
    realms: Arc<dyn Realms>,
    home: Realm,
    options: Arc<Options>,
    request_ids: RequestIds,
    sns: Sns,
}

/// What a service was told once.
#[derive(Debug, Default)]
pub(crate) struct Options {
    /// Held by whoever reads a note, changes it and keeps it again.
    pub(crate) notes: tokio::sync::Mutex<()>,
    /// Scheme and host of the service, if it is to have one whatever clients call it.
    pub(crate) endpoint: Option<String>,
    /// Whether provisioned streams that are created have the limits of Kinesis for the traffic of a shard.
    pub(crate) throttle_streams: bool,
    /// Who is subscribed to shards of streams.
    pub(crate) subscriptions: kinesis::Subscriptions,
}

impl Service {
    /// A service over one broker, under the account `000000000000` and the region `us-east-1`: what clients call `orders`
    /// there is what the program calls so. Requests for other accounts and regions are refused.
    pub fn new(broker: Broker) -> Self {
        let home = Realm::default();
        Self::builder(SingleRealm::new(home.clone(), broker)).home(home).build()
    }

    /// A service over these realms, after setting what should differ from the defaults.
    pub fn builder(realms: impl Realms) -> ServiceBuilder {
        let (realms, home, options) = (Arc::new(realms), Realm::default(), Options::default());
        ServiceBuilder { realms, home, options, http: None }
    }

    /// Answers a request. The body of a request is in memory, so whoever reads it from a socket bounds its size.
    ///
    /// Cancel safe as the calls of the broker are: a dropped receive gives its messages back, anything else has happened or not.
    pub async fn handle(&self, request: Request<Bytes>) -> Response<Body> {
        let request_id = self.inner.request_ids.next();
        match self.answer(request, &request_id).await {
            Ok(response) => response,
            Err(fault) => answer::error_response(&fault, &request_id),
        }
    }

    /// Goes on with what waits to be delivered to HTTP endpoints, in the realms that are open. The first SNS request for a realm does
    /// so too. Cancel safe: a dropped call has gone on in some of the realms.
    pub async fn resume(&self) -> broker_core::Result<()> {
        let Inner { realms, options, sns, .. } = &*self.inner;
        let endpoint = options.endpoint.as_deref().unwrap_or("http://localhost");
        for (realm, broker) in realms.opened().await {
            sns.desk(&realm, &broker, endpoint).await?;
        }
        Ok(())
    }

    /// The brokers that are open.
    #[cfg(feature = "serve")]
    pub(crate) async fn opened(&self) -> Vec<(Realm, Broker)> {
        self.inner.realms.opened().await
    }

    /// Consumer, shard, and how many milliseconds it is behind, of each subscription to a shard.
    #[cfg(feature = "serve")]
    pub(crate) fn subscriptions(&self) -> Vec<(String, broker_core::ShardId, u64)> {
        self.inner.options.subscriptions.iterator_ages()
    }

    async fn answer(&self, request: Request<Bytes>, request_id: &str) -> Result<Response<Body>, Fault> {
        let Inner { realms, home, options, sns, .. } = &*self.inner;
        if request.method() == Method::GET
            && let Some(certificate) = sns.certificate(request.uri().path())
        {
            let body = Body::Whole(certificate.into());
            return Ok(Answer::chunks("application/x-pem-file", body).into_response(request_id));
        }
        let asked = request::read(request, home, options.endpoint.as_deref())?;
        let Asked { api, protocol, .. } = asked;
        let fault = |error| Fault::new(api, protocol, error);
        let broker = realms
            .broker(&asked.origin.realm)
            .await
            .map_err(|error| fault(refused_realm(&error, protocol)))?;
        let call = Call::new(asked, broker, options.clone(), request_id.to_owned());
        let answer = match api {
            Api::Sqs => sqs::dispatch(&call).await,
            Api::Sns => sns.dispatch(&call).await,
            Api::Kinesis => kinesis::dispatch(&call).await,
        };
        Ok(answer.map_err(fault)?.into_response(request_id))
    }
}

/// There is no such realm, or its broker could not be opened.
fn refused_realm(error: &Error, protocol: Protocol) -> WireError {
    match (error.certainty(), protocol) {
        (Certainty::Rejected, Protocol::Query { .. }) => {
            WireError::sender("InvalidClientTokenId", error.to_string()).with_status(403)
        }
        (Certainty::Rejected, _) => WireError::sender("UnrecognizedClientException", error.to_string())
            .with_code("InvalidClientTokenId"),
        _ => WireError::internal(error.to_string()),
    }
}

impl tower_service::Service<Request<Bytes>> for Service {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Bytes>) -> Self::Future {
        let service = self.clone();
        Box::pin(async move { Ok(service.handle(request).await) })
    }
}

/// A service about to be made: see [`Service::builder`].
#[must_use = "a builder does nothing until it is built"]
pub struct ServiceBuilder {
    realms: Arc<dyn Realms>,
    home: Realm,
    options: Options,
    http: Option<HttpDelivery>,
}

impl ServiceBuilder {
    /// The realm of requests without a signature; its account is that of access keys that are not 12 digits. By default
    /// [`Realm::default`].
    pub fn home(self, home: Realm) -> Self {
        Self { home, ..self }
    }

    /// Scheme and host, as `http://localhost:4566`, that queue URLs start with. By default those of each request.
    pub fn endpoint(mut self, endpoint: impl Into<String>) -> Self {
        self.options.endpoint = Some(endpoint.into().trim_end_matches('/').to_owned());
        self
    }

    /// Lets SNS deliver to HTTP endpoints on these hosts, with `outgoing` to send the requests. By default it delivers to none, and
    /// refuses to subscribe them.
    ///
    /// What waits for them since an earlier process is delivered from [`Service::resume`] on, or the first SNS request for their realm.
    pub fn http_endpoints(self, outgoing: impl Outgoing, hosts: AllowedHosts) -> Self {
        Self { http: Some(HttpDelivery::new(outgoing, hosts)), ..self }
    }

    /// Provisioned streams that are created from now on have the limits of Kinesis for the traffic of a shard, as 1 MiB written
    /// and five reads in a second. By default there are none, so that tests are fast.
    pub fn throttle_streams(mut self) -> Self {
        self.options.throttle_streams = true;
        self
    }

    /// The service.
    pub fn build(self) -> Service {
        let Self { realms, home, options, http } = self;
        let (options, request_ids, sns) = (Arc::new(options), RequestIds::default(), Sns::new(http));
        Service { inner: Arc::new(Inner { realms, home, options, request_ids, sns }) }
    }
}

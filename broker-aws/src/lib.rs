//! The AWS protocols of SQS, SNS and Kinesis, spoken by a [broker](broker_core) in the same process.
//!
//! A [`Service`] turns an HTTP request of an AWS client into calls of a [`Broker`](broker_core::Broker), and what comes of
//! them into an HTTP response. It opens no port: where requests come from is somebody else's matter.
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
//! use broker_aws::Service;
//! use broker_core::{Broker, QueueExt as _};
//! use bytes::Bytes;
//!
//! let broker = Broker::open(broker_mem::MemStorage::new()).await?;
//! let service = Service::new(broker.clone());
//! let request = http::Request::post("http://localhost/")
//!     .header("x-amz-target", "AmazonSQS.CreateQueue")
//!     .header("content-type", "application/x-amz-json-1.0")
//!     .body(Bytes::from_static(br#"{"QueueName": "orders"}"#))
//!     .expect("a request");
//! let response = service.handle(request).await;
//! assert_eq!(response.status(), 200);
//!
//! // The program sees the same queue.
//! broker.open_queue("orders").await?.send("socks").await?;
//! # Ok::<(), broker_core::Error>(()) }).unwrap();
//! ```
//!
//! # The concepts
//!
//! - [`Service`]: answers requests. Cheap to clone; all clones are the same service.
//! - [`Realms`]: which broker has the queues, topics and streams of an account and a region. One broker has those of one
//!   realm only, so realms cannot leak into each other.
//! - [`Body`]: that of a response: whole, or a stream of chunks.
//!
//! - [`Outgoing`], [`AllowedHosts`]: how SNS reaches HTTP endpoints, and which. By default it reaches none.
//!
//! # It is not
//!
//! - a port: something else has to listen and to pass requests on, as the module `serve` does (feature `serve`);
//! - an access control: signatures are read for their account and region, and checked by nobody here but that module.

mod body;
mod call;
mod kinesis;
#[cfg(test)]
mod model;
mod protocol;
mod realm;
mod request;
#[cfg(feature = "sdk")]
mod sdk;
#[cfg(feature = "serve")]
pub mod serve;
mod service;
mod sns;
mod sqs;
mod wire;

pub use body::Body;
pub use realm::{Realm, Realms, SingleRealm};
#[cfg(feature = "sdk")]
pub use sdk::{End, InMemory, InProcess, Life, Probe, TestAws, sdk_config};
pub use service::{Service, ServiceBuilder};
#[cfg(feature = "serve")]
pub use sns::http::PlainHttp;
pub use sns::http::{AllowedHosts, Outgoing, Unreachable};

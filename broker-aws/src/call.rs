//! A call of an operation: what is asked, and what the operation needs to answer.

use std::sync::Arc;

use broker_core::Broker;
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    protocol::{
        Payload, Protocol,
        answer::{Answer, Question},
    },
    request::{Api, Asked, Origin},
    service::Options,
    wire::error::WireResult,
};

/// A call: the input as it came, and everything around it.
pub(crate) struct Call {
    api: Api,
    operation: String,
    protocol: Protocol,
    payload: Payload,
    context: Context,
}

/// What an operation needs besides its input.
#[derive(Clone)]
pub(crate) struct Context {
    /// The broker of the realm that the request comes from.
    pub(crate) broker: Broker,
    /// Realm, endpoint, and what the request said in its path and headers.
    pub(crate) origin: Origin,
    /// What the service was told.
    pub(crate) options: Arc<Options>,
    /// The id of this request.
    pub(crate) request_id: String,
}

impl Call {
    pub(crate) fn new(asked: Asked, broker: Broker, options: Arc<Options>, request_id: String) -> Self {
        let Asked { api, operation, protocol, payload, origin } = asked;
        Self { api, operation, protocol, payload, context: Context { broker, origin, options, request_id } }
    }

    /// The name of the operation, as the client spelled it.
    pub(crate) fn operation(&self) -> &str {
        &self.operation
    }

    pub(crate) fn protocol(&self) -> Protocol {
        self.protocol
    }

    pub(crate) fn context(&self) -> &Context {
        &self.context
    }

    /// The input, as the operation wants it.
    pub(crate) fn input<T: DeserializeOwned>(&self) -> WireResult<T> {
        self.payload.read()
    }

    /// The output, in the protocol of the request; `()` is that of an operation without one.
    pub(crate) fn answer<T: Serialize>(&self, output: &T) -> WireResult<Answer> {
        let (api, protocol) = (self.api, self.protocol);
        let question =
            Question { api, operation: &self.operation, protocol, request_id: &self.context.request_id };
        Answer::new(&question, output)
    }
}

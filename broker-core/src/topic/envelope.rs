//! The JSON envelope in which subscribers get a message unless they ask for it raw (rule N40).

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde::{Serialize, Serializer, ser::SerializeMap};

use super::{notification::Notification, subscription::SubscriptionId};
use crate::{
    queue::attributes::{AttributeValue, MessageAttributes},
    sync::RwLock,
};

/// What the envelope says beyond the message itself: names and signatures of the world around the broker.
///
/// The default suits programs that stay inside this process; whoever speaks a protocol to others gives real ones with
/// [`BrokerBuilder::envelope`](crate::BrokerBuilder::envelope). The methods are called under the topic's lock: they must
/// not block, nor call the broker.
pub trait Envelope: Send + Sync + 'static {
    /// The topic's ARN.
    fn topic_arn(&self, topic: &str) -> String {
        format!("arn:aws:sns:us-east-1:000000000000:{topic}")
    }

    /// The signature of a message of a standard topic. The body is the one that its subscriber is shown.
    fn signature(&self, notification: &Notification) -> Signature {
        let _ = notification;
        Signature { version: "1".into(), ..Signature::default() }
    }

    /// Where to unsubscribe. If it is the same for all, messages in the envelope are stored once for all queues, where the
    /// store can.
    fn unsubscribe_url(&self, topic: &str, subscription: SubscriptionId) -> String {
        let _ = (topic, subscription);
        String::new()
    }
}

/// The signature of a message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Signature {
    /// The version of the scheme.
    pub version: String,
    /// The signature, in Base64.
    pub signature: String,
    /// Where the certificate is.
    pub signing_cert_url: String,
}

/// The default envelope: an ARN without an account, no signature.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct PlainEnvelope;

impl Envelope for PlainEnvelope {}

/// The envelope of a broker, which can be another one later.
pub(crate) struct CurrentEnvelope(RwLock<Arc<dyn Envelope>>);

impl CurrentEnvelope {
    pub(crate) fn new(envelope: Arc<dyn Envelope>) -> Self {
        Self(RwLock::new(envelope))
    }

    pub(crate) fn set(&self, envelope: Arc<dyn Envelope>) {
        *self.0.write() = envelope;
    }

    fn now(&self) -> Arc<dyn Envelope> {
        self.0.read().clone()
    }
}

impl Envelope for CurrentEnvelope {
    fn topic_arn(&self, topic: &str) -> String {
        self.now().topic_arn(topic)
    }

    fn signature(&self, notification: &Notification) -> Signature {
        self.now().signature(notification)
    }

    fn unsubscribe_url(&self, topic: &str, subscription: SubscriptionId) -> String {
        self.now().unsubscribe_url(topic, subscription)
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Wrapped<'a> {
    r#type: &'static str,
    message_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    sequence_number: Option<String>,
    topic_arn: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    message: &'a str,
    timestamp: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    signature_version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signature: Option<String>,
    #[serde(rename = "SigningCertURL", skip_serializing_if = "Option::is_none")]
    signing_cert_url: Option<String>,
    #[serde(rename = "UnsubscribeURL")]
    unsubscribe_url: &'a str,
    #[serde(skip_serializing_if = "Attributes::is_empty")]
    message_attributes: Attributes<'a>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    replayed: bool,
}

struct Attributes<'a>(&'a MessageAttributes);

impl Attributes<'_> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for Attributes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Attribute<'v> {
            r#type: &'v str,
            value: String,
        }
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in self.0.iter() {
            let text = |value: &AttributeValue| {
                value.text().map_or_else(|| STANDARD.encode(value.bytes()), ToOwned::to_owned)
            };
            map.serialize_entry(name, &Attribute { r#type: value.data_type(), value: text(value) })?;
        }
        map.end()
    }
}

/// A message in its envelope, its keys in the order of rule N40. `body` is what this subscriber's protocol is told.
pub(crate) fn wrap(
    envelope: &dyn Envelope,
    notification: &Notification,
    body: &str,
    unsubscribe_url: &str,
) -> Vec<u8> {
    let fifo = notification.sequence_number.is_some();
    let signature = (!fifo).then(|| {
        if notification.text() == body {
            return envelope.signature(notification);
        }
        // What is signed is what is shown.
        let body = Bytes::copy_from_slice(body.as_bytes());
        envelope.signature(&Notification { body, ..notification.clone() })
    });
    let wrapped = Wrapped {
        r#type: "Notification",
        message_id: notification.id.to_string(),
        sequence_number: notification.sequence_number.map(|number| number.to_string()),
        topic_arn: envelope.topic_arn(&notification.topic),
        subject: notification.subject.as_deref(),
        message: body,
        timestamp: notification.published_at.to_string(),
        signature_version: signature.as_ref().map(|signature| signature.version.clone()),
        signature: signature.as_ref().map(|signature| signature.signature.clone()),
        signing_cert_url: signature.map(|signature| signature.signing_cert_url),
        unsubscribe_url,
        message_attributes: Attributes(&notification.attributes),
        replayed: notification.replayed,
    };
    serde_json::to_vec(&wrapped).expect("an envelope has string keys and texts only")
}

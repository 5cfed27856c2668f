//! The names that messages have in the world around the broker: ARNs, links, signatures (rule N40).

use std::sync::Arc;

use broker_core::{Envelope, Notification, Signature, SubscriptionId};
use parking_lot::RwLock;

use super::{
    extras::{Extras, Owner},
    signature::{Signed, Signer, Version},
    topic_attributes::SIGNATURE_VERSION,
};
use crate::{realm::Realm, wire::arn::arn};

/// What gives names to the messages of a realm.
pub(super) struct Names {
    pub(super) realm: Realm,
    /// Scheme and host that links start with: those by which the last client knew the service.
    endpoint: RwLock<String>,
    pub(super) extras: Extras,
    pub(super) signer: Arc<Signer>,
}

impl Names {
    pub(super) fn new(realm: Realm, endpoint: String, extras: Extras, signer: Arc<Signer>) -> Arc<Self> {
        Arc::new(Self { realm, endpoint: RwLock::new(endpoint), extras, signer })
    }

    /// Takes note of how a client calls the service.
    pub(super) fn known_as(&self, endpoint: &str) {
        if *self.endpoint.read() != endpoint {
            endpoint.clone_into(&mut self.endpoint.write());
        }
    }

    /// A link to the service.
    pub(super) fn link(&self, path: &str) -> String {
        format!("{}{path}", self.endpoint.read())
    }

    /// The signature of a message of a topic.
    pub(super) fn sign(&self, topic: &str, signed: &Signed<'_>) -> Signature {
        let owner = Owner::Topic(topic.to_owned());
        let version = match self.extras.get(&owner, SIGNATURE_VERSION).as_deref() {
            Some("2") => Version::Two,
            _ => Version::One,
        };
        let made = self.signer.sign(version, signed.text());
        let (signature, path) = made.unwrap_or_default();
        Signature { version: version.as_str().to_owned(), signature, signing_cert_url: self.link(&path) }
    }
}

/// The envelope of a realm.
pub(super) struct SnsEnvelope(pub(super) Arc<Names>);

impl Envelope for SnsEnvelope {
    fn topic_arn(&self, topic: &str) -> String {
        arn("sns", &self.0.realm, topic)
    }

    fn signature(&self, notification: &Notification) -> Signature {
        let signed = Signed {
            kind: "Notification",
            message: notification.text(),
            message_id: &notification.id.to_string(),
            subject: notification.subject.as_deref(),
            timestamp: &notification.published_at.to_string(),
            topic_arn: &self.topic_arn(&notification.topic),
            confirm: None,
        };
        self.0.sign(&notification.topic, &signed)
    }

    fn unsubscribe_url(&self, topic: &str, subscription: SubscriptionId) -> String {
        let arn = arn("sns", &self.0.realm, &format!("{topic}:{subscription}"));
        self.0.link(&format!("/?Action=Unsubscribe&SubscriptionArn={arn}"))
    }
}

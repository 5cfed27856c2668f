//! Requests to confirm a subscription, or to take back its end (rules N11, N14).

use std::{sync::Arc, time::Duration};

use broker_core::{RetryPolicy, Timestamp};
use bytes::Bytes;
use http::Uri;
use serde::Serialize;

use super::{
    HttpDelivery,
    request::{Head, request},
};
use crate::sns::{names::Names, signature::Signed};

/// How long an attempt may take (rule N53).
const TIMEOUT: Duration = Duration::from_secs(15);

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sns) enum Kind {
    /// Whether the endpoint wants the messages.
    Subscribe,
    /// Whether the subscription is to come back. That is not possible here, so the link leads to an error.
    Unsubscribe,
}

/// A message that asks for a confirmation.
pub(in crate::sns) struct Confirmation {
    pub(in crate::sns) kind: Kind,
    pub(in crate::sns) topic: String,
    pub(in crate::sns) topic_arn: String,
    pub(in crate::sns) subscription_arn: String,
    pub(in crate::sns) url: Uri,
    pub(in crate::sns) token: String,
    pub(in crate::sns) message_id: String,
    pub(in crate::sns) at: Timestamp,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Document<'a> {
    r#type: &'a str,
    message_id: &'a str,
    token: &'a str,
    topic_arn: &'a str,
    message: &'a str,
    #[serde(rename = "SubscribeURL")]
    subscribe_url: &'a str,
    timestamp: &'a str,
    signature_version: &'a str,
    signature: &'a str,
    #[serde(rename = "SigningCertURL")]
    signing_cert_url: &'a str,
}

impl Kind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Subscribe => "SubscriptionConfirmation",
            Self::Unsubscribe => "UnsubscribeConfirmation",
        }
    }
}

impl Confirmation {
    fn message(&self) -> String {
        match self.kind {
            Kind::Subscribe => format!(
                "You have chosen to subscribe to the topic {}.\nTo confirm the subscription, visit the SubscribeURL \
                 included in this message.",
                self.topic_arn
            ),
            Kind::Unsubscribe => format!(
                "You have chosen to deactivate subscription {}.\nTo cancel this operation and restore the \
                 subscription, visit the SubscribeURL included in this message.",
                self.subscription_arn
            ),
        }
    }

    /// The body of the request.
    fn body(&self, names: &Names) -> Bytes {
        let query = format!("TopicArn={}&Token={}", self.topic_arn, self.token);
        let subscribe_url = names.link(&format!("/?Action=ConfirmSubscription&{query}"));
        let (message, timestamp) = (self.message(), self.at.to_string());
        let signed = Signed {
            kind: self.kind.as_str(),
            message: &message,
            message_id: &self.message_id,
            subject: None,
            timestamp: &timestamp,
            topic_arn: &self.topic_arn,
            confirm: Some((&subscribe_url, &self.token)),
        };
        let signature = names.sign(&self.topic, &signed);
        let document = Document {
            r#type: self.kind.as_str(),
            message_id: &self.message_id,
            token: &self.token,
            topic_arn: &self.topic_arn,
            message: &message,
            subscribe_url: &subscribe_url,
            timestamp: &timestamp,
            signature_version: &signature.version,
            signature: &signature.signature,
            signing_cert_url: &signature.signing_cert_url,
        };
        serde_json::to_vec(&document).expect("a document has string keys and texts only").into()
    }

    /// Sends the message until the endpoint takes it, with the retries that HTTP endpoints have by default.
    pub(in crate::sns) async fn send(self, http: Arc<HttpDelivery>, names: Arc<Names>) {
        names.signer.want();
        names.signer.ready().await;
        let body = self.body(&names);
        let retry = RetryPolicy::http();
        for attempt in 1.. {
            if self.attempt(&http, body.clone()).await {
                return;
            }
            let Some(delay) = retry.delay(attempt) else { return };
            tokio::time::sleep(delay).await;
        }
    }

    /// Whether the endpoint has it.
    async fn attempt(&self, http: &HttpDelivery, body: Bytes) -> bool {
        let subscription_arn = (self.kind == Kind::Unsubscribe).then_some(self.subscription_arn.as_str());
        let head = Head {
            kind: self.kind.as_str(),
            message_id: &self.message_id,
            topic_arn: &self.topic_arn,
            subscription_arn,
            raw: false,
            content_type: None,
        };
        let Ok(request) = request(&self.url, &head, body) else { return false };
        let answer = tokio::time::timeout(TIMEOUT, http.outgoing.send(request)).await;
        matches!(answer, Ok(Ok(status)) if status.is_success())
    }
}

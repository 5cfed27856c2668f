//! Notifications to an HTTP endpoint: the broker says when, this says how (rules N43, N53).

use std::sync::Arc;

use async_trait::async_trait;
use broker_core::{Deliver, DeliveryOutcome, LocalTopic, Notification, Recipient};
use bytes::Bytes;
use http::StatusCode;

use super::{
    HttpDelivery,
    request::{Head, endpoint_url, request},
};
use crate::{sns::names::Names, wire::arn::arn};

/// Delivers the notifications of a topic to an endpoint.
pub(in crate::sns) struct HttpDeliver {
    pub(super) http: Arc<HttpDelivery>,
    pub(super) topic: LocalTopic,
    pub(super) names: Arc<Names>,
}

#[async_trait]
impl Deliver for HttpDeliver {
    async fn deliver(&self, notification: Notification, to: &Recipient) -> DeliveryOutcome {
        let address = to.endpoint.address();
        let Some(url) = endpoint_url(to.endpoint.protocol(), address) else {
            return DeliveryOutcome::ClientError(format!("{address} is no URL"));
        };
        // It may have been allowed when it was subscribed.
        if !url.host().is_some_and(|host| self.http.hosts.allow(host)) {
            return DeliveryOutcome::ClientError(format!("the host of {address} is not allowed"));
        }
        self.names.signer.ready().await;
        let realm = &self.names.realm;
        let subscription = arn("sns", realm, &format!("{}:{}", notification.topic, to.subscription));
        let body = if to.raw_delivery {
            notification.body.clone()
        } else {
            Bytes::from(self.topic.in_envelope(&notification, to.subscription))
        };
        let head = Head {
            kind: "Notification",
            message_id: &notification.id.to_string(),
            topic_arn: &arn("sns", realm, &notification.topic),
            subscription_arn: Some(&subscription),
            raw: to.raw_delivery,
            content_type: to.content_type.as_deref(),
        };
        match request(&url, &head, body) {
            Ok(request) => match self.http.outgoing.send(request).await {
                Ok(status) => outcome(status),
                Err(error) => DeliveryOutcome::ServerError(error.to_string()),
            },
            Err(error) => DeliveryOutcome::ClientError(error.to_string()),
        }
    }
}

/// What a status means. An answer that leads elsewhere is not followed, so it is no delivery.
fn outcome(status: StatusCode) -> DeliveryOutcome {
    let told = format!("the endpoint answered {}", status.as_u16());
    match status.as_u16() {
        200..=299 => DeliveryOutcome::Delivered,
        429 => DeliveryOutcome::ServerError(told),
        300..=499 => DeliveryOutcome::ClientError(told),
        _ => DeliveryOutcome::ServerError(told),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // N53, N54
    #[test]
    fn statuses_are_delivered_final_or_to_be_tried_again() {
        let of = |status| outcome(StatusCode::from_u16(status).expect("a status"));
        for delivered in [200, 204, 299] {
            assert_eq!(of(delivered), DeliveryOutcome::Delivered, "{delivered}");
        }
        for last in [301, 400, 403, 404, 410, 499] {
            assert!(matches!(of(last), DeliveryOutcome::ClientError(_)), "{last}");
        }
        for again in [100, 429, 500, 503, 599] {
            assert!(matches!(of(again), DeliveryOutcome::ServerError(_)), "{again}");
        }
    }
}

//! `/health`: whether the brokers can do something.

use http::StatusCode;

use crate::{Realm, Service};

/// Status and body. A broker whose last commit failed answers nothing any more, and must be opened again.
pub(super) async fn health(service: &Service) -> (StatusCode, String) {
    for (realm, broker) in service.opened().await {
        if let Err(error) = broker.flush().await {
            return (StatusCode::SERVICE_UNAVAILABLE, failed(&realm, &error));
        }
    }
    (StatusCode::OK, serde_json::json!({ "status": "ok" }).to_string())
}

fn failed(realm: &Realm, error: &broker_core::Error) -> String {
    let told =
        serde_json::json!({ "status": "failed", "realm": realm.to_string(), "error": error.to_string() });
    told.to_string()
}

//! An `SdkConfig` for a service in the same process.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_smithy_async::{
    rt::sleep::TokioSleep,
    time::{SharedTimeSource, TimeSource},
};
use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
use aws_types::{SdkConfig, region::Region};
use broker_core::Broker;

use super::InProcess;
use crate::{Realm, Service};

/// The host in queue URLs, if the service was told none. Nothing listens there.
const ENDPOINT: &str = "http://localhost";

/// What clients of a realm need: the service as their HTTP client, credentials whose access key is the account, and the broker's
/// time, so that they wait no longer for a retry than the broker does.
pub fn sdk_config(service: &Service, realm: &Realm, time: &Broker) -> SdkConfig {
    let credentials = Credentials::builder()
        .access_key_id(realm.account())
        .secret_access_key("not a secret")
        .provider_name("broker-aws")
        .build();
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(InProcess::new(service.clone()))
        .endpoint_url(ENDPOINT)
        .region(Region::new(realm.region().to_owned()))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .sleep_impl(TokioSleep::new())
        .time_source(SharedTimeSource::new(BrokerTime(time.clone())))
        .build()
}

/// The broker's time.
struct BrokerTime(Broker);

impl std::fmt::Debug for BrokerTime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("BrokerTime")
    }
}

impl TimeSource for BrokerTime {
    fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(self.0.now().as_millis())
    }
}

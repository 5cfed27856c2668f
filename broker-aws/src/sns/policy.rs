//! The JSON of policies for delivery, dead letters, archives and replays (rules N16, N50 to N55, N84).

use std::time::{Duration, UNIX_EPOCH};

use broker_core::{ArchivePolicy, BackoffFunction, DeliveryPolicy, Replay, RetryPolicy, Timestamp};
use http::HeaderValue;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::errors::Via;
use crate::wire::error::WireResult;

/// The content type that endpoints are told if no policy says otherwise (rule N43).
pub(super) const CONTENT_TYPE: &str = "text/plain; charset=UTF-8";

/// Reads the JSON of an attribute.
pub(super) fn read<T: DeserializeOwned>(attribute: &str, text: &str, via: Via) -> WireResult<T> {
    serde_json::from_str(text)
        .map_err(|error| via.invalid(format!("{attribute}: failed to parse JSON. {error}")))
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
struct RetryDocument {
    min_delay_target: Option<u32>,
    max_delay_target: Option<u32>,
    num_retries: Option<u32>,
    num_max_delay_retries: Option<u32>,
    num_no_delay_retries: Option<u32>,
    num_min_delay_retries: Option<u32>,
    backoff_function: Option<Backoff>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Backoff {
    Linear,
    Arithmetic,
    Geometric,
    Exponential,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
struct Throttle {
    max_receives_per_second: Option<u32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
struct Request {
    header_content_type: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
struct SubscriptionDocument {
    healthy_retry_policy: Option<RetryDocument>,
    /// Taken and without effect, as SNS has given it up.
    #[serde(rename = "sicklyRetryPolicy")]
    _sickly_retry_policy: Option<Value>,
    throttle_policy: Option<Throttle>,
    request_policy: Option<Request>,
    #[serde(rename = "guaranteed")]
    _guaranteed: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
struct HttpDocument {
    default_healthy_retry_policy: Option<RetryDocument>,
    #[serde(rename = "defaultSicklyRetryPolicy")]
    _default_sickly_retry_policy: Option<Value>,
    disable_subscription_overrides: Option<bool>,
    default_throttle_policy: Option<Throttle>,
    default_request_policy: Option<Request>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TopicDocument {
    http: HttpDocument,
}

const DELIVERY: &str = "DeliveryPolicy";

/// The delivery policy of a subscription; an empty text is the default.
pub(super) fn delivery_of_subscription(text: &str, via: Via) -> WireResult<DeliveryPolicy> {
    if text.is_empty() {
        return Ok(DeliveryPolicy::http());
    }
    let document: SubscriptionDocument = read(DELIVERY, text, via)?;
    policy(document.healthy_retry_policy, document.throttle_policy, document.request_policy, via)
}

/// The delivery policy of a topic, and whether it overrides those of subscriptions; an empty text is the default.
pub(super) fn delivery_of_topic(text: &str, via: Via) -> WireResult<(DeliveryPolicy, bool)> {
    if text.is_empty() {
        return Ok((DeliveryPolicy::http(), false));
    }
    let TopicDocument { http } = read(DELIVERY, text, via)?;
    let retry = http.default_healthy_retry_policy;
    let policy = policy(retry, http.default_throttle_policy, http.default_request_policy, via)?;
    Ok((policy, http.disable_subscription_overrides.unwrap_or(false)))
}

fn policy(
    retry: Option<RetryDocument>,
    throttle: Option<Throttle>,
    request: Option<Request>,
    via: Via,
) -> WireResult<DeliveryPolicy> {
    let (retry, default) = (retry.unwrap_or_default(), RetryPolicy::http());
    let seconds = |given: Option<u32>, default| given.map_or(default, |it| Duration::from_secs(it.into()));
    let content_type = request.and_then(|request| request.header_content_type);
    if content_type.as_ref().is_some_and(|given| HeaderValue::from_str(given).is_err()) {
        return Err(via.invalid(format!("{DELIVERY}: requestPolicy.headerContentType is no content type")));
    }
    Ok(DeliveryPolicy {
        retry: RetryPolicy {
            min_delay: seconds(retry.min_delay_target, default.min_delay),
            max_delay: seconds(retry.max_delay_target, default.max_delay),
            retries: retry.num_retries.unwrap_or(default.retries),
            no_delay_retries: retry.num_no_delay_retries.unwrap_or(0),
            min_delay_retries: retry.num_min_delay_retries.unwrap_or(0),
            max_delay_retries: retry.num_max_delay_retries.unwrap_or(0),
            backoff: match retry.backoff_function.unwrap_or(Backoff::Linear) {
                Backoff::Linear => BackoffFunction::Linear,
                Backoff::Arithmetic => BackoffFunction::Arithmetic,
                Backoff::Geometric => BackoffFunction::Geometric,
                Backoff::Exponential => BackoffFunction::Exponential,
            },
            jitter_percent: 0,
        },
        max_receives_per_second: throttle.and_then(|throttle| throttle.max_receives_per_second),
        content_type,
    })
}

fn retry_document(retry: &RetryPolicy) -> RetryDocument {
    let seconds = |delay: Duration| Some(u32::try_from(delay.as_secs()).unwrap_or(u32::MAX));
    RetryDocument {
        min_delay_target: seconds(retry.min_delay),
        max_delay_target: seconds(retry.max_delay),
        num_retries: Some(retry.retries),
        num_max_delay_retries: Some(retry.max_delay_retries),
        num_no_delay_retries: Some(retry.no_delay_retries),
        num_min_delay_retries: Some(retry.min_delay_retries),
        backoff_function: Some(match retry.backoff {
            BackoffFunction::Linear => Backoff::Linear,
            BackoffFunction::Arithmetic => Backoff::Arithmetic,
            BackoffFunction::Geometric => Backoff::Geometric,
            BackoffFunction::Exponential => Backoff::Exponential,
        }),
    }
}

/// A delivery policy as a topic shows it.
pub(super) fn show_of_topic(policy: &DeliveryPolicy, disable_overrides: bool) -> String {
    let mut http = json!({
        "defaultHealthyRetryPolicy": retry_document(&policy.retry),
        "disableSubscriptionOverrides": disable_overrides,
        "defaultRequestPolicy": { "headerContentType": policy.content_type.as_deref().unwrap_or(CONTENT_TYPE) },
    });
    if let Some(rate) = policy.max_receives_per_second {
        http["defaultThrottlePolicy"] = json!({ "maxReceivesPerSecond": rate });
    }
    json!({ "http": http }).to_string()
}

/// A delivery policy as a subscription shows it.
pub(super) fn show_of_subscription(policy: &DeliveryPolicy) -> String {
    let throttle = policy.max_receives_per_second.map(|rate| json!({ "maxReceivesPerSecond": rate }));
    json!({
        "healthyRetryPolicy": retry_document(&policy.retry),
        "sicklyRetryPolicy": null,
        "throttlePolicy": throttle,
        "requestPolicy": { "headerContentType": policy.content_type.as_deref().unwrap_or(CONTENT_TYPE) },
        "guaranteed": false,
    })
    .to_string()
}

/// A number that may be written as text.
#[derive(Deserialize)]
#[serde(untagged)]
enum Days {
    Number(u32),
    Text(String),
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default, deny_unknown_fields)]
struct ArchiveDocument {
    message_retention_period: Option<Days>,
}

/// How long a topic archives. An empty text or object: not at all.
pub(super) fn archive(text: &str, via: Via) -> WireResult<ArchivePolicy> {
    const NAME: &str = "ArchivePolicy";
    let text = if text.is_empty() { "{}" } else { text };
    let document: ArchiveDocument = read(NAME, text, via)?;
    Ok(match document.message_retention_period {
        None => ArchivePolicy::None,
        Some(Days::Number(days)) => ArchivePolicy::Days(days),
        Some(Days::Text(text)) => match text.parse() {
            Ok(days) => ArchivePolicy::Days(days),
            Err(_) => {
                return Err(via.invalid(format!("{NAME}: MessageRetentionPeriod must be a number of days")));
            }
        },
    })
}

/// An archive policy as a topic shows it.
pub(super) fn show_archive(policy: ArchivePolicy) -> Option<String> {
    match policy {
        ArchivePolicy::None => None,
        ArchivePolicy::Days(days) => Some(json!({ "MessageRetentionPeriod": days.to_string() }).to_string()),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct ReplayDocument {
    point_type: String,
    starting_point: String,
    ending_point: Option<String>,
}

/// What a subscription is to have again. An empty text: nothing.
pub(super) fn replay(text: &str, via: Via) -> WireResult<Option<Replay>> {
    const NAME: &str = "ReplayPolicy";
    if text.is_empty() {
        return Ok(None);
    }
    let document: ReplayDocument = read(NAME, text, via)?;
    if document.point_type != "Timestamp" {
        return Err(
            via.invalid(format!("{NAME}: Invalid value [{}]. Must be Timestamp.", document.point_type))
        );
    }
    let time = |text: &str| {
        let refused =
            || via.invalid(format!("{NAME}: {text} is no time in the form 2026-01-31T12:00:00.000Z"));
        let time = humantime::parse_rfc3339_weak(text).map_err(|_| refused())?;
        let since = time.duration_since(UNIX_EPOCH).map_err(|_| refused())?;
        Ok(Timestamp::from_millis(u64::try_from(since.as_millis()).map_err(|_| refused())?))
    };
    let until = document.ending_point.as_deref().map(time).transpose()?;
    Ok(Some(Replay { from: time(&document.starting_point)?, until }))
}

/// A replay as a subscription shows it.
pub(super) fn show_replay(replay: &Replay) -> String {
    let mut document = json!({ "PointType": "Timestamp", "StartingPoint": replay.from.to_string() });
    if let Some(until) = replay.until {
        document["EndingPoint"] = until.to_string().into();
    }
    document.to_string()
}

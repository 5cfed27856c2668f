//! Each stream: how old the records are that its consumers are at, and what goes into its shards.

use broker_core::{Broker, LeaseInfo, LocalStream, ShardId, StartingPosition};

use super::{
    queues::number,
    text::{Metric, Page},
};
use crate::Realm;

const ITERATOR_AGE: Metric = Metric {
    name: "broker_stream_iterator_age_seconds",
    kind: "gauge",
    help: "Age of the next record of a consumer in a shard, 0 if it has all.",
};
const SUBSCRIPTION_AGE: Metric = Metric {
    name: "broker_stream_subscription_age_seconds",
    kind: "gauge",
    help: "How far behind the newest record what was sent last to a subscribed consumer is.",
};
const BEHIND: Metric = Metric {
    name: "broker_stream_records_behind",
    kind: "gauge",
    help: "Records of a shard that a consumer group has not consumed.",
};
const RECORDS: Metric = Metric {
    name: "broker_stream_records_per_minute",
    kind: "gauge",
    help: "Records put into a shard in the last 60 seconds.",
};
const BYTES: Metric = Metric {
    name: "broker_stream_bytes_per_minute",
    kind: "gauge",
    help: "Bytes put into a shard in the last 60 seconds, partition keys included.",
};

pub(super) async fn write(page: &mut Page, realm: &Realm, broker: &Broker) {
    for name in broker.list_streams() {
        // It may have been deleted meanwhile.
        let Ok(stream) = broker.open_stream(&name).await else { continue };
        traffic(page, realm, &stream).await;
        groups(page, realm, broker, &stream).await;
    }
}

/// Subscriptions of registered consumers: the ARN of each has the stream, the account and the region in it.
pub(super) fn write_subscriptions(page: &mut Page, subscriptions: Vec<(String, ShardId, u64)>) {
    for (consumer, shard, behind_ms) in subscriptions {
        let labels = [("consumer", consumer.as_str()), ("shard", &shard.to_string())];
        page.add(SUBSCRIPTION_AGE, &labels, number(behind_ms) / 1_000.0);
    }
}

async fn traffic(page: &mut Page, realm: &Realm, stream: &LocalStream) {
    for shard in stream.traffic().await.unwrap_or_default() {
        let labels = [("stream", stream.name()), ("shard", &shard.shard.to_string())];
        page.add_in(RECORDS, realm, &labels, number(shard.records));
        page.add_in(BYTES, realm, &labels, number(shard.bytes));
    }
}

async fn groups(page: &mut Page, realm: &Realm, broker: &Broker, stream: &LocalStream) {
    for group in stream.consumer_groups().await.unwrap_or_default() {
        for lease in group.leases.iter().filter(|lease| !lease.ended) {
            let shard = lease.shard.to_string();
            let labels = [("stream", stream.name()), ("consumer", group.name.as_str()), ("shard", &shard)];
            page.add_in(BEHIND, realm, &labels, number(lease.behind));
            if let Some(age) = age(broker, stream, lease).await {
                page.add_in(ITERATOR_AGE, realm, &labels, age);
            }
        }
    }
}

/// Seconds since the next record of a lease was put. `None` if it cannot be told: a look would use up what a throttled stream
/// allows its readers.
async fn age(broker: &Broker, stream: &LocalStream, lease: &LeaseInfo) -> Option<f64> {
    if lease.behind == 0 {
        return Some(0.0);
    }
    if stream.attributes().await.ok()?.throttled {
        return None;
    }
    let from = stream.iterator(lease.shard, StartingPosition::At(lease.next)).await.ok()?;
    let found = stream.read(&from, 1).await.ok()?;
    let next = found.records.first()?;
    Some(broker.now().since(next.arrived_at).as_secs_f64())
}

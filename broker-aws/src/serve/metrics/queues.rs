//! Each queue: how many messages it has and how old the oldest is. What a fleet of consumers is scaled by.

use broker_core::Broker;

use super::text::{Metric, Page};
use crate::Realm;

const fn gauge(name: &'static str, help: &'static str) -> Metric {
    Metric { name, kind: "gauge", help }
}

const VISIBLE: Metric =
    gauge("broker_queue_messages_visible", "Messages that a receive could return: the depth.");
const IN_FLIGHT: Metric =
    gauge("broker_queue_messages_in_flight", "Messages received and neither deleted nor visible again.");
const DELAYED: Metric = gauge("broker_queue_messages_delayed", "Messages whose delay has not ended.");
const OLDEST: Metric =
    gauge("broker_queue_oldest_message_age_seconds", "Age of the oldest message, 0 if there is none.");

pub(super) async fn write(page: &mut Page, realm: &Realm, broker: &Broker) {
    for name in broker.list_queues("") {
        // It may have been deleted meanwhile.
        let Ok(queue) = broker.open_queue(&name).await else { continue };
        let Ok(stats) = queue.stats().await else { continue };
        let labels = [("queue", name.as_str())];
        let mut add = |metric, value| page.add_in(metric, realm, &labels, value);
        add(VISIBLE, number(stats.counters.visible));
        add(IN_FLIGHT, number(stats.counters.in_flight));
        add(DELAYED, number(stats.counters.delayed));
        let age = stats.oldest_age(broker.now());
        add(OLDEST, age.map_or(0.0, |age| age.as_secs_f64()));
    }
}

/// A count as Prometheus has them.
#[expect(clippy::cast_precision_loss, reason = "beyond 2^53 the last digits of a count mean nothing")]
pub(super) fn number(count: u64) -> f64 {
    count as f64
}

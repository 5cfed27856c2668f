//! The queue in which the messages of a push subscriber wait. It is a queue like any other, without a name that others
//! could use: what the subscriber has not got yet survives what a queue survives.

use std::sync::Arc;

use super::{shell::TopicCell, subscription::DeliveryOrder};
use crate::{
    keys,
    limits::Limits,
    queue::{
        record::Record,
        settings::{QueueSettings, Settings},
        shell::{Description, QueueCell},
        state::QueueState,
    },
    storage::Batch,
};

/// The settings of a backlog. It is FIFO if the subscriber is delivered to in order: all messages are of one group then.
/// Nothing expires in it; what cannot be delivered is given up by the delivery policy.
pub(crate) fn settings(order: DeliveryOrder) -> Settings {
    let fifo = order == DeliveryOrder::InOrder;
    let limits = Limits::unlimited();
    let settings = Settings::new(&limits, usize::MAX, &QueueSettings::new().fifo(fifo));
    Settings {
        retention_ms: u64::MAX,
        max_message_size: usize::MAX,
        ..settings.expect("a queue without special settings is always possible")
    }
}

/// The name under which errors speak of it.
pub(crate) fn name(topic: &str, number: u64) -> String {
    format!("{topic}/{number}")
}

/// A backlog of a subscription that is being made.
pub(super) fn create(
    topic: &TopicCell,
    order: DeliveryOrder,
    id: u64,
    partition: u64,
    now: u64,
    batch: &mut Batch,
) -> Arc<QueueCell> {
    let record = Record { partition, head: 0, tail: 0, stored: 0, cold: 0, delayed: 0, as_of: now };
    batch.put_meta(&keys::record(id), &record.encode());
    let state = QueueState::new(id, settings(order), topic.engine.memory, &record);
    QueueCell::new(name(&topic.name, id), topic.engine.clone(), state, Description::at(now))
}

//! Handing a message over to the queue of a subscription, within the commit of the publish; and what becomes of one that
//! cannot be.

use std::{collections::HashMap, sync::Arc};

use super::{
    Subscription, TopicCell,
    forms::{Form, Forms, IN_ORDER, dead_row},
    plan::Plan,
};
use crate::{
    clock::Timestamp,
    error::Result,
    queue::{
        redrive::{DeadLetter, Origin, REASON_BYTES_MAX},
        row::ORIGIN_BYTES_MAX,
        settings::DeduplicationScope,
        shell::{LookedUp, Operation, QueueCell, ToLookUp},
        state::ScopedId,
    },
    sync::Ordering,
    topic::{
        envelope::Envelope, message::PublishMessage, notification::Notification, subscription::Endpoint,
    },
};

/// What was looked up for each queue and for the topic, by their ids.
pub(crate) type LookedUpAll = HashMap<u64, LookedUp>;

/// With more attributes than a queue takes, a raw message is not deliverable (rule N33).
const RAW_ATTRIBUTES_MAX: usize = 10;

/// Where a message goes, among the queues whose locks are held.
pub(super) struct Way<'q> {
    pub(super) cells: &'q [Arc<QueueCell>],
    /// The queue that gets it, if that exists.
    pub(super) target: Option<usize>,
    /// The queue that gets what cannot be delivered, if there is one.
    pub(super) dead: Option<usize>,
}

/// What became of the hand-over of one message to one subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HandedOver {
    Delivered,
    DeadLettered,
    Dropped,
}

impl HandedOver {
    pub(super) fn count(self, subscription: &Subscription) {
        let counters = &subscription.counters;
        let counter = match self {
            Self::Delivered => match subscription.backlog {
                // Counted when it is delivered.
                Some(_) => return,
                None => &counters.delivered,
            },
            Self::DeadLettered => &counters.dead_lettered,
            Self::Dropped => &counters.dropped,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// The scope of a deduplication id in this FIFO queue.
fn id_in(cell: &QueueCell, message: &PublishMessage) -> Option<ScopedId> {
    let scope = cell.fifo?;
    let group = message.group_id.as_deref().filter(|_| scope == DeduplicationScope::MessageGroup);
    Some(ScopedId::new(group, message.deduplication_id.as_deref()?))
}

/// Which ids must be looked up in which queues before the messages can be handed over.
pub(super) fn missing(
    plan: &Plan,
    forms: &[Option<Forms<'_>>],
    looked_up: &LookedUpAll,
    ops: &[Operation<'_>],
) -> Result<Vec<(u64, ToLookUp)>> {
    let nothing = LookedUp::default();
    let mut all = Vec::new();
    for (at, cell) in plan.cells.iter().enumerate().filter(|(_, cell)| cell.is_fifo()) {
        let to_it = plan.routes.iter().filter(|route| route.target == Some(at));
        let mut ids: Vec<_> = to_it
            .filter_map(|route| forms[route.message].as_ref())
            .filter_map(|forms| id_in(cell, forms.message))
            .collect();
        let known = looked_up.get(&cell.id).unwrap_or(&nothing);
        all.extend(known.missing(cell, ids.iter(), &ops[at]).map(|missing| (cell.id, missing)));
        // A store that cannot block is asked when the message is handed over, and once before: if it fails then, other
        // queues have the message already.
        if !cell.engine.pipeline.profile().can_block {
            ids.iter_mut().try_for_each(|id| known.original(cell, id, &ops[at]).map(drop))?;
        }
    }
    Ok(all)
}

impl TopicCell {
    /// The form in which a subscription gets messages in this queue.
    pub(super) fn form(&self, subscription: &Subscription, fifo: bool, envelope: &dyn Envelope) -> Form {
        let definition = &subscription.definition;
        if definition.raw_delivery {
            return Form::Raw { fifo };
        }
        let id = self.subscription_id(subscription.number);
        Form::Wrapped { fifo, unsubscribe_url: envelope.unsubscribe_url(&self.name, id) }
    }

    /// Hands a message over to the queue of its subscription, or to the dead-letter queue if that cannot be. Without
    /// `looked_up`, deduplication ids are neither asked for nor remembered.
    pub(super) fn hand_over(
        &self,
        subscription: &Subscription,
        way: &Way<'_>,
        forms: &mut Forms<'_>,
        looked_up: Option<&LookedUpAll>,
        ops: &mut [Operation<'_>],
    ) -> Result<HandedOver> {
        let failure = match way.target {
            Some(at) => {
                let cell = &*way.cells[at];
                let nothing = LookedUp::default();
                let known = looked_up.map(|all| all.get(&cell.id).unwrap_or(&nothing));
                match self.deliver(subscription, cell, &mut ops[at], forms, known)? {
                    None => return Ok(HandedOver::Delivered),
                    Some(failure) => failure,
                }
            }
            None => format!("the queue {:?} does not exist", subscription.definition.endpoint.address()),
        };
        let Some(at) = way.dead else { return Ok(HandedOver::Dropped) };
        let (notification, body) = (forms.notification(), forms.body_for_queues());
        let burial = Burial { attempts: 0, since: None, reason: failure };
        Ok(self.bury(subscription, &way.cells[at], &mut ops[at], (notification, body), burial))
    }

    /// Stores a message in the queue of its subscription, or says why that cannot be (rules N33, N54).
    pub(super) fn deliver(
        &self,
        subscription: &Subscription,
        cell: &QueueCell,
        op: &mut Operation<'_>,
        forms: &mut Forms<'_>,
        known: Option<&LookedUp>,
    ) -> Result<Option<String>> {
        let definition = &subscription.definition;
        let envelope = &self.engine.envelope;
        let form = match &definition.endpoint {
            Endpoint::Queue(_) => self.form(subscription, cell.is_fifo(), envelope),
            other => Form::Parts { protocol: other.protocol().to_owned(), in_order: cell.is_fifo() },
        };
        let raw_to_queue = matches!(form, Form::Raw { .. });
        let attributes = forms.message.attributes.len();
        if raw_to_queue && attributes > RAW_ATTRIBUTES_MAX {
            let reason = format!("{attributes} attributes, raw delivery takes at most {RAW_ATTRIBUTES_MAX}");
            return Ok(Some(reason));
        }
        let mut id = id_in(cell, forms.message).filter(|_| known.is_some());
        let group = match form {
            Form::Parts { in_order, .. } => in_order.then_some(IN_ORDER),
            _ => forms.message.group_id.as_deref().filter(|_| cell.is_fifo() == self.fifo),
        };
        let row = forms.row(&form, envelope);
        let store_max = self.engine.pipeline.profile().value_bytes_max;
        let max = op.state.settings.max_message_size;
        if row.size_bytes > max || row.row_bytes.saturating_add(ORIGIN_BYTES_MAX) > store_max {
            return Ok(Some(format!("{} bytes, the queue takes at most {max}", row.size_bytes)));
        }
        if let (Some(id), Some(known)) = (&mut id, known)
            && known.original(cell, id, op)?.is_some()
        {
            return Ok(None);
        }
        let delay_ms = op.state.settings.delay_ms;
        let seq = op.state.append(op.now, delay_ms, group, |head| row.stamp(head), op.batch);
        if let Some(id) = id {
            op.state.remember_id(id, seq, op.now, op.batch);
        }
        Ok(None)
    }

    /// Stores a message that could not be delivered in the dead-letter queue of its subscription, exactly as it would have
    /// been delivered (rule N56), and with it why. If the store does not take it like that, it is dropped.
    pub(super) fn bury(
        &self,
        subscription: &Subscription,
        cell: &QueueCell,
        op: &mut Operation<'_>,
        (notification, body): (&Notification, &str),
        Burial { attempts, since, reason }: Burial,
    ) -> HandedOver {
        let envelope = &self.engine.envelope;
        let form = self.form(subscription, cell.is_fifo(), envelope);
        let now = Timestamp::from_millis(op.now);
        let why = DeadLetter {
            source: self.name.clone(),
            receive_count: attempts,
            first_received_at: since.unwrap_or(now),
            last_received_at: now,
            moved_at: now,
            // It may be anything: an answer of a server, the text of a panic.
            reason: Some(cut(reason, REASON_BYTES_MAX)),
        };
        let origin = Origin { id: notification.id, of_topic: true, why: Box::new(why) };
        let row = dead_row(notification, body, &form, envelope, &origin);
        if row.len() > self.engine.pipeline.profile().value_bytes_max {
            return HandedOver::Dropped;
        }
        let group = notification.group_id.as_deref().filter(|_| cell.is_fifo() == self.fifo);
        op.state.append(op.now, 0, group, |head| row.stamp(head), op.batch);
        HandedOver::DeadLettered
    }
}

/// At most so many of the first bytes of a text, in whole characters.
fn cut(mut text: String, bytes: usize) -> String {
    let bytes = bytes.min(text.len());
    let end = (0..=bytes).rev().find(|end| text.is_char_boundary(*end));
    text.truncate(end.unwrap_or(0));
    text
}

/// What is noted with a message that could not be delivered.
pub(super) struct Burial {
    pub(super) attempts: u32,
    /// When the first attempt was, if there was one.
    pub(super) since: Option<Timestamp>,
    pub(super) reason: String,
}

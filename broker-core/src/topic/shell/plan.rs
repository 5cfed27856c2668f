//! What a publish is about to do: which messages go to which subscriptions, and which queues that takes.

use std::sync::Arc;

use super::{Subscription, TopicCell, fan_out::HandedOver};
use crate::{
    broker::Broker,
    filter::{Document, FilterScope, Scratch},
    queue::shell::QueueCell,
    sync::{AsyncMutexGuard, Ordering},
    topic::{message::PublishMessage, state::Subscriptions, subscription::Endpoint},
};

/// A message on its way to a subscription.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Route {
    /// Among the plan's subscriptions.
    pub(super) subscription: usize,
    /// Among the messages of the batch.
    pub(super) message: usize,
    /// Among the plan's queues: the one that gets it, if that exists.
    pub(super) target: Option<usize>,
    /// Among the plan's queues: the one that gets what cannot be delivered, if there is one.
    pub(super) dead: Option<usize>,
}

pub(crate) struct Plan {
    pub(crate) subscriptions: Subscriptions,
    /// In the order of subscriptions, and within one in the order of messages.
    pub(crate) routes: Vec<Route>,
    /// In the order of their ids.
    pub(crate) cells: Vec<Arc<QueueCell>>,
    /// Which subscriptions did not want which messages.
    filtered_out: Vec<(usize, usize)>,
}

impl Plan {
    /// Lets the filters decide, and finds the queues.
    pub(super) fn new(broker: &Broker, subscriptions: &Subscriptions, messages: &[&PublishMessage]) -> Self {
        let mut scratches: Vec<Scratch> = Vec::new();
        let bodies =
            subscriptions.iter().any(|one| one.is_live() && scope(one) == Some(FilterScope::MessageBody));
        if bodies {
            scratches.resize_with(messages.len(), Scratch::default);
        }
        let documents: Vec<Option<Document<'_>>> = messages
            .iter()
            .zip(&mut scratches)
            .map(|(message, scratch)| Document::parse(message.body.as_bytes(), scratch))
            .collect();
        let mut plan = Self {
            subscriptions: subscriptions.clone(),
            routes: Vec::new(),
            cells: Vec::new(),
            filtered_out: Vec::new(),
        };
        for (at, subscription) in subscriptions.iter().enumerate().filter(|(_, one)| one.is_live()) {
            let protocol = subscription.definition.endpoint.protocol();
            for (message, published) in messages.iter().enumerate() {
                let wanted = match &subscription.definition.filter_policy {
                    None => true,
                    Some(policy) if policy.scope() == FilterScope::MessageAttributes => {
                        policy.matches_attributes(&published.attributes)
                    }
                    // It looks at what its subscriber is told.
                    Some(policy) => match published.body_for.get(protocol) {
                        Some(body) => policy.matches_body(body.as_bytes()),
                        None => documents
                            .get(message)
                            .and_then(Option::as_ref)
                            .is_some_and(|document| policy.matches_document(document)),
                    },
                };
                if wanted {
                    plan.routes.push(Route { subscription: at, message, target: None, dead: None });
                } else {
                    plan.filtered_out.push((at, message));
                }
            }
        }
        plan.find_queues(broker);
        plan
    }

    /// Finds the queues of all routes, as they are now.
    fn find_queues(&mut self, broker: &Broker) {
        let mut found: Vec<(usize, [Option<Arc<QueueCell>>; 2])> = Vec::new();
        for route in &self.routes {
            if found.last().is_none_or(|(at, _)| *at != route.subscription) {
                found.push((route.subscription, queues_of(&self.subscriptions[route.subscription], broker)));
            }
        }
        self.cells = in_order(found.iter().flat_map(|(_, cells)| cells.iter().flatten()));
        let place = |cell: &Option<Arc<QueueCell>>| place_in(&self.cells, cell.as_ref());
        let mut places =
            found.iter().map(|(at, [target, dead])| (*at, place(target), place(dead))).peekable();
        let mut now = None;
        for route in &mut self.routes {
            if let Some(next) = places.next_if(|(at, ..)| *at == route.subscription) {
                now = Some(next);
            }
            if let Some((_, target, dead)) = now {
                (route.target, route.dead) = (target, dead);
            }
        }
    }

    /// Puts these queues in the place of its own, which are among them, in the order of their ids.
    pub(crate) fn widen(&mut self, cells: &[Arc<QueueCell>]) {
        let own = std::mem::replace(&mut self.cells, cells.to_vec());
        let place = |at: usize| place_in(cells, own.get(at));
        for route in &mut self.routes {
            (route.target, route.dead) = (route.target.and_then(place), route.dead.and_then(place));
        }
    }

    /// Counts what became of all messages, duplicates left out.
    pub(super) fn count(&self, handed_over: &[(usize, HandedOver)], is_new: impl Fn(usize) -> bool) {
        for (at, became) in handed_over {
            became.count(&self.subscriptions[*at]);
        }
        for (at, _) in self.filtered_out.iter().filter(|(_, message)| is_new(*message)) {
            self.subscriptions[*at].counters.filtered_out.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Takes the turn to look up ids of the topic and of all FIFO queues, always in this order.
    pub(super) async fn turns<'p>(&'p self, topic: &'p TopicCell) -> Vec<AsyncMutexGuard<'p, ()>> {
        let mut turns = vec![topic.looking_up.lock().await];
        for cell in self.cells.iter().filter(|cell| cell.is_fifo()) {
            turns.push(cell.looking_up.lock().await);
        }
        turns
    }
}

fn scope(subscription: &Subscription) -> Option<FilterScope> {
    subscription.definition.filter_policy.as_ref().map(crate::filter::FilterPolicy::scope)
}

/// These queues in the order of their ids, each once: so are their locks taken.
pub(crate) fn in_order<'q>(cells: impl Iterator<Item = &'q Arc<QueueCell>>) -> Vec<Arc<QueueCell>> {
    let mut cells: Vec<_> = cells.cloned().collect();
    cells.sort_unstable_by_key(|cell| cell.id);
    cells.dedup_by_key(|cell| cell.id);
    cells
}

/// Where a queue is among queues in the order of their ids.
pub(crate) fn place_in(cells: &[Arc<QueueCell>], cell: Option<&Arc<QueueCell>>) -> Option<usize> {
    let id = cell?.id;
    cells.binary_search_by_key(&id, |cell| cell.id).ok()
}

/// The queue that gets a subscription's messages, and the one that gets what cannot be delivered.
pub(super) fn queues_of(subscription: &Subscription, broker: &Broker) -> [Option<Arc<QueueCell>>; 2] {
    let definition = &subscription.definition;
    let target = match &definition.endpoint {
        Endpoint::Queue(name) => broker.cell(name),
        Endpoint::Handler(_) | Endpoint::Push { .. } => subscription.backlog.clone(),
    };
    let dead = definition.dead_letter.as_ref().and_then(|name| broker.cell(name));
    [target, dead]
}

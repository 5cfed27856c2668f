//! Subscribing, unsubscribing, and changing subscriptions.

use std::sync::Arc;

use super::{LocalTopic, SubscribeBuilder, Subscription, TopicCell, TopicInner};
use crate::{
    clock::{Timestamp, millis},
    error::{Error, Result},
    queue::shell::QueueCell,
    reclaim,
    seeded::seeded,
    storage::Batch,
    topic::{
        backlog, check,
        replay::StoredReplay,
        stored::SubscriptionDefinition,
        subscription::{
            Endpoint, Subscribed, SubscriptionId, SubscriptionInfo, SubscriptionSettings, TOKEN_VALID,
        },
    },
};

impl LocalTopic {
    /// Subscribes a queue, a handler or another endpoint. If it is subscribed already with the same settings, or none are
    /// given, that is the answer (rule N13).
    pub fn subscribe(&self, endpoint: impl Into<Endpoint>) -> SubscribeBuilder {
        SubscribeBuilder::new(self.clone(), endpoint.into())
    }

    /// As [`subscribe`](Self::subscribe), with all settings at once. Cancel safe in this sense: a dropped call has
    /// subscribed or not, and later calls agree on which.
    pub async fn create_subscription(
        &self,
        endpoint: Endpoint,
        settings: &SubscriptionSettings,
    ) -> Result<Subscribed> {
        let cell = &*self.cell;
        check::endpoint(&endpoint, cell.fifo, &cell.engine.limits)?;
        check::order(settings.order)?;
        let policies = settings.filter_policy.as_ref().map_or(0, |_| self.broker.filter_policies());
        let (subscribed, ticket) = {
            // Before the topic's lock, and held until the batch that stores them is submitted.
            let mut ids = cell.engine.ids.lock();
            cell.operate(|inner, now, batch| {
                let same = |one: &&Arc<Subscription>| one.definition.endpoint == endpoint;
                if let Some(there) = inner.state.subscriptions.iter().find(same).cloned() {
                    return cell.subscribe_again(inner, &there, settings, now, batch);
                }
                cell.check_room(inner, settings, policies)?;
                let mut definition = SubscriptionDefinition::new(endpoint, now);
                definition.change(settings, &cell.engine.limits)?;
                self.check_dead_letter(&definition)?;
                let number = ids.take(batch);
                let backlog = definition.push_order(settings.order).map(|order| {
                    let id = ids.take(batch);
                    definition.push = Some((order, id));
                    backlog::create(cell, order, id, ids.take(batch), now, batch)
                });
                definition.save(cell.id, number, batch);
                let subscribed = cell.subscribed(number, &definition);
                inner.put(Subscription::new(number, definition, backlog));
                Ok(subscribed)
            })?
        };
        ticket.wait().await?;
        Ok(subscribed)
    }

    /// Confirms a subscription with the token that it was made with (rule N11). Cancel safe as `subscribe` is.
    pub async fn confirm_subscription(&self, token: &str) -> Result<SubscriptionId> {
        let cell = &*self.cell;
        let invalid =
            || Error::invalid("token", token, "is not that of a pending subscription of this topic");
        let (id, ticket) = cell.operate(|inner, now, batch| {
            let open = |one: &&Arc<Subscription>| cell.token(one.number, &one.definition) == token;
            let there = inner.state.subscriptions.iter().find(open).cloned().ok_or_else(invalid)?;
            let mut definition = there.definition.clone();
            if !definition.confirmed {
                if now > definition.created_at.saturating_add(millis(TOKEN_VALID)) {
                    return Err(invalid());
                }
                definition.confirmed = true;
                definition.save(cell.id, there.number, batch);
                inner.put(there.redefined(definition));
            }
            Ok(cell.subscription_id(there.number))
        })?;
        ticket.wait().await?;
        Ok(id)
    }

    /// Ends a subscription, with what waits for a push subscriber. One that does not exist is no error (rule N14). Cancel
    /// safe as `subscribe` is.
    pub async fn unsubscribe(&self, id: SubscriptionId) -> Result<()> {
        let cell = &*self.cell;
        let number = id.open(cell.engine.seed, cell.id);
        let (leftover, ticket) = cell.operate(|inner, _, batch| {
            let there = number.and_then(|number| inner.subscription(number).cloned());
            let Some(there) = there else { return Ok(None) };
            SubscriptionDefinition::delete(cell.id, there.number, batch);
            inner.remove(there.number);
            Ok(there.backlog.as_ref().map(|backlog| backlog.end(batch)))
        })?;
        if let Some(leftover) = leftover {
            reclaim::start(&cell.engine, leftover);
        }
        ticket.wait().await
    }

    /// A subscription described. Cancel safe.
    pub async fn subscription(&self, id: SubscriptionId) -> Result<SubscriptionInfo> {
        let cell = &*self.cell;
        let number = cell.number_of(id)?;
        let (info, ticket) = cell.operate(|inner, _, _| {
            let there = inner.subscription(number).ok_or_else(|| cell.no_subscription(id))?;
            Ok(cell.info(inner, there))
        })?;
        ticket.wait().await?;
        Ok(info)
    }

    /// The topic's subscriptions, the oldest first. Cancel safe.
    pub async fn subscriptions(&self) -> Result<Vec<SubscriptionInfo>> {
        let cell = &*self.cell;
        let (infos, ticket) = cell.operate(|inner, _, _| {
            Ok(inner.state.subscriptions.iter().map(|one| cell.info(inner, one)).collect())
        })?;
        ticket.wait().await?;
        Ok(infos)
    }

    /// Changes a subscription; it holds from the next publish on. Cancel safe as `subscribe` is.
    pub async fn set_subscription(&self, id: SubscriptionId, change: &SubscriptionSettings) -> Result<()> {
        let cell = &*self.cell;
        let number = cell.number_of(id)?;
        let policies = change.filter_policy.as_ref().map_or(0, |_| self.broker.filter_policies());
        let ((), ticket) = cell.operate(|inner, _, batch| {
            let there = inner.subscription(number).cloned().ok_or_else(|| cell.no_subscription(id))?;
            let mut definition = there.definition.clone();
            if change.order.is_some_and(|order| definition.push.is_none_or(|(now, _)| now != order)) {
                return Err(Error::invalid(
                    "order",
                    "given",
                    "is settled when a push subscriber is subscribed",
                ));
            }
            definition.change(change, &cell.engine.limits)?;
            if there.definition.filter_policy.is_none() && definition.filter_policy.is_some() {
                cell.check_policies(inner, policies)?;
            }
            self.check_dead_letter(&definition)?;
            if !seeded("policy-not-stored") {
                definition.save(cell.id, number, batch);
            }
            if !seeded("filter-of-an-old-policy") {
                inner.put(there.redefined(definition));
            }
            Ok(())
        })?;
        ticket.wait().await
    }

    /// Refuses a dead-letter queue that does not fit (rule N55). It need not exist.
    fn check_dead_letter(&self, definition: &SubscriptionDefinition) -> Result<()> {
        let Some(name) = &definition.dead_letter else { return Ok(()) };
        let dead_fifo = name.strip_suffix(".fifo").is_some();
        crate::queue::check::queue_name(name, dead_fifo, &self.cell.engine.limits)?;
        let fifo =
            matches!(&definition.endpoint, Endpoint::Queue(queue) if queue.strip_suffix(".fifo").is_some());
        if fifo && !dead_fifo {
            let reason = "must use a FIFO queue as DLQ for a FIFO Subscription to a FIFO Topic.";
            return Err(Error::invalid("dead_letter", name, reason));
        }
        if dead_fifo && !fifo {
            let reason = "must be a standard queue unless a FIFO queue is subscribed to a FIFO topic";
            return Err(Error::invalid("dead_letter", name, reason));
        }
        Ok(())
    }
}

impl TopicCell {
    /// The answer to a subscribe for an endpoint that is subscribed already (rule N13). Who asks while it waits to be
    /// confirmed gets two more days.
    fn subscribe_again(
        &self,
        inner: &mut TopicInner,
        there: &Arc<Subscription>,
        settings: &SubscriptionSettings,
        now: u64,
        batch: &mut Batch,
    ) -> Result<Subscribed> {
        let mut definition = there.definition.clone();
        definition.change(settings, &self.engine.limits)?;
        let order = settings.order.is_none_or(|order| definition.push.is_some_and(|(now, _)| now == order));
        if definition != there.definition || !order {
            let id = self.subscription_id(there.number);
            return Err(Error::SubscriptionExists { topic: self.name.clone(), id });
        }
        if !definition.confirmed {
            definition.created_at = now;
            definition.save(self.id, there.number, batch);
            inner.put(there.redefined(definition.clone()));
        }
        Ok(self.subscribed(there.number, &definition))
    }

    fn subscribed(&self, number: u64, definition: &SubscriptionDefinition) -> Subscribed {
        let token = (!definition.confirmed).then(|| self.token(number, definition));
        Subscribed { id: self.subscription_id(number), token }
    }

    /// The token of a pending subscription: computed, so that there is no table of them.
    fn token(&self, number: u64, definition: &SubscriptionDefinition) -> String {
        let seed = self.engine.seed;
        let check = seed.check(self.id, number, definition.created_at);
        let more = seed.check(number, self.id, !definition.created_at);
        format!("{number:016x}{check:08x}{more:08x}")
    }

    fn check_room(&self, inner: &TopicInner, settings: &SubscriptionSettings, policies: usize) -> Result<()> {
        let limits = &self.engine.limits.topics;
        let max = if self.fifo { limits.fifo_subscriptions_max } else { limits.subscriptions_max };
        if inner.state.subscriptions.len() >= max {
            return Err(Error::TooMany { what: "subscriptions of the topic", max });
        }
        if settings.filter_policy.as_ref().is_some_and(|policy| !policy.is_empty()) {
            self.check_policies(inner, policies)?;
        }
        Ok(())
    }

    fn check_policies(&self, inner: &TopicInner, in_broker: usize) -> Result<()> {
        let limits = &self.engine.limits.topics;
        let here = inner.filter_policies();
        if here >= limits.filter_policies_max {
            return Err(Error::TooMany {
                what: "filter policies of the topic",
                max: limits.filter_policies_max,
            });
        }
        let max = limits.filter_policies_total_max;
        if in_broker >= max {
            return Err(Error::TooMany { what: "filter policies of the broker", max });
        }
        Ok(())
    }

    fn info(&self, inner: &TopicInner, one: &Subscription) -> SubscriptionInfo {
        let definition = &one.definition;
        let push = definition.push.map(|(order, _)| order);
        let mut counters = one.counters.read();
        counters.waiting = one.backlog.as_ref().map_or(0, |backlog| QueueCell::stored(backlog));
        SubscriptionInfo {
            id: self.subscription_id(one.number),
            topic: self.name.clone(),
            endpoint: definition.endpoint.clone(),
            confirmed: definition.confirmed,
            created_at: Timestamp::from_millis(definition.created_at),
            raw_delivery: definition.raw_delivery,
            filter_policy: definition.filter_policy.clone(),
            dead_letter: definition.dead_letter.clone(),
            delivery_policy: definition.delivery_policy.clone(),
            effective_delivery_policy: push.map(|_| definition.effective_policy(&inner.state.settings)),
            order: push,
            replay: definition.replay.as_ref().map(StoredReplay::info),
            counters,
        }
    }
}

impl TopicInner {
    /// How many subscriptions have a filter policy.
    pub(crate) fn filter_policies(&self) -> usize {
        self.state.subscriptions.iter().filter(|one| one.definition.filter_policy.is_some()).count()
    }
}

//! Replays of the archive to one subscription (rule N84).
//!
//! While a replay runs, what is published goes past its subscription, but not past the archive: it waits there. So the
//! replay goes on until it has caught up, and from the very commit in which it has, the subscription gets what is published.

use std::{collections::BTreeMap, ops::Range, sync::Arc};

use super::{
    LocalTopic, Subscription, TopicCell, TopicInner,
    fan_out::Way,
    forms::{Forms, Stamp},
    plan,
};
use crate::{
    broker::{Broker, WeakBroker},
    error::{Error, Result},
    pipeline::Ticket,
    queue::{
        fetch::{damaged_row, first_since},
        shell::{Operation, QueueCell},
    },
    storage::{Batch, Durability, Page, StorageError},
    sync::yield_now,
    topic::{
        message::PublishMessage,
        notification::Notification,
        replay::{Replay, ReplayStatus, StoredReplay},
        subscription::SubscriptionId,
    },
};

/// Messages replayed in one commit at most: a few milliseconds of work between other commits.
const PAGE: Page = Page { entries: 100, bytes: 1024 * 1024 };

impl LocalTopic {
    /// Replays the archive of the topic to a subscription, from a time on, in the background. What is published meanwhile
    /// comes behind it, in order. It goes on after a restart where it was, and each message is delivered by it once.
    ///
    /// The filter policy holds. A replayed message has the id and time of the original and says that it is replayed; it is
    /// delivered also if the queue has seen its deduplication id in the last five minutes. A new replay takes the place
    /// of the one before. Fails if the topic keeps no archive. Cancel safe in this sense: a dropped call has started the
    /// replay or not.
    pub async fn start_replay(&self, id: SubscriptionId, replay: Replay) -> Result<()> {
        let cell = &*self.cell;
        let Replay { from, until } = replay;
        if until.is_some_and(|until| until <= from) {
            return Err(Error::invalid("until", format!("{until:?}"), "must be later than the start"));
        }
        if until.is_some_and(|until| until.as_millis() > cell.engine.timeline.now()) {
            return Err(Error::invalid("until", format!("{until:?}"), "must not lie in the future"));
        }
        let from = from.as_millis();
        let started = self.set_replay(id, |inner, before| {
            if !inner.archives() {
                let reason = "the topic keeps no archive".into();
                return Err(Error::InvalidState { name: cell.name.clone(), reason });
            }
            Ok(Some(StoredReplay {
                from,
                until: until.map(crate::Timestamp::as_millis),
                status: ReplayStatus::Pending,
                position: inner.state.archive().start,
                replayed: 0,
                number: before.map_or(0, |before| before.number.wrapping_add(1)),
            }))
        });
        // The work begins also if this call is dropped before its commit is done: it waits for that itself.
        let (there, ticket) = started?;
        start(&self.broker, cell, &there);
        ticket.wait().await
    }

    /// Gives up the replay of a subscription: from now on it gets what is published, and what was published since the replay
    /// began, as far as it has not got there, is not delivered. Cancel safe as [`start_replay`](Self::start_replay) is.
    pub async fn stop_replay(&self, id: SubscriptionId) -> Result<()> {
        let (_, ticket) = self.set_replay(id, |_, _| Ok(None))?;
        ticket.wait().await
    }

    fn set_replay(
        &self,
        id: SubscriptionId,
        set: impl FnOnce(&TopicInner, Option<&StoredReplay>) -> Result<Option<StoredReplay>>,
    ) -> Result<(Arc<Subscription>, Ticket)> {
        let cell = &*self.cell;
        let number = cell.number_of(id)?;
        cell.operate(|inner, _, batch| {
            let there = inner.subscription(number).cloned().ok_or_else(|| cell.no_subscription(id))?;
            let mut definition = there.definition.clone();
            definition.replay = set(inner, definition.replay.as_ref())?;
            definition.save(cell.id, number, batch);
            let there = there.redefined(definition);
            inner.put(there.clone());
            Ok(there)
        })
    }
}

/// The message as it was published.
fn again(notification: &Notification) -> PublishMessage {
    PublishMessage {
        body: notification.text().to_owned(),
        body_for: BTreeMap::new(),
        subject: notification.subject.clone(),
        attributes: notification.attributes.clone(),
        group_id: notification.group_id.clone(),
        deduplication_id: notification.deduplication_id.clone(),
    }
}

/// A replay under way.
struct Replayer {
    broker: WeakBroker,
    topic: String,
    topic_id: u64,
    subscription: u64,
    /// Its own number: a later one has a replayer of its own.
    number: u64,
}

/// Begins with the replay of a subscription, if it is to do something.
fn start(broker: &Broker, cell: &TopicCell, there: &Subscription) {
    let Some(replay) = there.definition.replay.as_ref().filter(|replay| replay.is_running()) else { return };
    let replayer = Replayer {
        broker: broker.downgrade(),
        topic: cell.name.clone(),
        topic_id: cell.id,
        subscription: there.number,
        number: replay.number,
    };
    cell.engine.pipeline.runtime().spawn(async move { replayer.run().await });
}

/// Goes on with the replays that ran when the store was last open.
pub(crate) fn resume(broker: &Broker, cell: &TopicCell) {
    let subscriptions = cell.inner.lock().state.subscriptions.clone();
    for one in subscriptions.iter() {
        start(broker, cell, one);
    }
}

/// What a look at a replay finds to be done.
struct Look {
    there: Arc<Subscription>,
    replay: StoredReplay,
    archive: Range<u64>,
    partition: u64,
    kept_ms: u64,
}

impl Replayer {
    async fn run(&self) {
        loop {
            let Some(broker) = self.broker.upgrade() else { return };
            let Some(cell) = broker.topic_cell(&self.topic).filter(|cell| cell.id == self.topic_id) else {
                return;
            };
            match self.step(&broker, &cell).await {
                Ok(true) => {}
                Err(Error::Storage(cause)) => return self.fail(&cell, &cause),
                // It has ended; or the broker has stopped, so this goes on at the next open; or the topic is gone.
                Ok(false) | Err(_) => return,
            }
            drop((broker, cell));
            yield_now().await;
        }
    }

    /// Replays a page. Returns whether there is more to do.
    async fn step(&self, broker: &Broker, cell: &TopicCell) -> Result<bool> {
        let (look, ticket) = cell.operate(|inner, _, _| Ok(self.look(inner)))?;
        let Some(look) = look else { return Ok(false) };
        // What is not committed cannot be read.
        ticket.wait().await?;
        let Look { replay, archive, partition, .. } = &look;
        let (partition, pending) = (*partition, replay.status == ReplayStatus::Pending);
        let (from, range) = (replay.from, replay.position.max(archive.start)..archive.end);
        let rows = cell.engine.pipeline.read(move |store| {
            let start =
                if pending { first_since(store, partition, range.clone(), from)? } else { range.start };
            Ok((start, store.rows(partition, start..range.end, PAGE)?))
        });
        let (start, rows) = rows.await?;
        let mut messages = Vec::with_capacity(rows.len());
        for (seq, row) in &rows {
            let notification = Notification::from_row(&cell.name, row);
            let notification = notification.map_err(|what| damaged_row(partition, *seq, what))?;
            messages.push(notification);
        }
        let position = rows.last().map_or(look.archive.end.max(start), |(seq, _)| seq + 1);
        loop {
            match self.carry(broker, cell, &look, &messages, position) {
                // The queue was deleted in between: look again.
                Err(Error::QueueDoesNotExist { .. }) => {}
                done => return done,
            }
        }
    }

    fn look(&self, inner: &TopicInner) -> Option<Look> {
        let there = inner.subscription(self.subscription)?.clone();
        let own = |replay: &StoredReplay| replay.is_running() && replay.number == self.number;
        let replay = there.definition.replay.clone().filter(own)?;
        Some(Look {
            there,
            replay,
            archive: inner.state.archive(),
            partition: inner.state.partition(),
            kept_ms: inner.state.settings.archive_ms().unwrap_or(0),
        })
    }

    /// Delivers a page and notes how far the replay is, in one commit.
    fn carry(
        &self,
        broker: &Broker,
        cell: &TopicCell,
        look: &Look,
        messages: &[Notification],
        position: u64,
    ) -> Result<bool> {
        let queues = plan::queues_of(&look.there, broker);
        let cells = plan::in_order(queues.iter().flatten());
        let [target, dead] = queues.each_ref().map(|queue| plan::place_in(&cells, queue.as_ref()));
        let way = Way { cells: &cells, target, dead };
        let mut guard = cell.inner.lock();
        let inner = &mut *guard;
        // Another replay was started, or the subscription was changed: look again.
        if self.look(inner).is_none_or(|now| !Arc::ptr_eq(&now.there, &look.there)) {
            return Ok(true);
        }
        let durability = cells.iter().map(|cell| cell.durability()).max().unwrap_or(Durability::Buffered);
        let step = |ops: &mut [Operation<'_>], (now, batch): (u64, &mut Batch)| {
            let mut replay = look.replay.clone();
            let mut ended = false;
            for notification in messages {
                let at = notification.published_at.as_millis();
                ended = replay.until.is_some_and(|until| at >= until);
                if ended {
                    break;
                }
                if at.saturating_add(look.kept_ms) <= now || at < replay.from {
                    continue;
                }
                replay.replayed = replay.replayed.saturating_add(1);
                let wanted = look.there.definition.filter_policy.as_ref().is_none_or(|policy| {
                    policy.matches_attributes(&notification.attributes)
                        || policy.matches_body(&notification.body)
                });
                if wanted {
                    let message = again(notification);
                    let stamp = Stamp {
                        id: notification.id,
                        topic: &cell.name,
                        sequence_number: notification.sequence_number,
                        published_at: notification.published_at,
                        replayed: true,
                    };
                    let mut forms = Forms::new(stamp, &message);
                    let became = cell.hand_over(&look.there, &way, &mut forms, None, ops)?;
                    became.count(&look.there);
                }
            }
            replay.position = position;
            let done = ended || position >= inner.state.tail();
            replay.status = if done { ReplayStatus::Completed } else { ReplayStatus::InProgress };
            let mut definition = look.there.definition.clone();
            definition.replay = Some(replay);
            definition.save(cell.id, look.there.number, batch);
            inner.put(look.there.redefined(definition));
            Ok(!done)
        };
        let (more, _) = QueueCell::operate_all(&cell.engine, &cells, |_| durability, None, step)?;
        Ok(more)
    }

    /// Notes that the archive could not be read.
    fn fail(&self, cell: &TopicCell, cause: &StorageError) {
        let failed = cell.operate(|inner, _, batch| {
            if let Some(Look { there, .. }) = self.look(inner) {
                let mut definition = there.definition.clone();
                if let Some(replay) = &mut definition.replay {
                    replay.status = ReplayStatus::Failed(cause.to_string());
                }
                definition.save(cell.id, there.number, batch);
                inner.put(there.redefined(definition));
            }
            Ok(())
        });
        // The broker has stopped, or the topic is gone.
        drop(failed);
    }
}

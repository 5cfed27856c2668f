//! Purging a queue, describing it, and changing its settings and tags.

use std::{collections::BTreeMap, time::Duration};

use super::{LocalQueue, Operation, QueueCell};
use crate::{
    catalog::Definition,
    clock::{Timestamp, millis},
    error::{Error, Result},
    keys,
    pipeline::Ticket,
    queue::{
        ROW_OVERHEAD_MAX, check,
        options::{QueueAttributes, QueueCounters},
        settings::QueueSettings,
        state::{DelaySearch, DelayedFrom, Leftover, StillDelayed, Want},
    },
    reclaim,
    storage::Durability,
};

/// What a look at the queue came to.
enum Look<T> {
    Done(T),
    /// This must be read first.
    PageIn(Want),
    /// It must be found out first where the delayed messages begin.
    Search(DelaySearch),
}

impl LocalQueue {
    /// The queue's name.
    pub fn name(&self) -> &str {
        &self.cell.name
    }

    /// Removes all messages: visible, in flight and delayed ones. What is sent after this returns stays. A receive that
    /// was under way before may still return what it had leased.
    ///
    /// One small write, whatever the backlog; the space is given back in the background. Cancel safe in this sense: a
    /// dropped call has purged the queue or not.
    pub async fn purge(&self) -> Result<()> {
        let (leftover, ticket) = self.begin_purge()?;
        // At once, so that it happens also if this call is dropped: all its commits come behind the purge's own.
        reclaim::start(&self.cell.engine, leftover);
        ticket.wait().await
    }

    fn begin_purge(&self) -> Result<(Leftover, Ticket)> {
        let engine = &self.cell.engine;
        let wait_ms = millis(engine.limits.purge_wait);
        let mut ids = engine.ids.lock();
        self.cell.operate(Durability::Synced, None, |op| {
            let free_at = op.state.purged_at.map_or(0, |purged_at| purged_at.saturating_add(wait_ms));
            if op.now < free_at {
                let wait = Duration::from_millis(free_at - op.now);
                return Err(Error::PurgeQueueInProgress { name: self.cell.name.clone(), wait });
            }
            let leftover = op.state.purge(op.now, ids.take(op.batch));
            reclaim::note(leftover, op.batch);
            Ok(leftover)
        })
    }

    /// How many messages there are, at this moment. Cancel safe.
    pub async fn counters(&self) -> Result<QueueCounters> {
        self.cell.describe(&[Want::First], |op, still_delayed| op.state.counters(still_delayed)).await
    }

    /// The queue's settings, times, tags and counters. Cancel safe.
    pub async fn attributes(&self) -> Result<QueueAttributes> {
        self.cell
            .describe(&[Want::First], |op, still_delayed| {
                let settings = &op.state.settings;
                QueueAttributes {
                    name: self.cell.name.clone(),
                    visibility_timeout: Duration::from_millis(settings.visibility_timeout_ms),
                    delay: Duration::from_millis(settings.delay_ms),
                    retention: Duration::from_millis(settings.retention_ms),
                    max_message_size: settings.max_message_size,
                    receive_wait_time: Duration::from_millis(settings.receive_wait_time_ms),
                    durability: settings.durability.into(),
                    created_at: Timestamp::from_millis(op.description.created_at),
                    last_modified_at: Timestamp::from_millis(op.description.last_modified_at),
                    tags: op.description.tags.clone(),
                    counters: op.state.counters(still_delayed),
                    redrive_policy: settings.redrive_policy.clone(),
                    redrive_allow_policy: settings.redrive_allow_policy.clone(),
                    fifo: settings.fifo.map(Into::into),
                }
            })
            .await
    }

    /// Changes settings; they apply at once. Cancel safe in this sense: a dropped call has changed all or none.
    pub async fn set_attributes(&self, change: QueueSettings) -> Result<()> {
        let engine = &self.cell.engine;
        let value_bytes_max = engine.pipeline.profile().value_bytes_max.saturating_sub(ROW_OVERHEAD_MAX);
        change.check(&engine.limits, value_bytes_max)?;
        if let Some(policy) = &change.redrive_policy {
            self.broker.check_redrive(&self.cell.name, self.cell.is_fifo(), policy)?;
        }
        self.redefine(|op| {
            op.state.set_settings(op.state.settings.changed(&change)?, op.now, op.batch);
            op.description.last_modified_at = op.now;
            Ok(())
        })
        .await
    }

    /// The queue's tags, as they are in memory: a change that is being committed shows already.
    pub fn tags(&self) -> BTreeMap<String, String> {
        self.cell.inner.lock().description.tags.clone()
    }

    /// Adds tags, in place of older ones with the same keys: up to 512 bytes a key, 1,024 a value, and 60 KiB of JSON for
    /// all of them. Cancel safe as [`set_attributes`](Self::set_attributes)
    /// is.
    pub async fn tag<K: Into<String>, V: Into<String>>(
        &self,
        tags: impl IntoIterator<Item = (K, V)>,
    ) -> Result<()> {
        let added: Vec<_> = tags.into_iter().map(|(key, value)| (key.into(), value.into())).collect();
        self.redefine(|op| {
            let mut tags = op.description.tags.clone();
            tags.extend(added);
            check::tags(&tags, &self.cell.engine.limits)?;
            op.description.tags = tags;
            Ok(())
        })
        .await
    }

    /// Removes tags; a missing one is no error. Cancel safe as [`set_attributes`](Self::set_attributes) is.
    pub async fn untag<'k>(&self, keys: impl IntoIterator<Item = &'k str>) -> Result<()> {
        self.redefine(|op| {
            for key in keys {
                op.description.tags.remove(key);
            }
            Ok(())
        })
        .await
    }

    /// Changes the queue's definition and stores it.
    async fn redefine(&self, change: impl FnOnce(&mut Operation<'_>) -> Result<()>) -> Result<()> {
        let ((), ticket) = self.cell.operate(Durability::Synced, None, |op| {
            change(op)?;
            let definition = Definition::of(op.state, op.description);
            op.batch.put_meta(&keys::definition(&self.cell.name), &definition.encode());
            Ok(())
        })?;
        ticket.wait().await
    }
}

impl QueueCell {
    /// Looks at the queue once what is wanted is in memory. Tells also from which sequence on the delay of a
    /// FIFO queue has not ended, if from any.
    pub(super) async fn describe<T>(
        &self,
        wants: &[Want],
        look: impl Fn(&mut Operation<'_>, Option<StillDelayed>) -> T,
    ) -> Result<T> {
        let pipeline = &self.engine.pipeline;
        let mut found = None;
        loop {
            let (done, ticket) = self.operate(Durability::Buffered, None, |op| {
                for want in wants {
                    if !op.page_in_here(self, *want)? {
                        return Ok(Look::PageIn(*want));
                    }
                }
                let still_delayed = match op.state.delayed_from(op.now) {
                    DelayedFrom::Known(from) => from,
                    DelayedFrom::Search(search) if !pipeline.profile().can_block => {
                        Some(pipeline.with_store(|store| search.run(store))?)
                    }
                    DelayedFrom::Search(search) => match found {
                        Some(found) => found,
                        None => return Ok(Look::Search(search)),
                    },
                };
                Ok(Look::Done(look(op, still_delayed)))
            })?;
            match done {
                Look::Done(done) => {
                    ticket.wait().await?;
                    return Ok(done);
                }
                Look::PageIn(want) => self.page_in(want).await?,
                Look::Search(search) => {
                    found = Some(Some(pipeline.read(move |store| search.run(store)).await?));
                }
            }
        }
    }
}

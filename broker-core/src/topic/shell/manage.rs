//! Describing a topic, changing its settings and tags.

use std::collections::BTreeMap;

use super::{LocalTopic, TopicInner};
use crate::{
    clock::Timestamp,
    error::Result,
    queue::{ROW_OVERHEAD_MAX, check},
    topic::{
        attributes::TopicAttributes,
        retry::DeliveryPolicy,
        settings::{ArchivePolicy, TopicSettings},
    },
};

impl LocalTopic {
    /// The topic's name.
    pub fn name(&self) -> &str {
        &self.cell.name
    }

    /// Whether it is a FIFO topic.
    pub fn is_fifo(&self) -> bool {
        self.cell.fifo
    }

    /// The topic's settings, times, tags, and how many subscriptions it has. Cancel safe.
    pub async fn attributes(&self) -> Result<TopicAttributes> {
        let (attributes, ticket) = self.cell.operate(|inner, _, _| {
            let TopicInner { state, tags, created_at, .. } = &*inner;
            let settings = &state.settings;
            let confirmed = state.subscriptions.iter().filter(|one| one.definition.confirmed).count();
            let fifo = settings.fifo.unwrap_or_default();
            Ok(TopicAttributes {
                name: self.cell.name.clone(),
                display_name: settings.display_name.clone(),
                max_message_size: settings.max_message_size,
                durability: settings.durability.into(),
                fifo: self.cell.fifo,
                content_based_deduplication: fifo.content_based_deduplication,
                fifo_throughput_scope: fifo.throughput_scope,
                archive_policy: fifo.archive_policy,
                delivery_policy: settings.delivery_policy.clone(),
                effective_delivery_policy: settings
                    .delivery_policy
                    .clone()
                    .unwrap_or_else(DeliveryPolicy::http),
                disable_subscription_overrides: settings.disable_subscription_overrides,
                created_at: Timestamp::from_millis(*created_at),
                tags: tags.clone(),
                subscriptions_confirmed: confirmed,
                subscriptions_pending: state.subscriptions.len() - confirmed,
            })
        })?;
        ticket.wait().await?;
        Ok(attributes)
    }

    /// Changes settings; they hold from the next publish on. An archive that is given up is cleared. Cancel safe in this
    /// sense: a dropped call has changed all or none.
    pub async fn set_attributes(&self, change: TopicSettings) -> Result<()> {
        let engine = &self.cell.engine;
        let value_bytes_max = engine.pipeline.profile().value_bytes_max.saturating_sub(ROW_OVERHEAD_MAX);
        change.check(&engine.limits, value_bytes_max)?;
        self.redefine(|inner| {
            let archived = inner.archives();
            inner.state.settings = inner.state.settings.changed(&change)?;
            if !archived && inner.archives() {
                // What is left of an earlier archive was given up.
                inner.state.archived_from = inner.state.tail();
            }
            Ok(())
        })
        .await?;
        if change.archive_policy.is_some() {
            self.cell.inner.lock().trim_soon();
            self.trim_archive();
        }
        Ok(())
    }

    /// The topic's tags, as they are in memory: a change that is being committed shows already.
    pub fn tags(&self) -> BTreeMap<String, String> {
        self.cell.inner.lock().tags.clone()
    }

    /// Adds tags, in place of older ones with the same keys, within the bounds of those of a queue. Cancel safe as
    /// [`set_attributes`](Self::set_attributes) is.
    pub async fn tag<K: Into<String>, V: Into<String>>(
        &self,
        tags: impl IntoIterator<Item = (K, V)>,
    ) -> Result<()> {
        let added: Vec<_> = tags.into_iter().map(|(key, value)| (key.into(), value.into())).collect();
        self.redefine(|inner| {
            let mut tags = inner.tags.clone();
            tags.extend(added);
            check::tags(&tags, &self.cell.engine.limits)?;
            inner.tags = tags;
            Ok(())
        })
        .await
    }

    /// Removes tags; a missing one is no error. Cancel safe as [`set_attributes`](Self::set_attributes) is.
    pub async fn untag<'k>(&self, keys: impl IntoIterator<Item = &'k str>) -> Result<()> {
        self.redefine(|inner| {
            for key in keys {
                inner.tags.remove(key);
            }
            Ok(())
        })
        .await
    }

    async fn redefine(&self, change: impl FnOnce(&mut TopicInner) -> Result<()>) -> Result<()> {
        let ((), ticket) = self.cell.operate(|inner, _, batch| {
            change(inner)?;
            inner.definition().save(&self.cell.name, batch);
            Ok(())
        })?;
        ticket.wait().await
    }
}

impl TopicInner {
    /// Whether messages are kept, so that the topic cannot be deleted (rule N84).
    pub(crate) fn archives(&self) -> bool {
        self.state.settings.fifo.is_some_and(|fifo| fifo.archive_policy != ArchivePolicy::None)
    }
}

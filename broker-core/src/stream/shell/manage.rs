//! Describing a stream, changing its settings and tags.

use std::{collections::BTreeMap, time::Duration};

use super::{LocalStream, StreamInner};
use crate::{
    clock::{Timestamp, millis},
    error::Result,
    queue::{ROW_OVERHEAD_MAX, check, settings::Settings, shell::Operation},
    storage::Durability,
    stream::{
        attributes::StreamAttributes,
        settings::StreamSettings,
        shard::{ShardFilter, ShardInfo, ShardTraffic},
    },
};

impl LocalStream {
    /// The stream's name.
    pub fn name(&self) -> &str {
        &self.cell.name
    }

    /// The stream's settings, times, tags, and how many shards are open. Cancel safe.
    pub async fn attributes(&self) -> Result<StreamAttributes> {
        self.describe(|inner, _| {
            let settings = &inner.state.settings;
            StreamAttributes {
                name: self.cell.name.clone(),
                retention: Duration::from_millis(settings.retention_ms),
                max_record_size: settings.max_record_size,
                durability: settings.durability.into(),
                mode: settings.mode,
                distribution: settings.distribution,
                throttled: settings.throttled,
                created_at: Timestamp::from_millis(inner.created_at),
                tags: inner.tags.clone(),
                open_shards: inner.state.shards().filter(|shard| shard.is_open()).count(),
            }
        })
        .await
    }

    /// The shards that a filter selects, in the order of their ids. Those whose records have all expired are not among them.
    /// Cancel safe.
    pub async fn shards(&self, filter: ShardFilter) -> Result<Vec<ShardInfo>> {
        self.describe(|inner, now| inner.state.listed(filter, now)).await
    }

    /// What went into each open shard over the last minute, the hottest first: a key that is used too much shows here.
    /// Cancel safe.
    pub async fn traffic(&self) -> Result<Vec<ShardTraffic>> {
        self.describe(|inner, now| {
            let open = inner.state.shards().filter(|shard| shard.is_open());
            let mut traffic: Vec<_> = open.map(|shard| shard.traffic(now)).collect();
            traffic.sort_by_key(|shard| (std::cmp::Reverse((shard.bytes, shard.records)), shard.shard));
            traffic
        })
        .await
    }

    /// Changes settings; they apply at once. Cancel safe in this sense: a dropped call has changed all or none.
    pub async fn set_attributes(&self, change: StreamSettings) -> Result<()> {
        let engine = &self.cell.engine;
        let value_bytes_max = engine.pipeline.profile().value_bytes_max.saturating_sub(ROW_OVERHEAD_MAX);
        change.check(&engine.limits.streams, value_bytes_max)?;
        self.redefine(|inner, now| inner.state.change(&change, now)).await?;
        let queues: Vec<_> = self.cell.inner.lock().queues.values().cloned().collect();
        for cell in queues.iter().flat_map(|queue| [&queue.ready, &queue.dead]) {
            let Some(retention) = change.retention else { break };
            let set = |op: &mut Operation<'_>| {
                let settings = Settings { retention_ms: millis(retention), ..op.state.settings.clone() };
                op.state.set_settings(settings, op.now, op.batch);
                Ok(())
            };
            let _ = cell.operate(Durability::Buffered, None, set)?;
        }
        if change.retention.is_some() {
            self.trim();
        }
        Ok(())
    }

    /// The stream's tags, as they are in memory: a change that is being committed shows already.
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
        self.redefine(|inner, _| {
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
        self.redefine(|inner, _| {
            for key in keys {
                inner.tags.remove(key);
            }
            Ok(())
        })
        .await
    }

    async fn describe<T>(&self, look: impl FnOnce(&StreamInner, u64) -> T) -> Result<T> {
        let (seen, ticket) = self.cell.operate(Durability::Buffered, |inner, now| Ok(look(inner, now)))?;
        ticket.wait().await?;
        Ok(seen)
    }

    async fn redefine(&self, change: impl FnOnce(&mut StreamInner, u64) -> Result<()>) -> Result<()> {
        let ((), ticket) = self.cell.operate(Durability::Synced, |inner, now| {
            change(inner, now)?;
            inner.save(&self.cell.name);
            Ok(())
        })?;
        ticket.wait().await
    }
}

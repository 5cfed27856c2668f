//! Topics and subscriptions as the catalog stores them: JSON, cut into parts where a policy makes it long.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    replay::StoredReplay,
    retry::DeliveryPolicy,
    settings::Settings,
    subscription::{DeliveryOrder, Endpoint},
};
use crate::{
    catalog,
    filter::{FilterPolicy, FilterScope},
    keys,
    storage::{Batch, Page, Storage, StorageError},
};

/// A topic as the catalog stores it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct TopicDefinition {
    pub(crate) id: u64,
    pub(crate) settings: Settings,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) created_at: u64,
    /// The first sequence of the archive that is kept now.
    pub(crate) archived_from: u64,
}

impl TopicDefinition {
    pub(crate) fn save(&self, name: &str, batch: &mut Batch) {
        let json = serde_json::to_vec(self).expect("a definition has string keys and plain numbers only");
        batch.put_meta(&keys::topic(name), &json);
    }
}

/// A subscription as the catalog stores it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct SubscriptionDefinition {
    pub(crate) endpoint: Endpoint,
    pub(crate) confirmed: bool,
    pub(crate) created_at: u64,
    pub(crate) raw_delivery: bool,
    pub(crate) filter_scope: FilterScope,
    pub(crate) filter_policy: Option<FilterPolicy>,
    pub(crate) dead_letter: Option<String>,
    pub(crate) delivery_policy: Option<DeliveryPolicy>,
    /// A push subscriber: in which order, and the id of the queue in which its messages wait.
    pub(crate) push: Option<(DeliveryOrder, u64)>,
    pub(crate) replay: Option<StoredReplay>,
}

/// A part of a stored subscription: with its key it stays below the 64 KiB of a meta value.
const PART_BYTES: usize = 60 * 1024;

impl SubscriptionDefinition {
    pub(crate) fn save(&self, topic: u64, number: u64, batch: &mut Batch) {
        let json = serde_json::to_vec(self).expect("a subscription has string keys and plain numbers only");
        Self::delete(topic, number, batch);
        for (part, bytes) in (0..).zip(json.chunks(PART_BYTES)) {
            batch.put_meta(&keys::subscription(topic, number, part), bytes);
        }
    }

    pub(crate) fn delete(topic: u64, number: u64, batch: &mut Batch) {
        let (from, to) = (keys::subscription(topic, number, 0), keys::subscription(topic, number, u64::MAX));
        batch.delete_meta_range(&from, &to);
    }
}

/// Parts read at once.
const PAGE: Page = Page { entries: 1_000, bytes: 4 * 1024 * 1024 };

/// All topics, by name.
pub(crate) fn topics(store: &dyn Storage) -> Result<Vec<(String, TopicDefinition)>, StorageError> {
    catalog::named(store, keys::TOPIC, |name, value| {
        serde_json::from_slice(value).map_err(|what| {
            StorageError::corrupt(format!("the definition of topic {name:?}"), what.to_string())
        })
    })
}

/// All subscriptions of a topic, by number.
pub(crate) fn subscriptions(
    store: &dyn Storage,
    topic: u64,
) -> Result<Vec<(u64, SubscriptionDefinition)>, StorageError> {
    let place = |number: u64| format!("subscription {number} of topic {topic}");
    let decode = |(number, json): (u64, Vec<u8>)| {
        let definition = serde_json::from_slice(&json);
        let definition = definition.map_err(|what| StorageError::corrupt(place(number), what.to_string()));
        Ok((number, definition?))
    };
    let (mut from, to) = (keys::subscription(topic, 0, 0).to_vec(), keys::subscription(topic, u64::MAX, 0));
    let mut found = Vec::new();
    let mut parts: Option<(u64, Vec<u8>)> = None;
    let mut next_part = 0;
    loop {
        let page = store.meta_range(&from, &to, PAGE)?;
        let Some((last, _)) = page.last() else { break };
        from = [last, [0].as_slice()].concat();
        for (key, value) in &page {
            let (number, part) = keys::subscription_number_and_part_of(key).ok_or_else(|| {
                StorageError::corrupt(format!("meta key {key:?}"), "the key has the wrong length")
            })?;
            match &mut parts {
                Some((of, json)) if *of == number => json.extend_from_slice(value),
                _ => {
                    let before = parts.replace((number, value.to_vec()));
                    found.extend(before.map(decode).transpose()?);
                    next_part = 0;
                }
            }
            // Without a part in the middle it could still be JSON, and another filter policy.
            if part != next_part {
                return Err(StorageError::corrupt(place(number), format!("its part {next_part} is missing")));
            }
            next_part += 1;
        }
    }
    found.extend(parts.map(decode).transpose()?);
    Ok(found)
}

//! Attributes that the broker has no use for: kept as notes beside its topics and subscriptions, so that they survive what
//! those survive, and in memory.
//!
//! A note is written before or after what it belongs to, never in the same commit. So a crash may leave one that belongs to
//! nothing, or leave one out; whoever makes a topic anew begins without.

use std::collections::BTreeMap;

use broker_core::{Broker, Error, Result, SubscriptionId};
use parking_lot::RwLock;

use super::shapes::Texts;

/// Of what the attributes are.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Owner {
    Topic(String),
    Subscription(String, SubscriptionId),
}

/// What the names of the notes begin with.
const TOPICS: &str = "sns/topic/";
const SUBSCRIPTIONS: &str = "sns/subscription/";
/// Notes read at once.
const PAGE: usize = 1_000;

impl Owner {
    fn note(&self) -> String {
        match self {
            Self::Topic(topic) => format!("{TOPICS}{topic}"),
            Self::Subscription(topic, id) => format!("{SUBSCRIPTIONS}{topic}/{id}"),
        }
    }

    fn of_note(note: &str) -> Option<Self> {
        if let Some(topic) = note.strip_prefix(TOPICS) {
            return Some(Self::Topic(topic.to_owned()));
        }
        let (topic, id) = note.strip_prefix(SUBSCRIPTIONS)?.split_once('/')?;
        Some(Self::Subscription(topic.to_owned(), id.parse().ok()?))
    }
}

/// The attributes of all topics and subscriptions of a broker that have some.
#[derive(Debug, Default)]
pub(super) struct Extras(RwLock<BTreeMap<Owner, Texts>>);

impl Extras {
    /// Reads what is stored.
    pub(super) async fn load(broker: &Broker) -> Result<Self> {
        let mut found = BTreeMap::new();
        for prefix in [TOPICS, SUBSCRIPTIONS] {
            let mut after = None;
            loop {
                let page = broker.notes(prefix, after.as_deref(), PAGE).await?;
                let Some((last, _)) = page.last() else { break };
                after = Some(last.clone());
                for (name, value) in page {
                    // Nobody else writes there; what makes no sense has no effect.
                    let texts = serde_json::from_slice::<Texts>(&value).ok();
                    found.extend(Owner::of_note(&name).zip(texts));
                }
            }
        }
        Ok(Self(RwLock::new(found)))
    }

    /// All attributes of something.
    pub(super) fn of(&self, owner: &Owner) -> Texts {
        self.0.read().get(owner).cloned().unwrap_or_default()
    }

    /// One attribute of something.
    pub(super) fn get(&self, owner: &Owner, name: &str) -> Option<String> {
        self.0.read().get(owner)?.get(name).cloned()
    }

    /// Sets attributes; an empty value removes one.
    pub(super) async fn change(&self, broker: &Broker, owner: Owner, change: Texts) -> Result<()> {
        let before = self.of(&owner);
        let mut after = before.clone();
        for (name, value) in change {
            if value.is_empty() {
                after.remove(&name);
            } else {
                after.insert(name, value);
            }
        }
        if after == before { Ok(()) } else { self.put(broker, owner, after).await }
    }

    /// Forgets all of something.
    pub(super) async fn remove(&self, broker: &Broker, owner: Owner) -> Result<()> {
        if self.0.read().contains_key(&owner) { self.put(broker, owner, Texts::new()).await } else { Ok(()) }
    }

    /// Forgets all of a topic and its subscriptions.
    pub(super) async fn remove_topic(&self, broker: &Broker, topic: &str) -> Result<()> {
        let belongs = |owner: &&Owner| match owner {
            Owner::Topic(of) | Owner::Subscription(of, _) => of == topic,
        };
        let owners: Vec<_> = self.0.read().keys().filter(belongs).cloned().collect();
        for owner in owners {
            self.put(broker, owner, Texts::new()).await?;
        }
        Ok(())
    }

    async fn put(&self, broker: &Broker, owner: Owner, texts: Texts) -> Result<()> {
        let note = owner.note();
        if texts.is_empty() {
            broker.remove_note(&note).await?;
            self.0.write().remove(&owner);
            return Ok(());
        }
        let json = serde_json::to_vec(&texts).map_err(|error| Error::InvalidParameter {
            field: "attributes",
            value: note.clone(),
            reason: error.to_string(),
        })?;
        broker.set_note(&note, json).await?;
        self.0.write().insert(owner, texts);
        Ok(())
    }
}

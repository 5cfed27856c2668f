//! What a topic is told once: its settings, as users give them and as the catalog keeps them.

use serde::{Deserialize, Serialize};

use super::retry::DeliveryPolicy;
use crate::{
    error::{Error, Result},
    limits::Limits,
    queue::settings::StoredDurability,
    storage::Durability,
};

/// Among which messages of a FIFO topic a deduplication id counts as the same.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FifoThroughputScope {
    /// Among all.
    #[default]
    Topic,
    /// Among those of one message group.
    MessageGroup,
}

/// Whether a FIFO topic keeps its messages, so that they can be replayed (rule N84).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ArchivePolicy {
    /// It does not.
    #[default]
    None,
    /// For so many days: 1 to 365.
    Days(u32),
}

const ARCHIVE_DAYS_MAX: u32 = 365;

/// Settings to create a topic with, or to change on one. What is `None` stays as it is, or takes its default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TopicSettings {
    /// A name to show, up to 100 characters; by default empty.
    pub display_name: Option<String>,
    /// The largest message in bytes, attributes included: 1 KiB to 1 MiB, by default 256 KiB.
    pub max_message_size: Option<usize>,
    /// What a publish survives before it is answered, by default [`Durability::Synced`]. The commit has at least the
    /// durability of every queue that it reaches.
    pub durability: Option<Durability>,
    /// Whether the topic is FIFO, by default not. Settled when it is created; its name ends with `.fifo` exactly if it is.
    pub fifo: Option<bool>,
    /// FIFO: whether the SHA-256 of the body is the deduplication id of a message that has none; by default not.
    pub content_based_deduplication: Option<bool>,
    /// FIFO: among which messages a deduplication id counts as the same.
    pub fifo_throughput_scope: Option<FifoThroughputScope>,
    /// FIFO: whether messages are kept, so that they can be replayed; by default not.
    pub archive_policy: Option<ArchivePolicy>,
    /// How push subscribers are delivered to that have no policy of their own; by default SNS's policy for endpoints
    /// inside AWS for handlers, and the one for HTTP for others.
    pub delivery_policy: Option<DeliveryPolicy>,
    /// Whether the topic's delivery policy holds also for subscribers with one of their own; by default not.
    pub disable_subscription_overrides: Option<bool>,
}

impl TopicSettings {
    /// Nothing set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Refuses what the limits do not allow.
    pub(crate) fn check(&self, limits: &Limits, value_bytes_max: usize) -> Result<()> {
        if let Some(name) = &self.display_name
            && name.chars().count() > DISPLAY_NAME_CHARS_MAX
        {
            let reason = format!("at most {DISPLAY_NAME_CHARS_MAX} characters are allowed");
            return Err(Error::invalid("display_name", name, reason));
        }
        if let Some(bytes) = self.max_message_size {
            let (min, max) = (limits.message_bytes_min, limits.message_bytes_max.min(value_bytes_max));
            if !(min..=max).contains(&bytes) {
                let reason = format!("must be between {min} and {max} bytes");
                return Err(Error::invalid("max_message_size", bytes, reason));
            }
        }
        match self.archive_policy {
            Some(ArchivePolicy::Days(days)) if !(1..=ARCHIVE_DAYS_MAX).contains(&days) => {
                let reason = format!("must be between 1 and {ARCHIVE_DAYS_MAX} days");
                return Err(Error::invalid("archive_policy", days, reason));
            }
            _ => {}
        }
        self.delivery_policy.as_ref().map_or(Ok(()), |policy| policy.check(limits))
    }

    /// Refuses settings that only a FIFO topic has, and a change of the type (rule N5).
    fn check_type(&self, fifo: bool) -> Result<()> {
        if self.fifo.is_some_and(|wanted| wanted != fifo) {
            return Err(Error::invalid("fifo", !fifo, "the type of a topic cannot be changed"));
        }
        let only_fifo = [
            ("content_based_deduplication", self.content_based_deduplication.is_some()),
            ("fifo_throughput_scope", self.fifo_throughput_scope.is_some()),
            ("archive_policy", self.archive_policy.is_some_and(|policy| policy != ArchivePolicy::None)),
        ];
        match only_fifo.iter().find(|(_, given)| *given && !fifo) {
            Some((field, _)) => Err(Error::invalid(field, "given", "is a setting of FIFO topics only")),
            None => Ok(()),
        }
    }
}

const DISPLAY_NAME_CHARS_MAX: usize = 100;

/// The settings in force, as the catalog stores them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Settings {
    pub(crate) display_name: String,
    pub(crate) max_message_size: usize,
    pub(crate) durability: StoredDurability,
    /// `None`: a standard topic.
    pub(crate) fifo: Option<Fifo>,
    pub(crate) delivery_policy: Option<DeliveryPolicy>,
    pub(crate) disable_subscription_overrides: bool,
}

/// What only a FIFO topic has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Fifo {
    pub(crate) content_based_deduplication: bool,
    pub(crate) throughput_scope: FifoThroughputScope,
    pub(crate) archive_policy: ArchivePolicy,
}

impl Settings {
    /// The settings of a new topic.
    pub(crate) fn new(limits: &Limits, value_bytes_max: usize, given: &TopicSettings) -> Result<Self> {
        let fifo = given.fifo.unwrap_or(false);
        given.check_type(fifo)?;
        let defaults = Self {
            display_name: String::new(),
            max_message_size: limits.topics.message_bytes_default.min(value_bytes_max),
            durability: StoredDurability::Synced,
            fifo: fifo.then(Fifo::default),
            delivery_policy: None,
            disable_subscription_overrides: false,
        };
        defaults.changed(given)
    }

    /// The settings with the given ones changed, if they go together.
    pub(crate) fn changed(&self, change: &TopicSettings) -> Result<Self> {
        change.check_type(self.fifo.is_some())?;
        Ok(self.with(change))
    }

    fn with(&self, change: &TopicSettings) -> Self {
        let fifo = |fifo: Fifo| Fifo {
            content_based_deduplication: change
                .content_based_deduplication
                .unwrap_or(fifo.content_based_deduplication),
            throughput_scope: change.fifo_throughput_scope.unwrap_or(fifo.throughput_scope),
            archive_policy: change.archive_policy.unwrap_or(fifo.archive_policy),
        };
        Self {
            display_name: change.display_name.clone().unwrap_or_else(|| self.display_name.clone()),
            max_message_size: change.max_message_size.unwrap_or(self.max_message_size),
            durability: change.durability.map_or(self.durability, Into::into),
            fifo: self.fifo.map(fifo),
            delivery_policy: change.delivery_policy.clone().or_else(|| self.delivery_policy.clone()),
            disable_subscription_overrides: change
                .disable_subscription_overrides
                .unwrap_or(self.disable_subscription_overrides),
        }
    }

    /// The first of the given settings that differs from these (rule N2).
    pub(crate) fn first_difference(&self, given: &TopicSettings) -> Option<&'static str> {
        let wanted = self.with(given);
        let (mine, theirs) = (self.fifo.unwrap_or_default(), wanted.fifo.unwrap_or_default());
        [
            ("fifo", given.check_type(self.fifo.is_some()).is_ok()),
            ("display_name", self.display_name == wanted.display_name),
            ("max_message_size", self.max_message_size == wanted.max_message_size),
            ("durability", self.durability == wanted.durability),
            (
                "content_based_deduplication",
                mine.content_based_deduplication == theirs.content_based_deduplication,
            ),
            ("fifo_throughput_scope", mine.throughput_scope == theirs.throughput_scope),
            ("archive_policy", mine.archive_policy == theirs.archive_policy),
            ("delivery_policy", self.delivery_policy == wanted.delivery_policy),
            (
                "disable_subscription_overrides",
                self.disable_subscription_overrides == wanted.disable_subscription_overrides,
            ),
        ]
        .into_iter()
        .find_map(|(name, same)| (!same).then_some(name))
    }

    /// How long the archive keeps a message.
    pub(crate) fn archive_ms(&self) -> Option<u64> {
        match self.fifo?.archive_policy {
            ArchivePolicy::None => None,
            ArchivePolicy::Days(days) => Some(u64::from(days) * 86_400_000),
        }
    }
}

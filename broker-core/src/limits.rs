//! The limits of SQS as data: the defaults, each of which can be raised or lowered.

use std::time::Duration;

use crate::{stream::StreamLimits, topic::TopicLimits, transaction::TransactionLimits};

/// Which characters a message body may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyRule {
    /// UTF-8 text of the characters that SQS takes: tab, line feed, carriage return, U+0020 to U+D7FF, U+E000 to
    /// U+FFFD and everything above U+FFFF.
    SqsText,
    /// Any bytes, for programs that never leave this broker.
    AnyBytes,
}

/// What the broker refuses.
///
/// ```
/// use broker_core::Limits;
///
/// let limits = Limits { batch_entries_max: 100, receive_max: 100, ..Limits::aws() };
/// assert_eq!(limits.batch_bytes_max, 1024 * 1024);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// The longest queue name, in characters.
    pub queue_name_chars_max: usize,
    /// The most tags on a queue.
    pub tags_max: usize,
    /// The least that a queue's maximum message size can be set to, in bytes.
    pub message_bytes_min: usize,
    /// The most that a queue's maximum message size can be set to, in bytes, and the default of new queues.
    pub message_bytes_max: usize,
    /// What a body may consist of.
    pub body: BodyRule,
    /// The most attributes on a message.
    pub attributes_max: usize,
    /// The longest attribute name, in characters.
    pub attribute_name_chars_max: usize,
    /// The longest attribute type, in bytes.
    pub attribute_type_bytes_max: usize,
    /// The most entries in a batch.
    pub batch_entries_max: usize,
    /// The most bytes in a batch of sends, bodies and attributes together, whatever the queue's own maximum.
    pub batch_bytes_max: usize,
    /// The most messages that one receive returns.
    pub receive_max: usize,
    /// The longest wait of a receive.
    pub wait_max: Duration,
    /// The longest visibility timeout, and the longest time that a message can stay invisible after one receive.
    pub visibility_timeout_max: Duration,
    /// The longest delay of a message.
    pub delay_max: Duration,
    /// The shortest retention.
    pub retention_min: Duration,
    /// The longest retention.
    pub retention_max: Duration,
    /// The most messages of a queue in flight at once.
    pub in_flight_max: usize,
    /// The most move tasks that run at once, in the whole broker.
    pub move_tasks_max: usize,
    /// What topics refuse.
    pub topics: TopicLimits,
    /// What streams refuse, and how much traffic throttled ones take.
    pub streams: StreamLimits,
    /// What transactions refuse.
    pub transactions: TransactionLimits,
    /// How long a name is taken after its queue was deleted. SQS: 60 seconds.
    pub recreate_wait: Duration,
    /// How long after a purge another one is refused. SQS: 60 seconds.
    pub purge_wait: Duration,
}

const MIB: usize = 1024 * 1024;

impl Limits {
    /// The limits of SQS as of November 2026, without its waits of 60 seconds, which protect a distributed service.
    pub const fn aws() -> Self {
        Self {
            queue_name_chars_max: 80,
            tags_max: 50,
            message_bytes_min: 1024,
            message_bytes_max: MIB,
            body: BodyRule::SqsText,
            attributes_max: 10,
            attribute_name_chars_max: 256,
            attribute_type_bytes_max: 256,
            batch_entries_max: 10,
            batch_bytes_max: MIB,
            receive_max: 10,
            wait_max: Duration::from_secs(20),
            visibility_timeout_max: Duration::from_secs(43_200),
            delay_max: Duration::from_secs(900),
            retention_min: Duration::from_secs(60),
            retention_max: Duration::from_secs(1_209_600),
            in_flight_max: 120_000,
            move_tasks_max: 100,
            topics: TopicLimits::aws(),
            streams: StreamLimits::aws(),
            transactions: TransactionLimits::standard(),
            recreate_wait: Duration::ZERO,
            purge_wait: Duration::ZERO,
        }
    }

    /// The limits of SQS, its waits of 60 seconds after a deletion and between purges included.
    pub const fn aws_with_waits() -> Self {
        Self { recreate_wait: Duration::from_secs(60), purge_wait: Duration::from_secs(60), ..Self::aws() }
    }

    /// As little refused as the engine allows: any body, messages of up to 64 MiB, a hundred years of everything.
    pub const fn unlimited() -> Self {
        const LONG: Duration = Duration::from_secs(100 * 365 * 86_400);
        Self {
            queue_name_chars_max: 80,
            tags_max: 10_000,
            message_bytes_min: 1,
            message_bytes_max: 64 * MIB,
            body: BodyRule::AnyBytes,
            attributes_max: 1_000,
            attribute_name_chars_max: 256,
            attribute_type_bytes_max: 256,
            batch_entries_max: 10_000,
            batch_bytes_max: 256 * MIB,
            receive_max: 10_000,
            wait_max: LONG,
            visibility_timeout_max: LONG,
            delay_max: LONG,
            retention_min: Duration::from_millis(1),
            retention_max: LONG,
            in_flight_max: usize::MAX,
            move_tasks_max: 10_000,
            topics: TopicLimits::unlimited(),
            streams: StreamLimits::unlimited(),
            transactions: TransactionLimits::unlimited(),
            recreate_wait: Duration::ZERO,
            purge_wait: Duration::ZERO,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::aws()
    }
}

/// How much of a queue stays in memory besides what is in flight. The rest waits in storage, so that memory follows
/// work, not backlog. Small values cost reads, not correctness.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryBounds {
    /// Messages that were received and are visible again, beyond which half of them go back to storage. About 200
    /// bytes each.
    pub ready: usize,
    /// Delayed messages; further ones wait in an index by time. About 200 bytes each.
    pub delayed: usize,
    /// New messages kept at hand with their bodies, so that a queue that is keeping up never reads what it has just
    /// written.
    pub staged: usize,
    /// The bytes of those bodies; the one that crosses this is kept too.
    pub staged_bytes: usize,
    /// Messages with a group that wait in memory, without their bodies, while free groups are looked for behind them.
    /// Beyond these the queue is not searched (rule F36). About 150 bytes each.
    pub searched: usize,
}

impl Default for MemoryBounds {
    /// Room for a few thousand messages: one or two megabytes in the worst case.
    fn default() -> Self {
        Self { ready: 8_192, delayed: 10_000, staged: 256, staged_bytes: 256 * 1024, searched: 120_000 }
    }
}

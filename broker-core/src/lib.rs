//! Queues, topics and streams with the semantics of Amazon SQS, SNS and Kinesis, inside your process, over a storage trait.
//!
//! A [`Broker`] opens a store and keeps queues in it. A queue hands each message to one consumer at a time, keeps it
//! invisible while that consumer works, and hands it out again unless the consumer deletes it in time. The semantics are
//! implemented once, here; where the bytes go is up to a [`Storage`](storage::Storage): `broker-mem` keeps them in
//! memory, `broker-log` or `broker-sled` in a directory, and your own backend takes about a hundred lines.
//!
//! # An example of most of it
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
//! use std::time::Duration;
//!
//! use broker_core::{AttributeValue, Broker, Deleted, Entries, QueueExt, ReceiveOptions, SendMessage};
//! use broker_mem::MemStorage;
//!
//! let broker = Broker::open(MemStorage::new()).await?;
//! let orders = broker.queue("orders").visibility_timeout(Duration::from_secs(30)).await?;
//!
//! // One message, several in one commit, and one with an attribute that is not visible for another minute.
//! orders.send("socks").await?;
//! let batch: Entries<SendMessage> = ["shoes", "hats"].into_iter().map(SendMessage::from).collect();
//! orders.send_batch(batch).await?.all()?;
//! let later = SendMessage::new("gloves").attribute("source", AttributeValue::string("web"));
//! orders.send(later.delay(Duration::from_secs(60))).await?;
//!
//! // A delivery knows its queue: acknowledge it, or say when to try again.
//! let socks = orders.recv().await?;
//! socks.ack().await?;
//! let shoes = orders.recv().await?;
//! shoes.retry_in(Duration::from_secs(5)).await?;
//!
//! // The same by hand. A long poll returns as soon as there is something; the hats are there already.
//! let options = ReceiveOptions::up_to(10).wait_time(Duration::from_secs(20));
//! let hats = orders.receive(options.clone()).await?;
//! assert_eq!(orders.delete(hats[0].receipt).await?, Deleted::Gone);
//!
//! // The shoes come back after their five seconds, and the count says so.
//! let shoes = orders.receive(options).await?;
//! assert_eq!((shoes[0].text(), shoes[0].receive_count), (Ok("shoes"), 2));
//!
//! // Nobody deletes them, so after the visibility timeout they are visible once more.
//! let shoes = orders.recv().await?;
//! assert_eq!(shoes.receive_count, 3);
//! shoes.ack().await?;
//! assert_eq!(orders.counters().await?.delayed, 1);
//!
//! let gloves = orders.recv().await?;
//! assert_eq!(gloves.attributes.get("source").and_then(AttributeValue::text), Some("web"));
//! broker.close().await?;
//! # Ok::<(), broker_core::Error>(()) }).unwrap();
//! ```
//!
//! # The concepts
//!
//! - [`Broker`]: one open store with all its queues. [`Broker::builder`] sets [`Limits`], [`MemoryBounds`] and the
//!   [`Clock`]. Handles are cheap to clone and all are the same broker.
//! - [`LocalQueue`]: a handle of one queue, from [`Broker::queue`]. [`Queue`] is the trait for code that takes any queue,
//!   and what someone who implements one owes; [`QueueExt`] adds single messages, [`Delivery`] and a stream.
//! - [`SendMessage`] goes in, [`Message`] comes out, [`Entries`] and [`Outcomes`] are batches of either, with one result
//!   per entry. A [`Delivery`] is a message together with its queue.
//! - [`LocalTopic`]: a handle of one topic, from [`Broker::topic`]. [`PublishMessage`] goes in; queues get it raw or in an
//!   [`Envelope`], handlers get a [`Notification`].
//! - [`LocalStream`]: a handle of one stream, from [`Broker::stream`]. [`PutRecord`] goes in, [`Record`] comes out, at its
//!   [`RecordNumber`].
//! - [`ReceiptHandle`]: proof of one delivery. It survives restarts, and an older one than the newest cannot delete the
//!   message: that is an outcome ([`Deleted::Stale`]), not an error.
//! - [`Durability`](storage::Durability): what a send or delete has survived when it returns. `Synced`, a power cut, is
//!   the default; a queue can be set to less and a batch can say otherwise. A store keeps what its
//!   [`Profile`](storage::Profile) says and no more: in memory, everything goes with the process.
//! - [`Storage`](storage::Storage): two plain spaces of bytes. Twelve laws say what a backend owes.
//! - [`FilterPolicy`]: which messages a subscription wants, by their attributes or their body, in the language of SNS.
//! - [`Clock`]: where time comes from. The default follows `tokio::time`, so a test with `start_paused = true` runs on
//!   virtual time.
//!
//! # Guarantees
//!
//! | what | holds |
//! |---|---|
//! | a message whose send returned `Ok` is delivered until it is deleted, purged or expired | as far as the queue's durability and the store's profile reach |
//! | a message whose latest receipt was deleted with `Ok` never comes again | the same |
//! | delivery is *at least* once: a consumer that dies before its delete sees the message again | always |
//! | one consumer at a time has a message, for its visibility timeout | always |
//! | the receive count is stored before the message is handed out | a killed process does not undo it |
//! | a batch is committed whole: after a crash all accepted entries are there, or none | always |
//! | on a FIFO queue, no message is delivered before an older one of its group is deleted, moved to a dead-letter queue or expired | always |
//! | on a FIFO queue, a message whose deduplication id was accepted in the last five minutes is not enqueued | always, also after a restart |
//! | a published message is in all queues whose subscriptions wanted it, or in none | always |
//! | a dead letter is in its source queue or in the dead-letter queue, never in both, never in none | always |
//! | of a transaction, all has happened or nothing; it is rejected if a receipt, a lease or what it has read does not hold any more | always |
//! | on a standard queue, messages come in the order of sending, as far as nothing came back meanwhile | best effort, as with SQS; do not build on it |
//! | memory follows what is in flight, not what waits: see [`MemoryBounds`] | always |
//! | an idle broker runs no timer and uses no CPU | always |
//! | bad input is refused before anything changes | always |
//!
//! Messages **expire**: after four days unless [`QueueBuilder::retention`] says otherwise, as in SQS. What is durable is
//! not for ever.
//!
//! # Topics
//!
//! What is published to a [`LocalTopic`] reaches all its subscriptions whose [`FilterPolicy`] wants it: queues,
//! in one commit, and push subscribers. Those are handlers in this process, or whatever a [`Deliver`] reaches; their messages
//! wait in durable backlogs and are delivered with the retries of a [`DeliveryPolicy`].
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
//! use broker_core::{Broker, Endpoint, Notification, PublishMessage, AttributeValue};
//!
//! # let broker = Broker::open(broker_mem::MemStorage::new()).await?;
//! let topic = broker.topic("orders").await?;
//! let large = broker.queue("large").await?;
//! topic.subscribe(&large).raw_delivery(true).filter_body(r#"{"total": [{"numeric": [">=", 1000]}]}"#).await?;
//! let audit = topic.subscribe(Endpoint::handler("audit")).await?;
//! let attached = topic.attach(audit.id, |order: Notification| async move { println!("{}", order.text()) }).await?;
//!
//! topic.publish(PublishMessage::new(r#"{"total": 12}"#)).await?;
//! topic.publish(PublishMessage::new(r#"{"total": 1200}"#).attribute("source", AttributeValue::string("web"))).await?;
//! assert_eq!(large.counters().await?.visible, 1);
//! attached.stop().await;
//! # Ok::<(), broker_core::Error>(()) }).unwrap();
//! ```
//!
//! # Streams
//!
//! A [`LocalStream`] keeps its records until they expire, for any number of readers. Records of one partition key keep their order,
//! also when [shards](ShardInfo) are split and merged. A [`ShardReader`] reads one shard; workers of a consumer group share all of
//! them, and go on after a restart where they were ([`Consumer`], [`Processor`], or lease by lease [`GroupStream`]). A [`StreamQueue`]
//! makes a work queue of a stream.
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
//! use broker_core::{Broker, PutRecord, StartingPosition};
//!
//! # let broker = Broker::open(broker_mem::MemStorage::new()).await?;
//! let clicks = broker.stream("clicks").shards(4).await?;
//! let put = clicks.put(PutRecord::new("user-7", "buy")).await?;
//!
//! let mut billing = clicks.consumer("billing").start(StartingPosition::TrimHorizon).await?;
//! let click = billing.next().await?;
//! assert_eq!((click.shard(), click.number), (put.shard, put.number));
//! click.checkpoint().await?;
//! # Ok::<(), broker_core::Error>(()) }).unwrap();
//! ```
//!
//! # Transactions
//!
//! A [`Transaction`] acknowledges, sends, publishes, puts, moves checkpoints and changes user keys (in a [`Space`]) in one commit, so
//! that the effect of a message is exactly once, inside the broker.
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
//! use broker_core::Broker;
//!
//! # let broker = Broker::open(broker_mem::MemStorage::new()).await?;
//! let (orders, totals) = (broker.queue("orders").await?, broker.space("totals").await?);
//! orders.send("socks").await?;
//! let order = orders.receive(Default::default()).await?.remove(0);
//! broker.transact(async |mut tx| {
//!     let shipped = tx.get(&totals, "shipped").await?.map_or(0, |value| value[0]);
//!     tx.put(&totals, "shipped", vec![shipped + 1])?;
//!     tx.ack(&orders, order.receipt)?;
//!     tx.commit().await
//! }).await?;
//! # Ok::<(), broker_core::Error>(()) }).unwrap();
//! ```
//!
//! # Seeing inside
//!
//! A queue says what it is doing, in data that print as words. Nothing of this leases, counts or moves a message:
//! [`LocalQueue::stats`] and [`LocalQueue::watch`] for the whole, [`LocalQueue::peek`] for the messages,
//! [`LocalQueue::explain`] for one of them, [`LocalQueue::why_empty`] for a receive that finds nothing, and
//! [`LocalQueue::duplicate_of`] for a send that enqueues nothing.
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
//! use broker_core::{Broker, EmptyReason, Explanation, PeekOptions, SendMessage};
//!
//! # let broker = Broker::open(broker_mem::MemStorage::new()).await?;
//! let orders = broker.queue("orders.fifo").fifo().dedup_by_content().await?;
//! for order in ["socks", "shoes"] {
//!     orders.send(SendMessage::new(order).group_id("customer-7")).await?;
//! }
//! let socks = orders.receive(Default::default()).await?.remove(0);
//!
//! // The shoes are visible, and yet a receive finds nothing.
//! let why = orders.why_empty().await?;
//! assert!(matches!(&why.reason, EmptyReason::Blocked { behind, .. } if *behind == socks.id));
//! println!("{why}"); // every visible message waits for an earlier one of its group, as group "customer-7" does for …
//!
//! for order in orders.peek(PeekOptions::up_to(10)).await? {
//!     println!("{}: {}", order.id, order.state); // …: in flight until … (delivery 1), …: blocked behind message …
//! }
//! orders.delete(socks.receipt).await?;
//! assert!(matches!(orders.explain(socks.id).await?, Explanation::Deleted { .. }));
//! assert_eq!(orders.stats().await?.counters.visible, 1);
//! # Ok::<(), broker_core::Error>(()) }).unwrap();
//! ```
//!
//! # When a future is dropped
//!
//! Every future may be dropped at any await, and every method says what that means. In short: a `receive` gives back what
//! it had leased, visible at once and with its count as before. Any other call has happened or not, and later calls agree
//! on which: what was submitted is committed even if nobody waits for it.
//!
//! # When a call fails
//!
//! [`Error::certainty`] sorts every [`Error`] into one of three:
//!
//! - [`Rejected`](Certainty::Rejected): nothing happened. Each variant says what to correct.
//! - [`Indeterminate`](Certainty::Indeterminate): the commit failed, so it may have happened or not. The broker has
//!   stopped and answers [`Error::Poisoned`] from now on: drop it, mend the cause, open the store again.
//! - [`Corrupt`](Certainty::Corrupt): stored bytes are not what was written; the message names the place.
//!
//! # It is not
//!
//! - a server or a cluster: no port, no protocol, one process has a store open, and what is on a lost disk is lost;
//! - exactly-once delivery: what a consumer does outside of a transaction must bear being done twice.
//!
//! # Features, none of them on by default
//! - `conformance`: the module `storage::conformance`, a named test for each law of the storage trait, for whoever writes a backend.
//! - `faults`: the module `storage::faults`, decorators that make any backend crash, fail or be slow on purpose.

mod broker;
mod catalog;
mod clock;
mod codec;
mod engine;
mod error;
pub mod filter;
mod ids;
mod keys;
mod limits;
mod pipeline;
mod queue;
mod reclaim;
mod seeded;
mod space;
pub mod storage;
mod stream;
mod sync;
mod topic;
mod transaction;

pub use broker::{
    Broker, BrokerBuilder, Flushed, MoveFilter, MovePlan, MoveTask, MoveTaskHandle, MoveTaskInfo,
    MoveTaskStatus, ParseMoveTaskHandleError, QueueBuilder, StreamBuilder, TopicBuilder,
};
pub use clock::{Clock, ManualClock, Sleep, Timestamp, TokioClock};
pub use error::{Certainty, Error, Result};
pub use filter::{FilterPolicy, FilterPolicyError, FilterScope};
pub use ids::{MessageId, ParseMessageIdError, ParseReceiptError, ReceiptHandle, SequenceNumber};
pub use limits::{BodyRule, Limits, MemoryBounds};
pub use queue::{
    Delivery, LocalQueue, Messages, Queue, QueueExt,
    attributes::{AttributeValue, MessageAttributes},
    entries::{Entries, EntryId, Outcomes},
    inspect::{DuplicateOf, EmptyReason, Explanation, PeekOptions, Peeked, QueueStats, WhyEmpty},
    message::{Message, SendMessage, Sent},
    observe::{Happened, Observer, QueueEvent},
    options::{
        ChangeVisibility, DeadLettered, Deleted, FifoAttributes, QueueAttributes, QueueCounters,
        ReceiveOptions, VisibilityChanged,
    },
    redrive::{DeadLetter, RedriveAllowPolicy, RedrivePolicy},
    settings::{DeduplicationScope, FifoThroughputLimit, QueueSettings},
};
pub use space::{KEY_BYTES_MAX, KeyPage, Space, SpaceStats, VALUE_BYTES_MAX};
pub use stream::{
    LocalStream, Stream, StreamLimits,
    attributes::StreamAttributes,
    group::{
        Checkpoint, Checkpointer, Consumed, Consumer, ConsumerBuilder, GroupInfo, GroupMember, GroupStream,
        LeaseChange, LeaseInfo, Processor, ProcessorFactory, ShardLease,
    },
    hash::HashKeyRange,
    number::{ParsePositionError, RecordNumber, ShardIterator},
    queue::{DeadLetterTarget, StreamMessage, StreamQueue, StreamQueueCounters, StreamQueueSettings},
    record::{PutOutcome, PutRecord, Record, Records, StartingPosition},
    settings::{RecordDistribution, StreamMode, StreamSettings},
    shard::{ParseShardIdError, ShardFilter, ShardId, ShardInfo, ShardTraffic},
    shell::ShardReader,
};
pub use topic::{
    LocalTopic, Topic, TopicLimits,
    attributes::TopicAttributes,
    envelope::{Envelope, Signature},
    message::{PublishMessage, Published},
    notification::Notification,
    replay::{Replay, ReplayInfo, ReplayStatus},
    retry::{BackoffFunction, DeliveryPolicy, RetryPolicy},
    settings::{ArchivePolicy, FifoThroughputScope, TopicSettings},
    shell::{Attached, Deliver, DeliveryOutcome, Recipient, SubscribeBuilder},
    subscription::{
        DeliveryOrder, Endpoint, Subscribed, SubscriptionCounters, SubscriptionId, SubscriptionInfo,
        SubscriptionSettings,
    },
};
pub use transaction::{
    Committed, OperationKind, Outcome, Reason, Rejection, Transaction, TransactionLimits, TransactionalQueue,
};

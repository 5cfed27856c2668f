//! A message broker that a program links instead of running a server. See [`Broker`].

mod broker;
mod catalog;
mod clock;
mod codec;
mod engine;
mod error;
mod ids;
mod keys;
mod limits;
mod pipeline;
mod queue;
mod reclaim;
pub mod storage;

pub use broker::{Broker, BrokerBuilder, Flushed, QueueBuilder};
pub use clock::{Clock, ManualClock, Sleep, Timestamp, TokioClock};
pub use error::{Certainty, Error, Result};
pub use ids::{MessageId, ParseReceiptError, ReceiptHandle};
pub use limits::{BodyRule, Limits, MemoryBounds};
pub use queue::{
    Delivery, LocalQueue, Messages, Queue, QueueExt,
    attributes::{AttributeValue, MessageAttributes},
    entries::{Entries, EntryId, Outcomes},
    message::{Message, SendMessage, Sent},
    options::{ChangeVisibility, Deleted, QueueAttributes, QueueCounters, ReceiveOptions, VisibilityChanged},
    settings::QueueSettings,
};

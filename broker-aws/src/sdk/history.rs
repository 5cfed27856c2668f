//! What has happened to the messages of a queue: the events, put together message by message.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use broker_core::{Happened, MessageAttributes, MessageId, Observer, QueueEvent, SequenceNumber, Timestamp};
use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::watch;

/// A message, and all that has happened to it in one queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Life {
    /// The message's id.
    pub id: MessageId,
    /// The body.
    pub body: Bytes,
    /// The attributes.
    pub attributes: MessageAttributes,
    /// The message group, if one was given.
    pub group_id: Option<String>,
    /// When it came into the queue.
    pub sent_at: Timestamp,
    /// When a receive returned it: one time for each.
    pub received_at: Vec<Timestamp>,
    /// The queue that it came from as a dead letter.
    pub dead_letter_of: Option<String>,
    /// How it ended, if it did, and when.
    pub end: Option<(End, Timestamp)>,
}

/// How a message left a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum End {
    /// It was deleted.
    Deleted,
    /// Its retention ended.
    Expired,
    /// The queue was purged.
    Purged,
    /// It was moved to this queue: a dead letter, or by a move task.
    Moved(String),
}

impl Life {
    /// The body as text; what is no text is shown as such.
    pub fn text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }

    /// Whether it was deleted: the work is done.
    pub fn was_deleted(&self) -> bool {
        matches!(self.end, Some((End::Deleted, _)))
    }

    /// Whether it was moved to another queue.
    pub fn was_moved(&self) -> bool {
        matches!(self.end, Some((End::Moved(_), _)))
    }
}

/// The lives of the messages of all queues. Grows with every message: it is for tests.
#[derive(Clone)]
pub(super) struct History {
    queues: Arc<Mutex<HashMap<String, BTreeMap<SequenceNumber, Life>>>>,
    changes: Arc<watch::Sender<()>>,
}

impl History {
    pub(super) fn new() -> Self {
        Self { queues: Arc::default(), changes: Arc::new(watch::Sender::new(())) }
    }

    /// The lives of the messages of a queue, in the order in which they came.
    pub(super) fn lives(&self, queue: &str) -> Vec<Life> {
        let queues = self.queues.lock();
        queues.get(queue).map(|lives| lives.values().cloned().collect()).unwrap_or_default()
    }

    /// Wakes whenever something has happened.
    pub(super) fn changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }

    fn add(&self, event: QueueEvent) {
        let QueueEvent { queue, sequence_number, at, what } = event;
        let mut queues = self.queues.lock();
        let lives = queues.entry(queue).or_default();
        let mut end = |end| {
            if let Some(life) = lives.get_mut(&sequence_number) {
                life.end.get_or_insert((end, at));
            }
        };
        match what {
            Happened::Arrived { id, body, attributes, group_id, dead_letter_of } => {
                let received_at = Vec::new();
                let life = Life {
                    id,
                    body,
                    attributes,
                    group_id,
                    sent_at: at,
                    received_at,
                    dead_letter_of,
                    end: None,
                };
                lives.insert(sequence_number, life);
            }
            Happened::Received { .. } => {
                if let Some(life) = lives.get_mut(&sequence_number) {
                    life.received_at.push(at);
                }
            }
            Happened::Deleted => end(End::Deleted),
            Happened::Expired => end(End::Expired),
            Happened::Moved { queue, .. } => end(End::Moved(queue)),
            Happened::Purged => {
                for life in lives.range_mut(..sequence_number).map(|(_, life)| life) {
                    life.end.get_or_insert((End::Purged, at));
                }
            }
            _ => {}
        }
    }
}

impl Observer for History {
    fn happened(&self, event: QueueEvent) {
        self.add(event);
        self.changes.send_replace(());
    }
}

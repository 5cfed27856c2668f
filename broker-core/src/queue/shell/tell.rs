//! Telling the observer what has happened.

use super::QueueCell;
use crate::{
    clock::Timestamp,
    ids::{MessageId, SequenceNumber},
    queue::{
        message::Message,
        observe::{Happened, Observer, QueueEvent},
        row::RowContent,
        state::Noted,
    },
};

impl QueueCell {
    /// Tells what was noted in a step.
    pub(super) fn tell_noted(&self, observer: &dyn Observer, noted: Vec<(u64, Noted)>, now: u64) {
        for (seq, noted) in noted {
            if let Some(what) = self.happened(seq, noted) {
                self.tell(observer, seq, now, what);
            }
        }
    }

    /// Tells that a receive returns these messages.
    pub(super) fn tell_received(&self, messages: &[Message]) {
        let Some(observer) = &self.engine.observer else { return };
        let now = self.engine.timeline.now();
        // Under the lock, so that events come one by one.
        let _inner = self.inner.lock();
        for message in messages {
            if let Some((seq, delivery)) = message.receipt.open(self.engine.seed, self.id) {
                self.tell(&**observer, seq, now, Happened::Received { delivery });
            }
        }
    }

    fn tell(&self, observer: &dyn Observer, seq: u64, now: u64, what: Happened) {
        observer.happened(QueueEvent {
            queue: self.name.clone(),
            sequence_number: SequenceNumber::new(seq),
            at: Timestamp::from_millis(now),
            what,
        });
    }

    /// `None` for a row that cannot be read, which was written a moment ago.
    fn happened(&self, seq: u64, noted: Noted) -> Option<Happened> {
        Some(match noted {
            Noted::Arrived(row) => {
                let content = RowContent::read(&row).ok()?;
                let origin = content.origin;
                Happened::Arrived {
                    id: origin
                        .as_ref()
                        .map_or_else(|| MessageId::new(self.engine.seed, self.id, seq), |origin| origin.id),
                    body: content.body,
                    attributes: content.attributes,
                    group_id: content.group_id,
                    dead_letter_of: origin.map(|origin| origin.why.source),
                }
            }
            Noted::Deleted => Happened::Deleted,
            Noted::Expired => Happened::Expired,
            Noted::Moved { queue, receives } => Happened::Moved { queue, receives },
            Noted::Purged => Happened::Purged,
        })
    }
}

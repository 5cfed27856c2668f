//! Receives that are asked for again with the id of their attempt, and return the same messages (rule F39).

use broker_core::{Message, MessageId, ReceiptHandle};

use super::{driver::Run, line::Item, pair::Side};
use crate::driver::Ground;

/// How long an attempt can be repeated.
const ATTEMPT_MS: u64 = 300_000;

/// A receive that can be repeated while its messages are in flight as they were, in the life of the broker.
pub(super) struct Attempt {
    side: Side,
    id: u8,
    made_at: u64,
    visible_at: u64,
    messages: Vec<(MessageId, u32, ReceiptHandle)>,
}

impl<G: Ground> Run<G> {
    /// Whether a receive must be a repetition. If so, checks what it returned and starts the timeout again.
    pub(super) fn is_repeat(
        &mut self,
        side: Side,
        id: Option<u8>,
        timeout_s: Option<u64>,
        got: &[Message],
    ) -> bool {
        let now = self.now();
        let line = self.model.line(side);
        line.expire(now);
        let of = |attempt: &&mut Attempt| attempt.side == side && Some(attempt.id) == id;
        let Some(attempt) = self.attempts.iter_mut().find(of) else { return false };
        let as_it_was = |(id, count, _): &(MessageId, u32, ReceiptHandle)| {
            let same = |item: &Item| item.count == *count && item.visible_at == attempt.visible_at;
            line.items.iter().any(|item| item.id == *id && same(item))
        };
        let fresh = now < attempt.made_at + ATTEMPT_MS && now < attempt.visible_at;
        if !fresh || !attempt.messages.iter().all(as_it_was) {
            return false;
        }
        let again = |message: &Message| (message.id, message.receive_count, message.receipt);
        assert_eq!(got.iter().map(again).collect::<Vec<_>>(), attempt.messages, "a repeated attempt");
        attempt.visible_at = now + timeout_s.map_or(line.visibility_ms, |s| s * 1_000);
        for item in &mut line.items {
            if attempt.messages.iter().any(|(id, ..)| *id == item.id) {
                item.visible_at = attempt.visible_at;
            }
        }
        true
    }

    /// Remembers a receive that has found something.
    pub(super) fn note_attempt(
        &mut self,
        side: Side,
        id: Option<u8>,
        timeout_s: Option<u64>,
        got: &[Message],
    ) {
        let now = self.now();
        let visible_at = now + timeout_s.map_or(self.model.line(side).visibility_ms, |s| s * 1_000);
        let Some(id) = id.filter(|_| !got.is_empty()) else { return };
        self.attempts.retain(|attempt| (attempt.side, attempt.id) != (side, id));
        self.attempts.push(Attempt {
            side,
            id,
            made_at: now,
            visible_at,
            messages: got.iter().map(|got| (got.id, got.receive_count, got.receipt)).collect(),
        });
    }
}

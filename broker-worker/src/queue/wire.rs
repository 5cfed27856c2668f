//! How many bytes a batch has as the event that Lambda would get (rule L31).

use std::io;

use broker_core::Message;

use super::settings::BATCH_BYTES_MAX;
use crate::event::{Source, sqs::SqsRecord};

/// What an event has around its records, `{"Records":[]}`, less the comma that the last record does not have.
const ENVELOPE_BYTES: usize = 13;
/// What a record has at most beside what is counted: names, ids, ARN, times, digests.
const RECORD_BYTES_MAX: usize = 2_048;
/// The same for an attribute.
const ATTRIBUTE_BYTES_MAX: usize = 128;
/// The most bytes that JSON makes of one.
const ESCAPED_BYTES_MAX: usize = 6;

/// The bytes of a batch: estimated from above, and counted once that is too much.
#[derive(Debug)]
pub(super) struct WireBytes {
    most: usize,
    exactly: Option<usize>,
}

impl Default for WireBytes {
    fn default() -> Self {
        Self { most: ENVELOPE_BYTES, exactly: None }
    }
}

impl WireBytes {
    /// Adds a message to those that are in the batch. Returns whether it fits; the first one always does.
    pub(super) fn add<'m>(
        &mut self,
        message: &Message,
        mut before: impl Iterator<Item = &'m Message>,
        queue: &str,
    ) -> bool {
        let most = self.most.saturating_add(most(message));
        if self.exactly.is_none() && most <= BATCH_BYTES_MAX {
            self.most = most;
            return true;
        }
        let counted = |message: &Message| exactly(message, queue);
        let (mut so_far, mut is_first) = (self.exactly.unwrap_or(ENVELOPE_BYTES), true);
        if self.exactly.is_none() {
            for before in before {
                (so_far, is_first) = (so_far.saturating_add(counted(before)), false);
            }
        } else {
            is_first = before.next().is_none();
        }
        let with = so_far.saturating_add(counted(message));
        let fits = is_first || with <= BATCH_BYTES_MAX;
        self.exactly = Some(if fits { with } else { so_far });
        fits
    }
}

fn most(message: &Message) -> usize {
    let attribute = |(name, value): (&str, &broker_core::AttributeValue)| {
        ATTRIBUTE_BYTES_MAX + ESCAPED_BYTES_MAX * (name.len() + value.data_type().len() + value.bytes().len())
    };
    let attributes: usize = message.attributes.iter().map(attribute).sum();
    RECORD_BYTES_MAX + attributes + ESCAPED_BYTES_MAX * message.body.len()
}

/// The record as JSON, and a comma.
fn exactly(message: &Message, queue: &str) -> usize {
    let mut count = Count(1);
    let record = SqsRecord::new(message, queue, &Source::default());
    serde_json::to_writer(&mut count, &record).expect("a count takes everything");
    count.0
}

struct Count(usize);

impl io::Write for Count {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

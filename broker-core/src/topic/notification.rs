//! What subscribers are told, and how that is stored while it waits for them: in the backlog of a push subscriber, and in
//! the archive of a topic.
//!
//! A stored notification is a row like that of any message; its body begins with what only notifications have:
//!
//! | bytes | field |
//! |---|---|
//! | 1 | flags: which of the fields below are there, whether it is replayed |
//! | 16 | message id |
//! | 8 | published at |
//! | 8 | sequence, if the topic is FIFO |
//! | … | subject, message group, if there are any |
//! | rest | the message |

use bytes::Bytes;

use crate::{
    clock::Timestamp,
    codec::{Malformed, Reader, write_bytes, write_u64},
    ids::{MessageId, SequenceNumber},
    queue::{
        attributes::MessageAttributes,
        message::SendMessage,
        row::{RowContent, UnstampedRow},
    },
};

/// A published message, as its subscribers are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// The id of the published message, the same for all subscribers and for each attempt.
    pub id: MessageId,
    /// The topic's name.
    pub topic: String,
    /// On a FIFO topic, the message's place in the order.
    pub sequence_number: Option<SequenceNumber>,
    /// The subject, if one was given.
    pub subject: Option<String>,
    /// The message: UTF-8 text.
    pub body: Bytes,
    /// Its attributes.
    pub attributes: MessageAttributes,
    /// The message group, if one was given.
    pub group_id: Option<String>,
    /// On a FIFO topic, the deduplication id, given or computed.
    pub deduplication_id: Option<String>,
    /// When it was published.
    pub published_at: Timestamp,
    /// Whether it comes from the topic's archive.
    pub replayed: bool,
    /// Which attempt to deliver it this is, counted from 1.
    pub attempt: u32,
}

const HAS_SEQUENCE: u8 = 1;
const HAS_SUBJECT: u8 = 2;
const REPLAYED: u8 = 4;
const HAS_GROUP: u8 = 8;

impl Notification {
    /// The message as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap_or_default()
    }

    /// The message read as JSON.
    pub fn json<T: serde::de::DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(&self.body)
    }

    /// The row in which it waits. What waits in order is of one message group of its queue, whatever its own is.
    pub(crate) fn to_row(&self, waits_in: Option<&str>) -> UnstampedRow {
        let texts =
            [&self.subject, &self.group_id].map(|text| text.as_ref().map_or(0, |text| 4 + text.len()));
        let mut body = Vec::with_capacity(40 + texts.iter().sum::<usize>() + self.body.len());
        let flag = |flag: u8, set: bool| if set { flag } else { 0 };
        body.push(
            flag(HAS_SEQUENCE, self.sequence_number.is_some())
                | flag(HAS_SUBJECT, self.subject.is_some())
                | flag(REPLAYED, self.replayed)
                | flag(HAS_GROUP, self.group_id.is_some()),
        );
        body.extend_from_slice(&self.id.as_u128().to_le_bytes());
        write_u64(&mut body, self.published_at.as_millis());
        if let Some(number) = self.sequence_number {
            write_u64(&mut body, number.seq());
        }
        for text in [&self.subject, &self.group_id].into_iter().flatten() {
            write_bytes(&mut body, text.as_bytes());
        }
        body.extend_from_slice(&self.body);
        let message = SendMessage {
            body: body.into(),
            attributes: self.attributes.clone(),
            group_id: waits_in.map(ToOwned::to_owned),
            deduplication_id: self.deduplication_id.clone(),
            ..SendMessage::default()
        };
        UnstampedRow::new(&message, None)
    }

    /// What a row of this topic holds.
    pub(crate) fn from_row(topic: &str, row: &Bytes) -> Result<Self, Malformed> {
        let RowContent { deduplication_id, attributes, body, .. } = RowContent::read(row)?;
        Stored { deduplication_id, attributes, body }.notification(topic)
    }
}

/// The parts of a row or of a received message that a notification is made of.
pub(crate) struct Stored {
    pub(crate) deduplication_id: Option<String>,
    pub(crate) attributes: MessageAttributes,
    pub(crate) body: Bytes,
}

impl Stored {
    pub(crate) fn notification(self, topic: &str) -> Result<Notification, Malformed> {
        let Self { deduplication_id, attributes, body } = self;
        let mut reader = Reader::new(&body);
        let flags = reader.u8()?;
        if flags & !(HAS_SEQUENCE | HAS_SUBJECT | REPLAYED | HAS_GROUP) != 0 {
            return Err(Malformed("a notification with fields that this build does not know"));
        }
        let id = MessageId::from_bits(u128::from(reader.u64()?) | u128::from(reader.u64()?) << 64);
        let published_at = reader.u64()?;
        let sequence = if flags & HAS_SEQUENCE != 0 { Some(reader.u64()?) } else { None };
        let mut text = |flag: u8| match flags & flag {
            0 => Ok(None),
            _ => reader.str().map(|text| Some(text.to_owned())),
        };
        let (subject, group_id) = (text(HAS_SUBJECT)?, text(HAS_GROUP)?);
        Ok(Notification {
            id,
            topic: topic.to_owned(),
            sequence_number: sequence.map(SequenceNumber::new),
            subject,
            body: reader.rest(),
            attributes,
            group_id,
            deduplication_id,
            published_at: Timestamp::from_millis(published_at),
            replayed: flags & REPLAYED != 0,
            attempt: 1,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::queue::{attributes::AttributeValue, row::RowHead};

    proptest! {
        #[test]
        fn a_notification_survives_its_row(
            id: u128, seq in proptest::option::of(0..1u64 << 60), subject in proptest::option::of(".{1,20}"),
            body in ".{1,200}", group_id in proptest::option::of("[a-z]{1,9}"), at: u64, replayed: bool,
        ) {
            let attributes = [("a", AttributeValue::string("b"))].into_iter().collect();
            let notification = Notification {
                id: MessageId::from_bits(id),
                topic: "news".into(),
                sequence_number: seq.map(SequenceNumber::new),
                subject,
                body: body.into(),
                attributes,
                group_id: group_id.clone(),
                deduplication_id: group_id,
                published_at: Timestamp::from_millis(at),
                replayed,
                attempt: 1,
            };
            let row = notification.to_row(Some("all")).stamp(RowHead::sent(at, 0));
            prop_assert_eq!(Notification::from_row("news", &row), Ok(notification));
        }

        #[test]
        fn no_bytes_make_the_reader_of_notifications_panic(body: Vec<u8>) {
            let attributes = MessageAttributes::new();
            let stored = Stored { deduplication_id: None, attributes, body: body.into() };
            let _ = stored.notification("news");
        }
    }
}

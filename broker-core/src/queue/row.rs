//! The stored form of a message: a fixed head that the queue's state reads, and a body that it never looks at.
//!
//! | bytes | field |
//! |---|---|
//! | 1 | version |
//! | 1 | flags: which optional fields follow |
//! | 8 | sent at |
//! | 8 | queued at: later than sent at if the message was moved here |
//! | 8 | visible from: later than queued at if the message was delayed |
//! | … | group id, trace header, deduplication id, attributes, origin, each if its flag is set |
//! | rest | body |

use bytes::{Buf, Bytes};

use super::{
    attributes::{AttributeValue, MessageAttributes},
    message::SendMessage,
    redrive::{DeadLetter, Origin},
};
use crate::{
    clock::Timestamp,
    codec::{Malformed, Reader, write_bytes, write_u32, write_u64},
    ids::MessageId,
};

const VERSION: u8 = 1;
const HEAD_BYTES: usize = 26;
/// What is before each text.
const LENGTH_BYTES: usize = 4;

const HAS_TRACE_HEADER: u8 = 1;
const HAS_GROUP_ID: u8 = 2;
const HAS_ATTRIBUTES: u8 = 4;
const HAS_DEDUPLICATION_ID: u8 = 8;
const HAS_ORIGIN: u8 = 16;
const OF_TOPIC: u8 = 32;
const ALL_FLAGS: u8 =
    HAS_TRACE_HEADER | HAS_GROUP_ID | HAS_ATTRIBUTES | HAS_DEDUPLICATION_ID | HAS_ORIGIN | OF_TOPIC;

/// What a move can add to a row: ids, times and a count, the name of the source, the reason.
pub(crate) const ORIGIN_BYTES_MAX: usize = 4096;

const VALUE_TEXT: u8 = 1;
const VALUE_BINARY: u8 = 2;

/// The times in the head of a row, in milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RowHead {
    pub(crate) sent_at: u64,
    pub(crate) queued_at: u64,
    pub(crate) visible_from: u64,
}

impl RowHead {
    /// A message sent now, and visible after the delay.
    pub(crate) fn sent(now: u64, delay_ms: u64) -> Self {
        Self { sent_at: now, queued_at: now, visible_from: now.saturating_add(delay_ms) }
    }

    pub(crate) fn read(row: &[u8]) -> Result<Self, Malformed> {
        let head = row.first_chunk::<HEAD_BYTES>().ok_or(Malformed("the row ends inside its head"))?;
        if head[0] != VERSION {
            return Err(Malformed("the row has a version that this build does not know"));
        }
        let number = |at: usize| {
            u64::from_le_bytes(head[at..at + 8].try_into().expect("eight bytes of the fixed head"))
        };
        Ok(Self { sent_at: number(2), queued_at: number(10), visible_from: number(18) })
    }
}

/// The group of a row, which is its first field.
pub(crate) fn group_in(row: &Bytes) -> Result<Option<&str>, Malformed> {
    if row.get(1).is_none_or(|flags| flags & HAS_GROUP_ID == 0) {
        return Ok(None);
    }
    Reader::behind(row, HEAD_BYTES).str().map(Some)
}

/// The group and the body of a row that has nothing else, as that of a stream's record. The body takes over the row's memory:
/// counting one more user of it, and one less, would be a good part of what a reader of streams does.
pub(crate) fn group_and_body(mut row: Bytes) -> Result<(String, Bytes), Malformed> {
    if row.get(1) != Some(&HAS_GROUP_ID) {
        return Err(Malformed("the row is not that of a record"));
    }
    let group = Reader::behind(&row, HEAD_BYTES).str()?.to_owned();
    row.advance(HEAD_BYTES + LENGTH_BYTES + group.len());
    Ok((group, row))
}

/// Where a row was moved from, if it was.
pub(crate) fn origin_in(row: &Bytes) -> Result<Option<Origin>, Malformed> {
    if row.get(1).is_none_or(|flags| flags & HAS_ORIGIN == 0) {
        return Ok(None);
    }
    RowContent::read(row).map(|content| content.origin)
}

/// A row whose times are not filled in yet: made outside the queue's lock, stamped inside.
pub(crate) struct UnstampedRow(Vec<u8>);

impl UnstampedRow {
    /// Encodes a message that has passed the checks. A moved one has an origin.
    pub(crate) fn new(message: &SendMessage, origin: Option<&Origin>) -> Self {
        let SendMessage { group_id, trace_header, deduplication_id, attributes, body, .. } = message;
        Self::of(&RowParts {
            group_id: group_id.as_deref(),
            trace_header: trace_header.as_deref(),
            deduplication_id: deduplication_id.as_deref(),
            attributes,
            origin,
            body,
        })
    }

    /// Encodes the parts of a message.
    pub(crate) fn of(message: &RowParts<'_>) -> Self {
        let mut out = Vec::with_capacity(message.encoded_bytes());
        out.extend_from_slice(&[0; HEAD_BYTES]);
        out[0] = VERSION;
        let texts = [
            (HAS_GROUP_ID, message.group_id),
            (HAS_TRACE_HEADER, message.trace_header),
            (HAS_DEDUPLICATION_ID, message.deduplication_id),
        ];
        for (flag, text) in texts {
            if let Some(text) = text {
                out[1] |= flag;
                write_bytes(&mut out, text.as_bytes());
            }
        }
        if !message.attributes.is_empty() {
            out[1] |= HAS_ATTRIBUTES;
            write_attributes(&mut out, message.attributes);
        }
        if let Some(origin) = message.origin {
            out[1] |= if origin.of_topic { HAS_ORIGIN | OF_TOPIC } else { HAS_ORIGIN };
            write_origin(&mut out, origin);
        }
        out.extend_from_slice(message.body);
        Self(out)
    }

    /// The row of a message that was stored elsewhere, to be given other times.
    pub(crate) fn again(row: &Bytes) -> Self {
        Self(row.to_vec())
    }

    /// How many bytes the store is given.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn stamp(mut self, head: RowHead) -> Bytes {
        self.0[2..10].copy_from_slice(&head.sent_at.to_le_bytes());
        self.0[10..18].copy_from_slice(&head.queued_at.to_le_bytes());
        self.0[18..26].copy_from_slice(&head.visible_from.to_le_bytes());
        Bytes::from(self.0)
    }
}

/// What a row is made of.
pub(crate) struct RowParts<'m> {
    pub(crate) group_id: Option<&'m str>,
    pub(crate) trace_header: Option<&'m str>,
    pub(crate) deduplication_id: Option<&'m str>,
    pub(crate) attributes: &'m MessageAttributes,
    pub(crate) origin: Option<&'m Origin>,
    pub(crate) body: &'m [u8],
}

impl RowParts<'_> {
    /// What limits count: body and attributes.
    pub(crate) fn size_bytes(&self) -> usize {
        let attributes: usize = self.attributes.iter().map(|(name, value)| value.size_bytes(name)).sum();
        self.body.len() + attributes
    }

    fn encoded_bytes(&self) -> usize {
        let texts = [self.group_id, self.trace_header, self.deduplication_id];
        let texts: usize = texts.into_iter().flatten().map(|text| 4 + text.len()).sum();
        let attributes: usize = self.attributes.iter().map(|(name, value)| 13 + value.size_bytes(name)).sum();
        HEAD_BYTES + texts + 4 + attributes + self.body.len()
    }
}

fn write_origin(out: &mut Vec<u8>, origin: &Origin) {
    let Origin { id, why, .. } = origin;
    out.extend_from_slice(&id.as_u128().to_le_bytes());
    write_bytes(out, why.source.as_bytes());
    write_u32(out, why.receive_count);
    for time in [why.first_received_at, why.last_received_at, why.moved_at] {
        write_u64(out, time.as_millis());
    }
    // A reason that is there is not empty.
    write_bytes(out, why.reason.as_deref().unwrap_or_default().as_bytes());
}

fn read_origin(reader: &mut Reader<'_>, of_topic: bool) -> Result<Origin, Malformed> {
    let id = MessageId::from_bits(u128::from(reader.u64()?) | u128::from(reader.u64()?) << 64);
    let (source, receive_count) = (reader.str()?.to_owned(), reader.u32()?);
    let mut time = || reader.u64().map(Timestamp::from_millis);
    let (first_received_at, last_received_at, moved_at) = (time()?, time()?, time()?);
    let reason = reader.str()?;
    let reason = (!reason.is_empty()).then(|| reason.to_owned());
    let why = DeadLetter { source, receive_count, first_received_at, last_received_at, moved_at, reason };
    Ok(Origin { id, of_topic, why: Box::new(why) })
}

fn write_attributes(out: &mut Vec<u8>, attributes: &MessageAttributes) {
    let count = u32::try_from(attributes.len()).expect("the attribute limit is far below 4 billion");
    write_u32(out, count);
    for (name, value) in attributes.iter() {
        write_bytes(out, name.as_bytes());
        write_bytes(out, value.data_type().as_bytes());
        out.push(if value.text().is_some() { VALUE_TEXT } else { VALUE_BINARY });
        write_bytes(out, value.bytes());
    }
}

/// What a row holds besides its head.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct RowContent {
    pub(crate) group_id: Option<String>,
    pub(crate) trace_header: Option<String>,
    pub(crate) deduplication_id: Option<String>,
    pub(crate) attributes: MessageAttributes,
    pub(crate) origin: Option<Origin>,
    pub(crate) body: Bytes,
}

impl RowContent {
    /// Decodes a row; the body shares its memory.
    pub(crate) fn read(row: &Bytes) -> Result<Self, Malformed> {
        RowHead::read(row)?;
        let flags = row[1];
        if flags & !ALL_FLAGS != 0 {
            return Err(Malformed("the row has a flag that this build does not know"));
        }
        let mut reader = Reader::behind(row, HEAD_BYTES);
        let mut text = |flag| match flags & flag {
            0 => Ok(None),
            _ => reader.str().map(|text| Some(text.to_owned())),
        };
        let group_id = text(HAS_GROUP_ID)?;
        let trace_header = text(HAS_TRACE_HEADER)?;
        let deduplication_id = text(HAS_DEDUPLICATION_ID)?;
        let attributes = match flags & HAS_ATTRIBUTES {
            0 => MessageAttributes::new(),
            _ => read_attributes(&mut reader)?,
        };
        let origin = if flags & HAS_ORIGIN == 0 {
            None
        } else {
            Some(read_origin(&mut reader, flags & OF_TOPIC != 0)?)
        };
        Ok(Self { group_id, trace_header, deduplication_id, attributes, origin, body: reader.rest() })
    }

    /// The message as it could be sent again, and where it had come from.
    pub(crate) fn into_message(self) -> (SendMessage, Option<Origin>) {
        let Self { group_id, trace_header, deduplication_id, attributes, origin, body } = self;
        let message = SendMessage { body, delay: None, attributes, group_id, deduplication_id, trace_header };
        (message, origin)
    }
}

fn read_attributes(reader: &mut Reader<'_>) -> Result<MessageAttributes, Malformed> {
    let mut attributes = MessageAttributes::new();
    // Bounded by the record: each turn takes at least one byte of it or fails.
    for _ in 0..reader.u32()? {
        let name = reader.str()?.to_owned();
        let data_type = reader.str()?.to_owned();
        let value = match reader.u8()? {
            VALUE_TEXT => AttributeValue::from_text(data_type, reader.str()?.to_owned()),
            VALUE_BINARY => AttributeValue::from_binary(data_type, reader.bytes()?),
            _ => return Err(Malformed("an attribute value of an unknown kind")),
        };
        attributes.insert(name, value);
    }
    Ok(attributes)
}

#[cfg(test)]
mod tests;

//! The stored form of a message: a fixed head that the queue's state reads, and a body that it never looks at.
//!
//! | bytes | field |
//! |---|---|
//! | 1 | version |
//! | 1 | flags: which optional fields follow |
//! | 8 | sent at |
//! | 8 | visible from: later than sent at if the message was delayed |
//! | … | trace header, group id, attributes, each if its flag is set |
//! | rest | body |

use bytes::Bytes;

use super::{
    attributes::{AttributeValue, MessageAttributes},
    message::SendMessage,
};
use crate::codec::{Malformed, Reader, write_bytes, write_u32};

const VERSION: u8 = 1;
const HEAD_BYTES: usize = 18;

const HAS_TRACE_HEADER: u8 = 1;
const HAS_GROUP_ID: u8 = 2;
const HAS_ATTRIBUTES: u8 = 4;

const VALUE_TEXT: u8 = 1;
const VALUE_BINARY: u8 = 2;

/// The times in the head of a row, in milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RowHead {
    pub(crate) sent_at: u64,
    pub(crate) visible_from: u64,
}

impl RowHead {
    pub(crate) fn read(row: &[u8]) -> Result<Self, Malformed> {
        let head = row.first_chunk::<HEAD_BYTES>().ok_or(Malformed("the row ends inside its head"))?;
        if head[0] != VERSION {
            return Err(Malformed("the row has a version that this build does not know"));
        }
        let number = |at: usize| {
            u64::from_le_bytes(head[at..at + 8].try_into().expect("eight bytes of the fixed head"))
        };
        Ok(Self { sent_at: number(2), visible_from: number(10) })
    }
}

/// A row whose times are not filled in yet: made outside the queue's lock, stamped inside.
pub(crate) struct UnstampedRow(Vec<u8>);

impl UnstampedRow {
    /// Encodes a message that has passed the checks.
    pub(crate) fn new(message: &SendMessage) -> Self {
        let mut out = Vec::with_capacity(encoded_bytes(message));
        out.extend_from_slice(&[0; HEAD_BYTES]);
        out[0] = VERSION;
        if let Some(trace_header) = &message.trace_header {
            out[1] |= HAS_TRACE_HEADER;
            write_bytes(&mut out, trace_header.as_bytes());
        }
        if let Some(group_id) = &message.group_id {
            out[1] |= HAS_GROUP_ID;
            write_bytes(&mut out, group_id.as_bytes());
        }
        if !message.attributes.is_empty() {
            out[1] |= HAS_ATTRIBUTES;
            write_attributes(&mut out, &message.attributes);
        }
        out.extend_from_slice(&message.body);
        Self(out)
    }

    /// How many bytes the store is given.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn stamp(mut self, head: RowHead) -> Bytes {
        self.0[2..10].copy_from_slice(&head.sent_at.to_le_bytes());
        self.0[10..18].copy_from_slice(&head.visible_from.to_le_bytes());
        Bytes::from(self.0)
    }
}

fn encoded_bytes(message: &SendMessage) -> usize {
    let text = |field: &Option<String>| field.as_ref().map_or(0, |text| 4 + text.len());
    let attributes: usize = message.attributes.iter().map(|(name, value)| 13 + value.size_bytes(name)).sum();
    HEAD_BYTES + text(&message.trace_header) + text(&message.group_id) + 4 + attributes + message.body.len()
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
    pub(crate) trace_header: Option<String>,
    pub(crate) group_id: Option<String>,
    pub(crate) attributes: MessageAttributes,
    pub(crate) body: Bytes,
}

impl RowContent {
    /// Decodes a row; the body shares its memory.
    pub(crate) fn read(row: &Bytes) -> Result<Self, Malformed> {
        RowHead::read(row)?;
        let flags = row[1];
        if flags & !(HAS_TRACE_HEADER | HAS_GROUP_ID | HAS_ATTRIBUTES) != 0 {
            return Err(Malformed("the row has a flag that this build does not know"));
        }
        let mut reader = Reader::behind(row, HEAD_BYTES);
        let trace_header = if flags & HAS_TRACE_HEADER == 0 { None } else { Some(reader.string()?) };
        let group_id = if flags & HAS_GROUP_ID == 0 { None } else { Some(reader.string()?) };
        let attributes = match flags & HAS_ATTRIBUTES {
            0 => MessageAttributes::new(),
            _ => read_attributes(&mut reader)?,
        };
        Ok(Self { trace_header, group_id, attributes, body: reader.rest() })
    }
}

fn read_attributes(reader: &mut Reader<'_>) -> Result<MessageAttributes, Malformed> {
    let mut attributes = MessageAttributes::new();
    // Bounded by the record: each turn takes at least one byte of it or fails.
    for _ in 0..reader.u32()? {
        let name = reader.string()?;
        let data_type = reader.string()?;
        let value = match reader.u8()? {
            VALUE_TEXT => AttributeValue::from_text(data_type, reader.string()?),
            VALUE_BINARY => AttributeValue::from_binary(data_type, reader.bytes()?),
            _ => return Err(Malformed("an attribute value of an unknown kind")),
        };
        attributes.insert(name, value);
    }
    Ok(attributes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn content_of(row: &Bytes) -> RowContent {
        RowContent::read(row).expect("a row of our own")
    }

    proptest! {
        #[test]
        fn a_row_gives_back_the_message(
            body: Vec<u8>, trace in proptest::option::of(".{1,20}"), group in proptest::option::of("[a-z]{1,20}"),
            names in proptest::collection::btree_set("[a-z]{1,9}", 0..5), text: String, binary: Vec<u8>,
            sent_at: u64, visible_from: u64,
        ) {
            let mut message = SendMessage::new(body.clone());
            message.trace_header.clone_from(&trace);
            message.group_id.clone_from(&group);
            for (at, name) in names.iter().enumerate() {
                let value = match at % 2 {
                    0 => AttributeValue::from_text("String.x".into(), text.clone()),
                    _ => AttributeValue::from_binary("Binary".into(), binary.clone().into()),
                };
                message.attributes.insert(name.clone(), value);
            }
            let head = RowHead { sent_at, visible_from };
            let row = UnstampedRow::new(&message).stamp(head);
            prop_assert_eq!(RowHead::read(&row), Ok(head));
            let content = content_of(&row);
            prop_assert_eq!(&content.body[..], &body[..]);
            prop_assert_eq!(content.trace_header, trace);
            prop_assert_eq!(content.group_id, group);
            prop_assert_eq!(content.attributes, message.attributes);
        }

        #[test]
        fn no_bytes_make_the_row_reader_panic(mut bytes: Vec<u8>, known: bool) {
            if known && !bytes.is_empty() {
                bytes[0] = VERSION;
            }
            let row = Bytes::from(bytes);
            let _ = RowHead::read(&row);
            let _ = RowContent::read(&row);
        }
    }
}

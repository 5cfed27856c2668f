//! Rows give back what they were made of, and no bytes make their reader panic.

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
        sent_at: u64, queued_at: u64, visible_from: u64, why in proptest::option::of((".{1,9}", ".{0,9}")),
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
        message.deduplication_id.clone_from(&trace);
        let origin = why.map(|(source, reason)| Origin {
            id: MessageId::from_bits(u128::from(sent_at) << 64 | u128::from(queued_at)),
            of_topic: source.len() % 2 == 0,
            why: Box::new(DeadLetter {
                source,
                receive_count: 7,
                first_received_at: Timestamp::from_millis(sent_at),
                last_received_at: Timestamp::from_millis(queued_at),
                moved_at: Timestamp::from_millis(visible_from),
                reason: (!reason.is_empty()).then_some(reason),
            }),
        });
        let head = RowHead { sent_at, queued_at, visible_from };
        let row = UnstampedRow::new(&message, origin.as_ref()).stamp(head);
        prop_assert_eq!(RowHead::read(&row), Ok(head));
        prop_assert_eq!(group_in(&row), Ok(group.as_deref()));
        let content = content_of(&row);
        prop_assert_eq!(content.into_message(), (message, origin));
    }

    #[test]
    fn no_bytes_make_the_row_reader_panic(mut bytes: Vec<u8>, known: bool) {
        if known && !bytes.is_empty() {
            bytes[0] = VERSION;
        }
        let row = Bytes::from(bytes);
        let _ = RowHead::read(&row);
        let _ = group_in(&row);
        let _ = RowContent::read(&row);
    }
}

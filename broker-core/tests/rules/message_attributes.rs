//! Message attributes: rules Q30 to Q35, and their selection, Q58.

use broker_core::{AttributeValue, Error, LocalQueue, MessageAttributes, SendMessage};

use crate::support::{World, assert_invalid, refusal, take};

fn with(name: &str, value: AttributeValue) -> SendMessage {
    SendMessage::from("m").attribute(name, value)
}

fn text(data_type: &str, value: &str) -> AttributeValue {
    AttributeValue::from_text(data_type.into(), value.into())
}

/// Sends each message and checks that it comes back as it was.
async fn all_pass(queue: &LocalQueue, messages: impl IntoIterator<Item = SendMessage>) {
    for message in messages {
        queue.send(message.clone()).await.unwrap_or_else(|error| panic!("{message:?}: {error}"));
        let received = take(queue).await;
        assert_eq!(received.attributes, message.attributes);
        queue.delete(received.receipt).await.unwrap();
    }
}

/// Checks that a message is refused for this field and value.
async fn refused(queue: &LocalQueue, message: SendMessage, field: &str, value: &str, limit: &str) {
    let error = refusal(queue, queue.send(message)).await;
    assert_invalid(&error, field, value, limit);
}

/// Q30.
async fn a_message_has_up_to_10_attributes(world: World) {
    let (_broker, queue) = world.queue().await;
    let many = |count: usize| {
        let attributes = (0..count).map(|n| (format!("a{n}"), AttributeValue::number(n))).collect();
        SendMessage { attributes, ..SendMessage::from("m") }
    };
    all_pass(&queue, [many(0), many(1), many(10)]).await;
    refused(&queue, many(11), "attributes", "11", "at most 10").await;
}

/// Q31.
async fn attribute_names_are_letters_digits_and_some_marks(world: World) {
    let (_broker, queue) = world.queue().await;
    let long = "n".repeat(256);
    let names = ["a", "Z9_-.x", &long, "øßä", "awsome", "aws", "amazonian.x", "0", "-", "_"];
    all_pass(&queue, names.map(|name| with(name, AttributeValue::string("v")))).await;
    let both = with("a", AttributeValue::string("lower")).attribute("A", AttributeValue::string("upper"));
    all_pass(&queue, [both]).await;
}

/// Q31.
async fn other_attribute_names_are_refused(world: World) {
    let (_broker, queue) = world.queue().await;
    let long = "n".repeat(257);
    let shown = format!("{}…", &long[..100]);
    for (name, value, limit) in [
        ("", "", "1 to 256 characters"),
        (&long, &shown, "1 to 256 characters"),
        ("a b", "a b", "letters, digits"),
        ("a\0", "a\0", "letters, digits"),
        ("a/b", "a/b", "letters, digits"),
        (".a", ".a", "dot"),
        ("a.", "a.", "dot"),
        (".", ".", "dot"),
        ("a..b", "a..b", "dot"),
        ("AWS.x", "AWS.x", "AWS."),
        ("aWs.x", "aWs.x", "AWS."),
        ("amazon.x", "amazon.x", "Amazon."),
        ("AmAzOn.x", "AmAzOn.x", "Amazon."),
    ] {
        refused(&queue, with(name, AttributeValue::string("v")), "attribute name", value, limit).await;
    }
}

/// Q32, Q34: there are no list types.
async fn types_are_string_number_or_binary_with_a_suffix(world: World) {
    let (_broker, queue) = world.queue().await;
    let long = format!("String.{}", "t".repeat(249));
    assert_eq!(long.len(), 256);
    let binary = |data_type: &str| AttributeValue::from_binary(data_type.into(), vec![0, 255].into());
    let taken = [
        text("String", "v"),
        text("String.uuid", "v"),
        text(&long, "v"),
        text("Number", "1"),
        text("Number.int.small", "1"),
        binary("Binary"),
        binary("Binary.png"),
    ];
    all_pass(&queue, taken.map(|value| with("a", value))).await;

    let too_long = format!("{long}t");
    let shown = format!("{}…", &too_long[..100]);
    refused(&queue, with("a", text(&too_long, "v")), "attribute type", &shown, "at most 256").await;
    for data_type in ["", "string", "StringList", "BinaryList", "Strings", "Int", ".x", " String"] {
        let must = "must be String, Number or Binary";
        refused(&queue, with("a", text(data_type, "v")), "attribute type", data_type, must).await;
    }
    for (value, data_type) in [(text("Binary", "v"), "Binary"), (binary("String.x"), "String.x")] {
        refused(&queue, with("a", value), "attribute type", data_type, "does not fit").await;
    }
}

/// Q33, Q35: not `InvalidMessageContents`.
async fn a_string_value_is_not_empty_and_has_the_characters_of_a_body(world: World) {
    let (_broker, queue) = world.queue().await;
    let taken = ["v", "\t\n\r", "日本 🦀", "\u{d7ff}\u{e000}\u{fffd}"].map(AttributeValue::string);
    all_pass(&queue, taken.map(|value| with("a", value))).await;
    let empty = AttributeValue::string("");
    refused(&queue, with("N", empty), "attribute value", "\"\"", "String attribute N must not be empty")
        .await;
    let empty = AttributeValue::binary(Vec::new());
    refused(&queue, with("N", empty), "attribute value", "\"\"", "Binary attribute N must not be empty")
        .await;
    let empty = text("Number", "");
    refused(&queue, with("N", empty), "attribute value", "\"\"", "Number attribute N must not be empty")
        .await;
    for (bad, place) in [("\0", "{0} at byte 0"), ("é\u{ffff}", "{ffff} at byte 2")] {
        refused(&queue, with("a", AttributeValue::string(bad)), "attribute value", bad, place).await;
    }
}

/// Q33: the digits are kept as they were sent.
async fn a_number_has_38_digits_and_a_bounded_magnitude(world: World) {
    let (_broker, queue) = world.queue().await;
    let (nines, padded) = ("9".repeat(38), format!("{}{}", "1".repeat(38), "0".repeat(80)));
    let taken = ["0", "-0", "1493147359900", "99.12", "-1.50", "1e126", "1E-128", &nines, &padded];
    all_pass(&queue, taken.map(|number| with("a", text("Number", number)))).await;
    let (long, fraction) = ("9".repeat(39), format!("1.{}", "1".repeat(38)));
    for bad in ["x", "1 ", "0x1", "NaN", "inf", "1e127", "1e-129", "１", "1,5", &long, &fraction] {
        refused(&queue, with("a", text("Number", bad)), "attribute value", bad, "at most 38 digits").await;
    }
}

/// Q33: any bytes, also after a restart.
async fn a_binary_value_comes_back_byte_for_byte(world: World) {
    let (broker, queue) = world.queue().await;
    let bytes: Vec<u8> = (0..=255).collect();
    queue.send(with("a", AttributeValue::binary(bytes.clone()))).await.unwrap();
    let (_broker, queue) = world.reopened(broker).await;
    let message = take(&queue).await;
    let value = message.attributes.get("a").unwrap();
    assert_eq!((value.bytes(), value.text(), value.data_type()), (&bytes[..], None, "Binary"));
}

/// One bad attribute among good ones refuses the message.
async fn one_bad_attribute_refuses_the_whole_message(world: World) {
    let (_broker, queue) = world.queue().await;
    let message = with("a", AttributeValue::string("v")).attribute("z", AttributeValue::string(""));
    let error = refusal(&queue, queue.send(message)).await;
    assert!(matches!(error, Error::InvalidParameter { field: "attribute value", .. }));
}

/// Q58.
#[test]
fn attributes_are_selected_by_name_by_prefix_or_all() {
    let names = ["trace.id", "trace.hop", "traces", "source", "a"];
    let all: MessageAttributes = names.into_iter().map(|name| (name, AttributeValue::string("v"))).collect();
    let select = |names: &[&'static str]| {
        let selected = all.select(names.iter().copied());
        selected.iter().map(|(name, _)| name.to_owned()).collect::<Vec<_>>()
    };
    let everything = ["a", "source", "trace.hop", "trace.id", "traces"];
    for wildcard in ["All", "*", ".*"] {
        assert_eq!(select(&[wildcard]), everything);
        assert_eq!(select(&["a", wildcard]), everything);
    }
    assert_eq!(select(&["trace.id"]), ["trace.id"]);
    assert_eq!(select(&["source", "a", "a"]), ["a", "source"]);
    assert_eq!(select(&[]), [""; 0]);
    assert_eq!(select(&["", "..", "AWS.x", "no such", "A", "all"]), [""; 0], "ignored, no error");
}

/// Q58: the `*` of `prefix.*` stands for what follows the prefix, with or without the dot.
#[test]
fn a_prefix_selects_every_name_that_starts_with_it() {
    let names = ["trace.id", "traces", "tracing", "source"];
    let all: MessageAttributes = names.into_iter().map(|name| (name, AttributeValue::string("v"))).collect();
    let selected = all.select(["trace.*"]);
    assert_eq!(selected.iter().map(|(name, _)| name).collect::<Vec<_>>(), ["trace.id", "traces"]);
}

everywhere! {
    a_message_has_up_to_10_attributes,
    attribute_names_are_letters_digits_and_some_marks,
    other_attribute_names_are_refused,
    types_are_string_number_or_binary_with_a_suffix,
    a_string_value_is_not_empty_and_has_the_characters_of_a_body,
    a_number_has_38_digits_and_a_bounded_magnitude,
    a_binary_value_comes_back_byte_for_byte,
    one_bad_attribute_refuses_the_whole_message,
}

//! Sending: rules Q20 to Q35.

use aws_sdk_sqs::types::{
    MessageAttributeValue, MessageSystemAttributeName, MessageSystemAttributeNameForSends,
    MessageSystemAttributeValue, QueueAttributeName,
};

use crate::support::{
    INVALID, MISSING, advance, binary_attribute, refusal, secs, text_attribute, world_and_queue,
};

// Q20
#[tokio::test(start_paused = true)]
async fn a_body_is_text_of_the_characters_of_sqs() {
    let (world, url) = world_and_queue("orders").await;
    let send = |body: &str| world.sqs.send_message().queue_url(&url).message_body(body).send();
    refusal(send("").await).is(400, MISSING, "The request must contain the parameter MessageBody.");
    let error = send("a\u{0}b").await.unwrap_err();
    assert!(error.as_service_error().unwrap().is_invalid_message_contents());
    refusal(Err::<(), _>(error)).says("InvalidMessageContents", "at byte 1");
    let body = "\t\r\n é😀 <&>\"\u{fffd}";
    send(body).await.unwrap();
    assert_eq!(world.receive(&url, 1).await[0].body(), Some(body));
}

// Q21
#[tokio::test(start_paused = true)]
async fn a_message_is_as_large_as_its_queue_takes() {
    let (world, url) = world_and_queue("orders").await;
    let set = world.sqs.set_queue_attributes().queue_url(&url);
    set.attributes(QueueAttributeName::MaximumMessageSize, "1024").send().await.unwrap();
    let send = |bytes: usize| {
        let send = world.sqs.send_message().queue_url(&url).message_body("b".repeat(bytes));
        send.message_attributes("k", text_attribute("String", "v")).send()
    };
    send(1_024 - 8).await.unwrap();
    let told = "One or more parameters are invalid. Reason: Message must be shorter than 1024 bytes.";
    refusal(send(1_024 - 7).await).is(400, INVALID, told);
}

// Q22
#[tokio::test(start_paused = true)]
async fn a_delay_has_at_most_15_minutes() {
    let (world, url) = world_and_queue("orders").await;
    let send = |delay| world.sqs.send_message().queue_url(&url).message_body("a").delay_seconds(delay).send();
    for bad in [-1, 901] {
        let told = format!(
            "Value {bad} for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= 900."
        );
        refusal(send(bad).await).is(400, INVALID, &told);
    }
    send(900).await.unwrap();
    assert_eq!(world.counts(&url).await, ["0", "0", "1"]);
    advance(secs(900)).await;
    assert_eq!(world.receive(&url, 1).await.len(), 1);
}

// Q23
#[tokio::test(start_paused = true)]
async fn the_answer_has_an_id_and_the_digests_of_what_was_sent() {
    let (world, url) = world_and_queue("orders").await;
    let send = || world.sqs.send_message().queue_url(&url).message_body("hello");
    let plain = send().send().await.unwrap();
    assert_eq!(plain.md5_of_message_body(), Some("5d41402abc4b2a76b9719d911017c592"));
    assert_eq!((plain.md5_of_message_attributes(), plain.sequence_number()), (None, None));
    assert_eq!(plain.md5_of_message_system_attributes(), None);
    assert_eq!(plain.message_id().map(str::len), Some(36));
    let with = send().message_attributes("k", text_attribute("String", "x")).send().await.unwrap();
    assert_eq!(with.md5_of_message_attributes(), Some("a45daa70926828a2f0a1db3418e6feb4"));
    assert_ne!(with.message_id(), plain.message_id());
}

fn system(data_type: &str, value: &str) -> MessageSystemAttributeValue {
    MessageSystemAttributeValue::builder().data_type(data_type).string_value(value).build().unwrap()
}

// Q24
#[tokio::test(start_paused = true)]
async fn the_trace_header_is_the_one_system_attribute_that_can_be_sent() {
    let (world, url) = world_and_queue("orders").await;
    let send = |name: MessageSystemAttributeNameForSends, value| {
        let send = world.sqs.send_message().queue_url(&url).message_body("a");
        send.message_system_attributes(name, value).send()
    };
    let trace = MessageSystemAttributeNameForSends::AwsTraceHeader;
    let header = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";
    let answer = send(trace.clone(), system("String", header)).await.unwrap();
    assert_eq!(answer.md5_of_message_system_attributes(), Some("5ae4d5d7636402d80f4eb6d213245a88"));
    assert_eq!(answer.md5_of_message_attributes(), None);
    let wanted = MessageSystemAttributeName::AwsTraceHeader;
    let receive = world.sqs.receive_message().queue_url(&url).message_system_attribute_names(wanted.clone());
    let received = receive.send().await.unwrap();
    assert_eq!(received.messages()[0].attributes().unwrap()[&wanted], header);
    refusal(send(trace.clone(), system("Number", "1")).await)
        .says(INVALID, "supported type prefixes is String");
    refusal(send(trace, system("String", "")).await).says(INVALID, "non-empty value");
    let other = MessageSystemAttributeNameForSends::from("SenderId");
    refusal(send(other, system("String", "me")).await).says(INVALID, "'SenderId' is invalid");
}

// Q25, Q26
#[tokio::test(start_paused = true)]
async fn a_standard_queue_takes_groups_and_no_deduplication_ids() {
    let (world, url) = world_and_queue("orders").await;
    let send = || world.sqs.send_message().queue_url(&url).message_body("a");
    send().message_group_id("tenant-1").send().await.unwrap();
    let told = "MessageGroupId can only include alphanumeric and punctuation characters. 1 to 128 in length.";
    let told = format!("Value a b for parameter MessageGroupId is invalid. Reason: {told}");
    refusal(send().message_group_id("a b").send().await).is(400, INVALID, &told);
    let told = "Value d for parameter MessageDeduplicationId is invalid. Reason: The request include parameter that is not \
                valid for this queue type.";
    refusal(send().message_deduplication_id("d").send().await).is(400, INVALID, told);
    refusal(send().message_deduplication_id("missing").send().await)
        .says(INVALID, "Value missing for parameter");
}

// Q30, Q31, Q32, Q33, Q34, Q35
#[tokio::test(start_paused = true)]
async fn what_is_wrong_with_an_attribute_is_told() {
    let (world, url) = world_and_queue("orders").await;
    let send = |name: &str, value: MessageAttributeValue| {
        let send = world.sqs.send_message().queue_url(&url).message_body("a");
        send.message_attributes(name, value).send()
    };
    let empty = "Message (user) attribute 'N' must contain a non-empty value of type 'String'.";
    refusal(send("N", text_attribute("String", "")).await).is(400, INVALID, empty);
    refusal(send("N", binary_attribute(b"")).await).says(INVALID, "non-empty value of type 'Binary'");
    refusal(send("N", text_attribute("Colour", "red")).await).says(INVALID, "Binary, Number, and String");
    refusal(send("N", text_attribute("", "red")).await).says(INVALID, "non-empty message attribute type");
    refusal(send("N", text_attribute("Number", "one")).await).says(INVALID, "38 digits");
    refusal(send("N", text_attribute("String", "\u{0}")).await).says(INVALID, "attribute value");
    refusal(send("AWS.N", text_attribute("String", "v")).await).says(INVALID, "AWS.");
    let list =
        MessageAttributeValue::builder().data_type("StringList").string_list_values("v").build().unwrap();
    refusal(send("N", list).await).says(INVALID, "list values");
    let mut many = world.sqs.send_message().queue_url(&url).message_body("a");
    for n in 0..11 {
        many = many.message_attributes(format!("n{n}"), text_attribute("Number.int", "1"));
    }
    refusal(many.send().await).says(INVALID, "at most 10");
    assert_eq!(world.counts(&url).await, ["0", "0", "0"]);
}

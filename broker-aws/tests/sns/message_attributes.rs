//! Message attributes (N30 to N33).

use aws_sdk_sns::{primitives::Blob, types::MessageAttributeValue};
use broker_core::AttributeValue;

use crate::support::{Aws, refusal, text_attribute};

async fn refused(aws: &Aws, topic: &str, name: &str, value: MessageAttributeValue) -> String {
    let refused =
        aws.sns.publish().topic_arn(topic).message("m").message_attributes(name, value).send().await;
    assert!(refused.as_ref().unwrap_err().as_service_error().unwrap().is_invalid_parameter_value_exception());
    let (code, message, status) = refusal(refused);
    assert_eq!((code.as_str(), status), ("ParameterValueInvalid", 400));
    message
}

// N30, N33, N41
#[tokio::test(start_paused = true)]
async fn every_type_reaches_a_raw_queue_as_it_was_sent() {
    let aws = Aws::start().await;
    let topic = aws.topic("news").await;
    aws.subscribe(&topic, "q", &[("RawMessageDelivery", "true")]).await;
    let bytes = MessageAttributeValue::builder().data_type("Binary.png").binary_value(Blob::new([2, 3, 4]));
    aws.sns
        .publish()
        .topic_arn(&topic)
        .message("m")
        .message_attributes("text", text_attribute("String", "say \"hi\" <&>"))
        .message_attributes("list", text_attribute("String.Array", r#"["a", 1, true, null]"#))
        .message_attributes("own", text_attribute("String.own", "x"))
        .message_attributes("number", text_attribute("Number", "1.50"))
        .message_attributes("bytes", bytes.build().unwrap())
        .send()
        .await
        .unwrap();
    let attributes = aws.take("q").await.attributes;
    let value = |name: &str| attributes.get(name).cloned();
    assert_eq!(value("text"), Some(AttributeValue::string("say \"hi\" <&>")));
    let list = AttributeValue::from_text("String.Array".into(), r#"["a", 1, true, null]"#.into());
    assert_eq!(value("list"), Some(list));
    assert_eq!(value("own"), Some(AttributeValue::from_text("String.own".into(), "x".into())));
    assert_eq!(value("number"), Some(AttributeValue::number("1.50")));
    assert_eq!(value("bytes"), Some(AttributeValue::from_binary("Binary.png".into(), vec![2, 3, 4].into())));
}

// N30, N32
#[tokio::test(start_paused = true)]
async fn a_value_that_does_not_fit_its_type_is_refused() {
    let aws = Aws::start().await;
    let topic = aws.topic("news").await;
    let told = "The message attribute 'a' has an invalid message attribute type, the set of supported type \
                prefixes is Binary, Number, and String.";
    for bad in ["Text", "", "string"] {
        assert_eq!(refused(&aws, &topic, "a", text_attribute(bad, "x")).await, told);
    }
    let told = "The message attribute 'a' must contain non-empty message attribute value for message attribute \
                type 'String'.";
    assert_eq!(refused(&aws, &topic, "a", text_attribute("String", "")).await, told);
    let nothing = MessageAttributeValue::builder().data_type("String").build().unwrap();
    assert_eq!(refused(&aws, &topic, "a", nothing).await, told);
    let bytes = MessageAttributeValue::builder().data_type("String").binary_value(Blob::new([1]));
    let told = "The message attribute 'a' with type 'String' must use field 'String'.";
    assert_eq!(refused(&aws, &topic, "a", bytes.build().unwrap()).await, told);
    let told = "The message attribute 'a' with type 'Binary' must use field 'Binary'.";
    assert_eq!(refused(&aws, &topic, "a", text_attribute("Binary", "x")).await, told);
    let number = refused(&aws, &topic, "a", text_attribute("Number", "many")).await;
    assert!(number.contains("many"), "{number}");
}

// N31
#[tokio::test(start_paused = true)]
async fn a_name_that_is_none_is_refused() {
    let aws = Aws::start().await;
    let topic = aws.topic("news").await;
    let refused = async |name: &str| refused(&aws, &topic, name, text_attribute("String", "x")).await;
    let told = "Length of message attribute name must be less than 256 bytes.";
    assert_eq!(refused(&"a".repeat(257)).await, told);
    assert_eq!(refused(".a").await, "Invalid message attribute name starting with character '.' was found.");
    assert_eq!(refused("a.").await, "Invalid message attribute name ending with character '.' was found.");
    assert_eq!(refused("a..b").await, "Message attribute name can not have successive '.' character.");
    let told = "Invalid non-alphanumeric character '#x20' was found in the message attribute name. Can only \
                include alphanumeric characters, hyphens, underscores, or dots.";
    assert_eq!(refused("a b").await, told);
    assert!(refused("AWS.Trace").await.contains("AWS.Trace"));
}

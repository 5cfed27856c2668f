//! The query protocol of SNS on the wire: XML, JSON, errors.

use bytes::Bytes;
use http::Request;
use serde_json::{Value, json};

use crate::support::{Aws, topic_arn};

/// The answer to a form: status, content type and body.
async fn ask(aws: &Aws, accept: &str, form: &str) -> (u16, String, String) {
    let request = Request::post("http://localhost/").header("accept", accept);
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    let body = Bytes::from(format!("Version=2010-03-31&{form}"));
    let response = aws.service.handle(request.body(body).unwrap()).await;
    let content_type = response.headers()["content-type"].to_str().unwrap().to_owned();
    let body = response.body().whole().unwrap().to_vec();
    (response.status().as_u16(), content_type, String::from_utf8(body).unwrap())
}

// N1, N5: lists and maps have elements around their items.
#[tokio::test(start_paused = true)]
async fn answers_are_xml_in_the_words_of_sns() {
    let aws = Aws::start().await;
    let form = "Action=CreateTopic&Name=news&Attributes.entry.1.key=DisplayName&Attributes.entry.1.value=a%26b\
                &Tags.member.1.Key=k&Tags.member.1.Value=v";
    let (status, content_type, body) = ask(&aws, "*/*", form).await;
    assert_eq!((status, content_type.as_str()), (200, "text/xml"));
    let start = "<?xml version=\"1.0\"?><CreateTopicResponse xmlns=\"http://sns.amazonaws.com/doc/2010-03-31/\">\
                 <CreateTopicResult><TopicArn>arn:aws:sns:us-east-1:000000000000:news</TopicArn>\
                 </CreateTopicResult><ResponseMetadata><RequestId>";
    assert!(body.starts_with(start), "{body}");
    let (_, _, body) =
        ask(&aws, "*/*", &format!("Action=GetTopicAttributes&TopicArn={}", topic_arn("news"))).await;
    let entry = "<Attributes><entry><key>ContentBased";
    assert!(
        !body.contains(entry) && body.contains("<entry><key>DisplayName</key><value>a&amp;b</value></entry>")
    );
    let (_, _, body) = ask(&aws, "*/*", "Action=ListTopics").await;
    assert!(
        body.contains(
            "<Topics><member><TopicArn>arn:aws:sns:us-east-1:000000000000:news</TopicArn></member>"
        )
    );
    assert!(!body.contains("NextToken"), "{body}");
    let form = format!("Action=ListTagsForResource&ResourceArn={}", topic_arn("news"));
    let (_, _, body) = ask(&aws, "*/*", &form).await;
    assert!(body.contains("<Tags><member><Key>k</Key><Value>v</Value></member></Tags>"), "{body}");
    let (_, _, body) = ask(&aws, "*/*", &format!("Action=DeleteTopic&TopicArn={}", topic_arn("news"))).await;
    assert!(!body.contains("DeleteTopicResult") && body.contains("<DeleteTopicResponse"), "{body}");
}

#[tokio::test(start_paused = true)]
async fn who_accepts_json_gets_json() {
    let aws = Aws::start().await;
    let topic = aws.topic("news").await;
    let form = format!("Action=Publish&TopicArn={topic}&Message=m");
    let (status, content_type, body) = ask(&aws, "application/json", &form).await;
    assert_eq!((status, content_type.as_str()), (200, "application/json"));
    let body: Value = serde_json::from_str(&body).unwrap();
    let response = &body["PublishResponse"];
    assert_eq!(response["PublishResult"]["MessageId"].as_str().unwrap().len(), 36);
    assert!(response["ResponseMetadata"]["RequestId"].is_string());
    let (status, _, body) = ask(&aws, "application/json", "Action=Publish&Message=m").await;
    assert_eq!(status, 400);
    let body: Value = serde_json::from_str(&body).unwrap();
    let told = "Invalid parameter: TopicArn or TargetArn Reason: no value for required parameter";
    assert_eq!(body["Error"], json!({ "Type": "Sender", "Code": "InvalidParameter", "Message": told }));
}

#[tokio::test(start_paused = true)]
async fn errors_have_type_code_message_and_detail() {
    let aws = Aws::start().await;
    let (status, _, body) = ask(&aws, "*/*", "Action=Fly").await;
    assert_eq!(status, 400);
    let told = "<Error><Type>Sender</Type><Code>InvalidAction</Code><Message>The action Fly is not valid for this \
                endpoint.</Message><Detail/></Error>";
    assert!(body.contains(told), "{body}");
    for (form, code) in [
        ("Action=CreateTopic", "ValidationError"),
        ("Action=Subscribe&TopicArn=arn:aws:sns:us-east-1:000000000000:news", "NotFound"),
        ("Action=CreateTopic&Name=a&Attributes.entry.1.value=x", "MalformedInput"),
        ("Action=CreateTopic&Name=a&Name.x=b", "MalformedQueryString"),
        ("Action=Publish&Message=m&MessageAttributes.entry.1.Name=a&TopicArn=x", "ValidationError"),
        (
            "Action=Publish&Message=m&TopicArn=x&MessageAttributes.entry.1.Name=a\
             &MessageAttributes.entry.1.Value.DataType=Binary&MessageAttributes.entry.1.Value.BinaryValue=%25",
            "MalformedInput",
        ),
        ("Action=PublishBatch&TopicArn=x", "InvalidParameter"),
    ] {
        let (status, _, body) = ask(&aws, "*/*", form).await;
        assert!((400..=404).contains(&status), "{form}: {body}");
        assert!(body.contains(&format!("<Code>{code}</Code>")), "{form}: {body}");
    }
}

// N32: the parameter that is missing is named.
#[tokio::test(start_paused = true)]
async fn an_attribute_without_a_type_is_a_validation_error() {
    let aws = Aws::start().await;
    let topic = aws.topic("news").await;
    let form = format!(
        "Action=Publish&TopicArn={topic}&Message=m&MessageAttributes.entry.1.Name=attr1\
         &MessageAttributes.entry.1.Value.StringValue=x"
    );
    let (_, _, body) = ask(&aws, "*/*", &form).await;
    let told = "1 validation error detected: Value null at 'messageAttributes.attr1.member.dataType' failed to \
                satisfy constraint: Member must not be null";
    assert!(body.contains(told), "{body}");
    let form = format!(
        "Action=PublishBatch&TopicArn={topic}&PublishBatchRequestEntries.member.1.Id=a\
         &PublishBatchRequestEntries.member.1.Message=m\
         &PublishBatchRequestEntries.member.1.MessageAttributes.entry.1.Name=attr1"
    );
    let (_, _, body) = ask(&aws, "*/*", &form).await;
    let told = "'publishBatchRequestEntries.1.member.messageAttributes.attr1.member.dataType'";
    assert!(body.contains(told), "{body}");
}

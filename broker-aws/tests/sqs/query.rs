//! The query protocol as it is on the wire: forms in, XML out.

use broker_aws::Service;
use bytes::Bytes;
use serde_json::json;

use crate::support::{Answer, ask, ask_query, world_and_queue};

const QUEUE: &str = "/000000000000/orders";

async fn service() -> Service {
    world_and_queue("orders").await.0.aws.service().clone()
}

async fn done(service: &Service, form: &str) -> Answer {
    let answer = ask_query(service, QUEUE, &format!("{form}&Version=2012-11-05")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.header("content-type"), "text/xml");
    answer
}

#[tokio::test(start_paused = true)]
async fn a_message_goes_in_and_comes_out() {
    let service = service().await;
    let form = "Action=SendMessage&MessageBody=a%3C%26%3Eb%0D%0A&MessageAttribute.1.Name=k&\
                MessageAttribute.1.Value.DataType=String&MessageAttribute.1.Value.StringValue=x&\
                MessageAttribute.2.Name=b&MessageAttribute.2.Value.DataType=Binary&\
                MessageAttribute.2.Value.BinaryValue=AQI%3D&MessageSystemAttribute.1.Name=AWSTraceHeader&\
                MessageSystemAttribute.1.Value.DataType=String&MessageSystemAttribute.1.Value.StringValue=Root";
    let sent = done(&service, form).await;
    assert!(sent.body.starts_with("<?xml version=\"1.0\"?><SendMessageResponse xmlns="), "{}", sent.body);
    assert!(sent.body.contains("http://queue.amazonaws.com/doc/2012-11-05/"));
    assert_eq!(sent.element("RequestId"), sent.header("x-amzn-requestid"));
    let form = "Action=ReceiveMessage&MaxNumberOfMessages=10&AttributeName.1=All&MessageAttributeName.1=All";
    let received = done(&service, form).await;
    assert_eq!(received.element("Body"), "a&lt;&amp;&gt;b&#xD;\n");
    assert_eq!(received.element("MessageId"), sent.element("MessageId"));
    assert_eq!(received.element("MD5OfMessageAttributes"), sent.element("MD5OfMessageAttributes"));
    assert!(received.body.contains("<Attribute><Name>AWSTraceHeader</Name><Value>Root</Value></Attribute>"));
    let binary = "<MessageAttribute><Name>b</Name><Value><BinaryValue>AQI=</BinaryValue><DataType>Binary</DataType></Value>\
                  </MessageAttribute>";
    assert!(received.body.contains(binary), "{}", received.body);
    let receipt = received.element("ReceiptHandle");
    let hidden = done(
        &service,
        &format!("Action=ChangeMessageVisibility&ReceiptHandle={receipt}&VisibilityTimeout=5"),
    )
    .await;
    assert!(!hidden.body.contains("Result"), "{}", hidden.body);
    done(&service, &format!("Action=DeleteMessage&ReceiptHandle={receipt}")).await;
    assert!(
        done(&service, "Action=ReceiveMessage")
            .await
            .body
            .contains("<ReceiveMessageResult></ReceiveMessageResult>")
    );
}

#[tokio::test(start_paused = true)]
async fn queues_are_created_described_and_listed() {
    let service = service().await;
    let form = "Action=CreateQueue&QueueName=new&Attribute.1.Name=VisibilityTimeout&Attribute.1.Value=7&\
                Attribute.2.Name=DelaySeconds&Attribute.2.Value=1&Tag.1.Key=team&Tag.1.Value=a";
    let created = done(&service, form).await;
    assert_eq!(created.element("QueueUrl"), "http://localhost/000000000000/new");
    let form = "Action=GetQueueAttributes&QueueUrl=new&AttributeName.1=VisibilityTimeout&AttributeName.2=DelaySeconds";
    let described = done(&service, form).await;
    let one = "<Attribute><Name>VisibilityTimeout</Name><Value>7</Value></Attribute>";
    assert!(described.body.contains(one), "{}", described.body);
    done(&service, "Action=SetQueueAttributes&QueueUrl=new&Attribute.Name=DelaySeconds&Attribute.Value=3")
        .await;
    let delay = done(&service, "Action=GetQueueAttributes&QueueUrl=new&AttributeName=DelaySeconds").await;
    assert_eq!(delay.element("Value"), "3");
    done(&service, "Action=TagQueue&QueueUrl=new&Tag.1.Key=b&Tag.1.Value=c").await;
    done(&service, "Action=UntagQueue&QueueUrl=new&TagKey.1=team").await;
    let tags = done(&service, "Action=ListQueueTags&QueueUrl=new").await;
    assert!(
        tags.body
            .contains("<ListQueueTagsResult><Tag><Key>b</Key><Value>c</Value></Tag></ListQueueTagsResult>")
    );
    let listed = done(&service, "Action=ListQueues&MaxResults=1").await;
    assert_eq!(listed.body.matches("<QueueUrl>").count(), 1);
    assert!(listed.body.contains("<NextToken>"));
    assert_eq!(done(&service, "Action=ListQueues").await.body.matches("<QueueUrl>").count(), 2);
    done(&service, "Action=AddPermission&Label=l&AWSAccountId.1=111111111111&ActionName.1=SendMessage").await;
    done(&service, "Action=RemovePermission&Label=l").await;
    done(&service, "Action=PurgeQueue").await;
    assert_eq!(
        done(&service, "Action=GetQueueUrl&QueueName=new").await.element("QueueUrl"),
        created.element("QueueUrl")
    );
    done(&service, "Action=DeleteQueue&QueueUrl=new").await;
}

#[tokio::test(start_paused = true)]
async fn batches_have_entries_with_results() {
    let service = service().await;
    let form = "Action=SendMessageBatch&SendMessageBatchRequestEntry.1.Id=a&SendMessageBatchRequestEntry.1.MessageBody=1&\
                SendMessageBatchRequestEntry.2.Id=b&SendMessageBatchRequestEntry.2.MessageBody=%01";
    let sent = done(&service, form).await;
    assert_eq!(sent.body.matches("<SendMessageBatchResultEntry>").count(), 1);
    let failed = sent.element("BatchResultErrorEntry");
    assert!(
        failed.contains("<Code>InvalidMessageContents</Code>")
            && failed.contains("<SenderFault>true</SenderFault>")
    );
    let receipt = done(&service, "Action=ReceiveMessage").await.element("ReceiptHandle").to_owned();
    let form = format!(
        "Action=ChangeMessageVisibilityBatch&ChangeMessageVisibilityBatchRequestEntry.1.Id=a&\
         ChangeMessageVisibilityBatchRequestEntry.1.ReceiptHandle={receipt}&\
         ChangeMessageVisibilityBatchRequestEntry.1.VisibilityTimeout=9"
    );
    let changed = done(&service, &form).await;
    assert_eq!(changed.element("ChangeMessageVisibilityBatchResultEntry"), "<Id>a</Id>");
    let form = format!(
        "Action=DeleteMessageBatch&DeleteMessageBatchRequestEntry.1.Id=a&DeleteMessageBatchRequestEntry.1.ReceiptHandle={receipt}"
    );
    assert_eq!(done(&service, &form).await.element("DeleteMessageBatchResultEntry"), "<Id>a</Id>");
}

#[tokio::test(start_paused = true)]
async fn errors_are_xml_or_json() {
    let service = service().await;
    let answer = ask_query(&service, "/", "Action=GetQueueUrl&QueueName=missing").await;
    assert_eq!((answer.status, answer.header("content-type")), (400, "text/xml"));
    let told = "<Error><Type>Sender</Type><Code>AWS.SimpleQueueService.NonExistentQueue</Code>\
                <Message>The specified queue does not exist.</Message><Detail/></Error>";
    assert!(answer.body.contains(told), "{}", answer.body);
    let get = |uri: &str| {
        let request =
            http::Request::get(format!("http://localhost{uri}")).header("accept", "application/json");
        request.body(Bytes::new()).unwrap()
    };
    let answer = ask(&service, get("/?Action=GetQueueUrl&QueueName=missing")).await;
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.json()["Error"]["Code"], "AWS.SimpleQueueService.NonExistentQueue");
    let answer = ask(&service, get("/?Action=GetQueueUrl&QueueName=orders")).await;
    let url = json!({ "QueueUrl": "http://localhost/000000000000/orders" });
    assert_eq!(answer.json()["GetQueueUrlResponse"]["GetQueueUrlResult"], url);
    let missing = ask_query(&service, QUEUE, "Action=SendMessage").await;
    assert_eq!(missing.element("Code"), "MissingParameter");
}

#[tokio::test(start_paused = true)]
async fn what_is_no_request_gets_an_error_of_the_protocol() {
    let service = service().await;
    let many = format!("Action=SendMessage{}", "&a=b".repeat(3_000));
    let deep = format!("Action=SendMessage&{}=1", ["a"; 1_000].join("."));
    for (form, code) in [
        ("", "MissingAction"),
        ("Action=MakeQueue&Version=2012-11-05", "InvalidAction"),
        ("Action=ReceiveMessage&MaxNumberOfMessages=many", "MalformedInput"),
        ("Action=ReceiveMessage&MaxNumberOfMessages=99999999999999999999", "MalformedInput"),
        ("Action=ReceiveMessage&AttributeName=a&AttributeName.1=b", "MalformedQueryString"),
        (many.as_str(), "MalformedQueryString"),
        (deep.as_str(), "MalformedQueryString"),
    ] {
        let answer = ask_query(&service, QUEUE, form).await;
        assert_eq!((answer.status, answer.element("Code")), (400, code), "{form:.60}");
    }
    let bytes =
        http::Request::post("http://localhost/").body(Bytes::from_static(b"Action=\xff%ff&\xfe=\xfd"));
    assert_eq!(ask(&service, bytes.unwrap()).await.status, 400);
}

#[tokio::test(start_paused = true)]
async fn a_get_on_the_url_of_a_queue_works_and_so_do_the_older_hosts() {
    let service = service().await;
    let request = http::Request::get(format!("http://localhost{QUEUE}?Action=SendMessage&MessageBody=a"));
    assert_eq!(ask(&service, request.body(Bytes::new()).unwrap()).await.status, 200);
    for host in ["queue.amazonaws.com", "us-east-1.queue.amazonaws.com", "sqs.us-east-1.amazonaws.com"] {
        let request = http::Request::get("/?Action=ListQueues").header("host", host);
        let answer = ask(&service, request.body(Bytes::new()).unwrap()).await;
        assert_eq!(answer.element("QueueUrl"), format!("http://{host}{QUEUE}"));
    }
}

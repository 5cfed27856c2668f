//! What is answered, and to whom.

use broker_aws::serve::AccessKeys;
use tokio::{io::AsyncWriteExt as _, net::TcpStream};

use crate::support::{ask, assert_status, listener, listener_with, post, read_response, sqs};

#[tokio::test]
async fn requests_on_one_connection_are_answered_one_by_one() {
    let (listener, broker) = listener().await;
    let mut connection = TcpStream::connect(listener.address()).await.unwrap();
    for name in ["orders", "returns"] {
        let create = sqs("CreateQueue", &format!(r#"{{"QueueName": "{name}"}}"#));
        connection.write_all(create.as_bytes()).await.unwrap();
        let response = read_response(&mut connection).await;
        assert_status(&response, 200);
        assert!(response.contains(&format!("http://localhost/000000000000/{name}")), "{response}");
    }
    assert_eq!(broker.list_queues(""), ["orders", "returns"]);
}

#[tokio::test]
async fn it_listens_on_loopback_unless_told_otherwise() {
    let (listener, _) = listener().await;
    assert!(listener.address().ip().is_loopback());
    assert_eq!(listener.endpoint(), format!("http://{}", listener.address()));
    let (everywhere, _) = listener_with(|builder| builder.address(([0, 0, 0, 0], 0).into())).await;
    assert!(everywhere.address().ip().is_unspecified());
}

#[tokio::test]
async fn health_is_told_to_everybody() {
    let keys = AccessKeys::new().key("AKID", "secret");
    let (listener, broker) = listener_with(|builder| builder.keys(keys)).await;
    let health = "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let response = ask(listener.address(), health).await;
    assert_status(&response, 200);
    assert!(response.ends_with(r#"{"status":"ok"}"#), "{response}");
    broker.close().await.unwrap();
    assert_status(&ask(listener.address(), health).await, 503);
}

#[tokio::test]
async fn web_pages_are_refused() {
    let (listener, broker) = listener().await;
    let form =
        post("Origin: https://example.com\r\nContent-Type: text/plain\r\n", "Action=CreateQueue&QueueName=x");
    let response = ask(listener.address(), form).await;
    assert_status(&response, 403);
    assert!(response.contains("<Code>AccessDenied</Code>"), "{response}");
    assert!(broker.list_queues("").is_empty());
}

/// A listener with keys takes nothing that is not signed with one, and says so in the protocol of the request.
#[tokio::test]
async fn what_is_not_signed_is_refused_if_there_are_keys() {
    let keys = AccessKeys::new().key("AKID", "secret");
    let (listener, broker) = listener_with(|builder| builder.keys(keys)).await;
    let create = r#"{"QueueName": "x"}"#;
    let response = ask(listener.address(), sqs("CreateQueue", create)).await;
    assert_status(&response, 400);
    assert!(response.contains("MissingAuthenticationTokenException"), "{response}");
    let signed = |key: &str| {
        let day = "20261126";
        post(
            &format!(
                "X-Amz-Date: {day}T000000Z\r\nX-Amz-Target: AmazonSQS.CreateQueue\r\nAuthorization: AWS4-HMAC-SHA256 \
                 Credential={key}/{day}/us-east-1/sqs/aws4_request, SignedHeaders=host;x-amz-target, Signature=00\r\n"
            ),
            create,
        )
    };
    let response = ask(listener.address(), signed("OTHER")).await;
    assert!(response.contains("UnrecognizedClientException"), "{response}");
    let response = ask(listener.address(), signed("AKID")).await;
    assert!(response.contains("InvalidSignatureException"), "{response}");
    let form = post("Content-Type: application/x-www-form-urlencoded\r\n", "Action=CreateQueue&QueueName=x");
    let response = ask(listener.address(), form).await;
    assert_status(&response, 403);
    assert!(response.contains("<Code>MissingAuthenticationToken</Code>"), "{response}");
    assert!(broker.list_queues("").is_empty());
}

/// The links in messages of SNS are followed by whoever gets them, without a key; nothing else is.
#[tokio::test]
async fn links_of_messages_need_no_key() {
    let keys = AccessKeys::new().key("AKID", "secret");
    let (listener, _) = listener_with(|builder| builder.keys(keys)).await;
    let asked = async |path: &str| {
        let request = format!("GET {path} HTTP/1.1\r\nHost: sns.localhost\r\n\r\n");
        ask(listener.address(), request).await.contains("MissingAuthenticationToken")
    };
    assert!(!asked("/?Action=ConfirmSubscription&TopicArn=x&Token=y").await);
    assert!(!asked("/?Action=Unsubscribe&SubscriptionArn=x").await);
    assert!(!asked("/SimpleNotificationService-0.pem").await);
    assert!(asked("/?Action=Unsubscribe&Action=DeleteTopic&TopicArn=x").await);
    assert!(asked("/?Action=DeleteTopic&TopicArn=x").await);
    let claimed =
        "/?Action=Unsubscribe&SubscriptionArn=x&X-Amz-Credential=AKID/20261126/us-east-1/sns/aws4_request";
    let request = format!("GET {claimed} HTTP/1.1\r\nHost: sns.localhost\r\n\r\n");
    assert!(ask(listener.address(), request).await.starts_with("HTTP/1.1 40"), "a signature is checked");
    assert!(asked("/SimpleNotificationService-0.pem?Action=DeleteTopic&TopicArn=x").await);
    // What stands in a body counts more than what stands in the URL.
    let hidden = post("Content-Type: application/x-www-form-urlencoded\r\n", "Action=DeleteTopic&TopicArn=x");
    let hidden = hidden.replacen("POST / ", "POST /?Action=Unsubscribe&SubscriptionArn=x ", 1);
    assert!(ask(listener.address(), hidden).await.contains("MissingAuthenticationToken"));
}

//! Notifications to HTTP endpoints (N43, N50, N56).

use broker_core::Broker;
use broker_mem::MemStorage;
use serde_json::json;

use crate::support::{Act, Aws, Endpoint, queue_arn, text_attribute};

/// The ARN of a subscription of this URL that is confirmed, with these attributes.
pub(crate) async fn confirmed(
    aws: &Aws,
    endpoint: &Endpoint,
    topic: &str,
    url: &str,
    attributes: &[(&str, &str)],
) -> String {
    let mut subscribe = aws.sns.subscribe().topic_arn(topic).protocol("http").endpoint(url);
    for (name, value) in attributes {
        subscribe = subscribe.attributes(*name, *value);
    }
    subscribe.send().await.unwrap();
    let token = endpoint.after(1).await.last().unwrap().json()["Token"].as_str().unwrap().to_owned();
    let confirm = aws.sns.confirm_subscription().topic_arn(topic).token(token);
    confirm.send().await.unwrap().subscription_arn.unwrap()
}

// N43
#[tokio::test(start_paused = true)]
async fn a_notification_is_a_post_with_the_envelope_and_headers() {
    let endpoint = Endpoint::new();
    let aws = Aws::with_endpoint(&endpoint).await;
    let topic = aws.topic("news").await;
    let url = "http://hooks.example.com/a";
    let arn = confirmed(&aws, &endpoint, &topic, url, &[]).await;
    let publish = aws.sns.publish().topic_arn(&topic).message("m").subject("s");
    let sent = publish.message_attributes("a", text_attribute("String", "b")).send().await.unwrap();
    endpoint.after(1).await;
    let got = endpoint.notifications().remove(0);
    assert_eq!((got.request.method().as_str(), got.request.uri().to_string()), ("POST", url.to_owned()));
    assert_eq!(got.header("content-type"), Some("text/plain; charset=UTF-8"));
    assert_eq!(got.header("x-amz-sns-message-id"), sent.message_id());
    assert_eq!(got.header("x-amz-sns-topic-arn"), Some(topic.as_str()));
    assert_eq!(got.header("x-amz-sns-subscription-arn"), Some(arn.as_str()));
    assert_eq!(got.header("x-amz-sns-rawdelivery"), None);
    assert_eq!(got.header("user-agent"), Some("Amazon Simple Notification Service Agent"));
    let json = got.json();
    assert_eq!((&json["Subject"], &json["Message"]), (&json!("s"), &json!("m")));
    assert_eq!(json["MessageAttributes"], json!({ "a": { "Type": "String", "Value": "b" } }));
}

// N43
#[tokio::test(start_paused = true)]
async fn a_raw_notification_is_the_message_alone() {
    let endpoint = Endpoint::new();
    let aws = Aws::with_endpoint(&endpoint).await;
    let topic = aws.topic("news").await;
    let policy = r#"{"requestPolicy": {"headerContentType": "application/json"}}"#;
    let attributes = [("RawMessageDelivery", "true"), ("DeliveryPolicy", policy)];
    confirmed(&aws, &endpoint, &topic, "http://localhost/", &attributes).await;
    let publish = aws.sns.publish().topic_arn(&topic).message(r#"{"a": 1}"#);
    publish.message_attributes("a", text_attribute("String", "b")).send().await.unwrap();
    endpoint.after(1).await;
    let got = endpoint.notifications().remove(0);
    assert_eq!(got.request.body(), r#"{"a": 1}"#.as_bytes());
    assert_eq!(got.header("x-amz-sns-rawdelivery"), Some("true"));
    assert_eq!(got.header("content-type"), Some("application/json"));
}

// N56
#[tokio::test(start_paused = true)]
async fn a_notification_that_is_refused_for_good_is_a_dead_letter_at_once() {
    let endpoint = Endpoint::new();
    let aws = Aws::with_endpoint(&endpoint).await;
    let topic = aws.topic("news").await;
    aws.queue("dead").await;
    let redrive = json!({ "deadLetterTargetArn": queue_arn("dead") }).to_string();
    confirmed(&aws, &endpoint, &topic, "http://localhost/", &[("RedrivePolicy", &redrive)]).await;
    endpoint.next([Act::Answer(403)]);
    let id = aws.publish(&topic, "m").await;
    endpoint.after(1).await;
    assert_eq!(endpoint.notifications().len(), 1);
    assert_eq!(aws.take_envelope("dead").await["MessageId"], id);
    aws.publish(&topic, "n").await;
    endpoint.after(1).await;
    assert_eq!(endpoint.notifications()[1].json()["Message"], "n", "the next one is delivered");
}

// N18, N43: what waits is delivered when there is somebody again, with the id that it had.
#[tokio::test(start_paused = true)]
async fn what_waits_is_delivered_after_a_restart() {
    let endpoint = Endpoint::new();
    let store = MemStorage::new();
    let broker = Broker::open(store.clone()).await.unwrap();
    let aws = Aws::reaching(broker.clone(), &endpoint);
    let topic = aws.topic("news").await;
    confirmed(&aws, &endpoint, &topic, "http://localhost/", &[]).await;
    endpoint.next([Act::Refuse]);
    let id = aws.publish(&topic, "m").await;
    endpoint.after(1).await;
    drop(aws);
    assert_eq!(endpoint.after(100).await.len(), 2, "nobody delivers");
    broker.close().await.unwrap();
    let aws = Aws::reaching(Broker::open(store).await.unwrap(), &endpoint);
    aws.service.resume().await.unwrap();
    endpoint.after(100).await;
    let got = endpoint.notifications();
    assert_eq!(got.len(), 2);
    assert_eq!(got[1].header("x-amz-sns-message-id"), Some(id.as_str()));
}

/// A program may have more to say to hosts than its service lets SNS: hosts are looked at again when something is sent.
#[tokio::test(start_paused = true)]
async fn a_host_that_is_no_longer_allowed_gets_nothing() {
    let endpoint = Endpoint::new();
    let aws = Aws::with_endpoint(&endpoint).await;
    let topic = aws.broker.topic("news").await.unwrap();
    let other = broker_core::Endpoint::push("http", "http://example.com/");
    let subscribed = topic.subscribe(other).await.unwrap();
    topic.confirm_subscription(&subscribed.token.unwrap()).await.unwrap();
    let arn = aws.topic("news").await;
    aws.publish(&arn, "m").await;
    assert_eq!(endpoint.after(100).await.len(), 0);
    assert_eq!(topic.subscription(subscribed.id).await.unwrap().counters.dropped, 1);
}

/// The deliveries to a topic end with it.
#[tokio::test(start_paused = true)]
async fn a_deleted_topic_delivers_nothing_more() {
    let endpoint = Endpoint::new();
    let aws = Aws::with_endpoint(&endpoint).await;
    let topic = aws.topic("news").await;
    confirmed(&aws, &endpoint, &topic, "http://localhost/", &[]).await;
    endpoint.next([Act::Refuse]);
    aws.publish(&topic, "m").await;
    endpoint.after(1).await;
    aws.sns.delete_topic().topic_arn(&topic).send().await.unwrap();
    assert_eq!(endpoint.after(1_000).await.len(), 2);
}

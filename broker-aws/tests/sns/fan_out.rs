//! From topics to queues (N40, N41, N54 to N56, N60).

use serde_json::json;

use crate::support::{Aws, queue_arn, text_attribute};

// N40
#[tokio::test(start_paused = true)]
async fn an_envelope_has_the_names_of_its_realm() {
    let aws = Aws::start().await;
    let topic = aws.topic("news").await;
    let arn = aws.subscribe(&topic, "q", &[]).await;
    let publish = aws.sns.publish().topic_arn(&topic).message("Öffnen?\n").subject("a subject");
    let sent = publish.message_attributes("a", text_attribute("Number", "1")).send().await.unwrap();
    let text = String::from_utf8(aws.take("q").await.body.to_vec()).unwrap();
    let envelope: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(envelope["Type"], "Notification");
    assert_eq!(envelope["MessageId"], sent.message_id().unwrap());
    assert_eq!(envelope["TopicArn"], topic);
    assert_eq!((&envelope["Subject"], &envelope["Message"]), (&json!("a subject"), &json!("Öffnen?\n")));
    assert_eq!(envelope["SignatureVersion"], "1");
    let unsubscribe = format!("http://localhost/?Action=Unsubscribe&SubscriptionArn={arn}");
    assert_eq!(envelope["UnsubscribeURL"], unsubscribe);
    assert_eq!(envelope["MessageAttributes"], json!({ "a": { "Type": "Number", "Value": "1" } }));
    let time = envelope["Timestamp"].as_str().unwrap();
    assert!(time.len() == 24 && time.ends_with('Z'), "{time}");
    let keys = ["Type", "MessageId", "TopicArn", "Subject", "Message", "Timestamp", "SignatureVersion"];
    let places: Vec<_> = keys.iter().map(|key| text.find(&format!("\"{key}\":")).unwrap()).collect();
    assert!(places.is_sorted(), "{text}");
}

// N40: the account and region of the realm, and the address that the service was given.
#[tokio::test(start_paused = true)]
async fn names_follow_the_realm_and_the_address_of_the_service() {
    use broker_aws::{Realm, Service, SingleRealm, sdk_config};
    let realm = Realm::new("123456789012", "eu-west-1").unwrap();
    let broker = broker_core::Broker::open(broker_mem::MemStorage::new()).await.unwrap();
    let service = Service::builder(SingleRealm::new(realm.clone(), broker.clone()));
    let service = service.endpoint("https://aws.example.com/").build();
    let sns = aws_sdk_sns::Client::new(&sdk_config(&service, &realm, &broker));
    let topic = sns.create_topic().name("news").send().await.unwrap().topic_arn.unwrap();
    assert_eq!(topic, "arn:aws:sns:eu-west-1:123456789012:news");
    let queue = broker.queue("q").await.unwrap();
    let endpoint = "arn:aws:sqs:eu-west-1:123456789012:q";
    sns.subscribe().topic_arn(&topic).protocol("sqs").endpoint(endpoint).send().await.unwrap();
    sns.publish().topic_arn(&topic).message("m").send().await.unwrap();
    let body = queue.receive(broker_core::ReceiveOptions::default()).await.unwrap().remove(0).body;
    let envelope: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(envelope["TopicArn"], topic);
    let url = envelope["UnsubscribeURL"].as_str().unwrap();
    assert!(
        url.starts_with("https://aws.example.com/?Action=Unsubscribe&SubscriptionArn=arn:aws:sns:eu-west-1:")
    );
}

// N41: and a client of SQS sees it so.
#[tokio::test(start_paused = true)]
async fn a_raw_message_is_seen_by_a_client_of_sqs() {
    let aws = Aws::start().await;
    let topic = aws.topic("news").await;
    aws.subscribe(&topic, "q", &[("RawMessageDelivery", "true")]).await;
    let publish = aws.sns.publish().topic_arn(&topic).message("Test msg");
    publish.message_attributes("attr1", text_attribute("Number", "99.12")).send().await.unwrap();
    let receive = aws.sqs.receive_message().queue_url("http://localhost/000000000000/q");
    let received = receive.message_attribute_names("All").send().await.unwrap();
    let message = &received.messages()[0];
    assert_eq!(message.body(), Some("Test msg"));
    assert_eq!(message.md5_of_message_attributes(), Some("d302007e9aa062660afc85fd0a482472"));
    assert_eq!(message.message_attributes().unwrap()["attr1"].string_value(), Some("99.12"));
}

// N60, N61, N16: filters as attributes spell them.
#[tokio::test(start_paused = true)]
async fn filters_decide_who_gets_a_message() {
    let aws = Aws::start().await;
    let topic = aws.topic("news").await;
    let by_attribute = [("FilterPolicy", r#"{"price": [{"numeric": [">=", 100]}]}"#)];
    aws.subscribe(&topic, "dear", &by_attribute).await;
    let by_body = [("FilterPolicy", r#"{"kind": {"name": ["a"]}}"#), ("FilterPolicyScope", "MessageBody")];
    aws.subscribe(&topic, "of-a", &by_body).await;
    aws.subscribe(&topic, "all", &[]).await;
    aws.publish(&topic, r#"{"kind": {"name": "a"}}"#).await;
    let publish = aws.sns.publish().topic_arn(&topic).message(r#"{"kind": "b"}"#);
    publish.message_attributes("price", text_attribute("Number", "250")).send().await.unwrap();
    assert_eq!((aws.depth("dear").await, aws.depth("of-a").await, aws.depth("all").await), (1, 1, 2));
    assert_eq!(aws.take_envelope("dear").await["Message"], r#"{"kind": "b"}"#);
    assert_eq!(aws.take_envelope("of-a").await["Message"], r#"{"kind": {"name": "a"}}"#);
}

// N54, N55, N56
#[tokio::test(start_paused = true)]
async fn what_cannot_be_delivered_is_in_the_dead_letter_queue_as_it_would_have_been() {
    let aws = Aws::start().await;
    let topic = aws.topic("news").await;
    aws.queue("dead").await;
    let redrive = json!({ "deadLetterTargetArn": queue_arn("dead") }).to_string();
    let arn = aws.subscribe(&topic, "q", &[("RedrivePolicy", &redrive)]).await;
    aws.sqs.delete_queue().queue_url("q").send().await.unwrap();
    let id = aws.publish(&topic, "m").await;
    let dead = aws.take_envelope("dead").await;
    assert_eq!((&dead["MessageId"], &dead["Message"]), (&json!(id), &json!("m")));
    // N18: the subscription is as it was.
    assert_eq!(aws.attribute(&arn, "RedrivePolicy").await, Some(redrive));
}

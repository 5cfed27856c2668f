//! The JSON envelope in which queues get messages unless they ask for them raw (N40).

use broker_core::{
    AttributeValue, Broker, Clock, Envelope, Message, Notification, PublishMessage, Signature,
    SubscriptionId, TokioClock,
};
use broker_mem::MemStorage;

use crate::{
    support::{World, take},
    topic_support::{envelope, fifo},
};

/// The keys of an envelope in the order in which they are written.
fn keys(message: &Message) -> Vec<String> {
    let text = message.text().unwrap();
    let json = envelope(message);
    let mut keys: Vec<_> = json.as_object().unwrap().keys().cloned().collect();
    let place = |key: &String| text.find(&format!("\"{key}\":")).expect("each key is written so");
    keys.sort_by_key(place);
    keys
}

/// N40.
async fn an_envelope_has_its_keys_in_the_documented_order(world: World) {
    let (broker, topic) = world.news().await;
    let queue = broker.queue("q").await.unwrap();
    topic.subscribe(&queue).await.unwrap();
    let full = PublishMessage::new("m").subject("s").attribute("a", AttributeValue::number(5));
    let published = topic.publish(full).await.unwrap();
    let message = take(&queue).await;
    assert_eq!(
        keys(&message),
        [
            "Type",
            "MessageId",
            "TopicArn",
            "Subject",
            "Message",
            "Timestamp",
            "SignatureVersion",
            "Signature",
            "SigningCertURL",
            "UnsubscribeURL",
            "MessageAttributes",
        ]
    );
    let json = envelope(&message);
    assert_eq!(json["Type"], "Notification");
    assert_eq!(json["MessageId"], published.id.to_string());
    assert!(json["TopicArn"].as_str().unwrap().ends_with(":news"));
    assert_eq!((json["Subject"].as_str(), json["Message"].as_str()), (Some("s"), Some("m")));
    assert_eq!(json["Timestamp"], world.now().to_string());
    assert_eq!(json["Timestamp"].as_str().unwrap().len(), "2026-11-26T02:45:08.123Z".len());
    assert_eq!(json["MessageAttributes"]["a"], serde_json::json!({"Type": "Number", "Value": "5"}));
    assert!(message.attributes.is_empty(), "the message of the queue has none of its own");
}

/// N40: what is not there has no key.
async fn an_envelope_without_subject_and_attributes_has_no_keys_for_them(world: World) {
    let (broker, topic) = world.news().await;
    let queue = broker.queue("q").await.unwrap();
    topic.subscribe(&queue).await.unwrap();
    topic.publish("m").await.unwrap();
    let found = keys(&take(&queue).await);
    assert!(
        !found.iter().any(|key| ["Subject", "MessageAttributes", "SequenceNumber"].contains(&key.as_str()))
    );
    assert_eq!(found.len(), 9);
}

/// N40.
async fn an_envelope_of_a_fifo_topic_has_the_number_and_no_signature(world: World) {
    let broker = world.broker().await;
    let topic = broker.topic("a.fifo").fifo().await.unwrap();
    let (ordered, standard) =
        (broker.queue("q.fifo").fifo().await.unwrap(), broker.queue("q").await.unwrap());
    topic.subscribe(&ordered).await.unwrap();
    topic.subscribe(&standard).await.unwrap();
    let published = topic.publish(fifo("a1").subject("s")).await.unwrap();
    for queue in [ordered, standard] {
        let message = take(&queue).await;
        let expected = ["Type", "MessageId", "SequenceNumber", "TopicArn", "Subject", "Message", "Timestamp"];
        assert_eq!(keys(&message), [&expected[..], &["UnsubscribeURL"]].concat());
        assert_eq!(envelope(&message)["SequenceNumber"], published.sequence_number.unwrap().to_string());
    }
}

/// N40.
async fn attributes_in_an_envelope_have_type_and_text_and_binary_ones_base64(world: World) {
    let (broker, topic) = world.news().await;
    let queue = broker.queue("q").await.unwrap();
    topic.subscribe(&queue).await.unwrap();
    let message = PublishMessage::new("m")
        .attribute("text", AttributeValue::string("say \"hi\""))
        .attribute("list", AttributeValue::from_text("String.Array".into(), r#"["a", 1]"#.into()))
        .attribute("number", AttributeValue::number("1.50"))
        .attribute("bytes", AttributeValue::from_binary("Binary.x".into(), vec![0, 255, 1].into()));
    topic.publish(message).await.unwrap();
    let expected = serde_json::json!({
        "text": {"Type": "String", "Value": "say \"hi\""},
        "list": {"Type": "String.Array", "Value": "[\"a\", 1]"},
        "number": {"Type": "Number", "Value": "1.50"},
        "bytes": {"Type": "Binary.x", "Value": "AP8B"},
    });
    assert_eq!(envelope(&take(&queue).await)["MessageAttributes"], expected);
}

/// N40, N23: all subscribers are told one id and one time, and every queue has its own message.
async fn every_subscriber_is_told_the_same_id_and_time(world: World) {
    let (broker, topic) = world.news().await;
    let queues = [broker.queue("a").await.unwrap(), broker.queue("b").await.unwrap()];
    for queue in &queues {
        topic.subscribe(queue).await.unwrap();
    }
    let published = topic.publish("m").await.unwrap();
    let [a, b] = [take(&queues[0]).await, take(&queues[1]).await];
    assert_eq!(a.body, b.body);
    assert_eq!(envelope(&a)["MessageId"], published.id.to_string());
    assert_ne!(a.id, b.id);
}

everywhere! {
    an_envelope_has_its_keys_in_the_documented_order,
    an_envelope_without_subject_and_attributes_has_no_keys_for_them,
    an_envelope_of_a_fifo_topic_has_the_number_and_no_signature,
    attributes_in_an_envelope_have_type_and_text_and_binary_ones_base64,
    every_subscriber_is_told_the_same_id_and_time,
}

/// An envelope as a protocol crate gives it.
struct Signed;

impl Envelope for Signed {
    fn topic_arn(&self, topic: &str) -> String {
        format!("arn:of:{topic}")
    }

    fn signature(&self, notification: &Notification) -> Signature {
        Signature {
            version: "2".into(),
            signature: format!("signed {}", notification.text()),
            signing_cert_url: "https://cert".into(),
        }
    }

    fn unsubscribe_url(&self, topic: &str, subscription: SubscriptionId) -> String {
        format!("https://{topic}/{subscription}")
    }
}

/// N40: names and signatures are those that the world around the broker gives, each subscriber has a link of its own.
#[tokio::test(start_paused = true)]
async fn names_signatures_and_links_are_given_by_the_protocol() {
    let broker = Broker::builder(MemStorage::new()).envelope(Signed).open().await.unwrap();
    let topic = broker.topic("news").await.unwrap();
    for name in ["a", "b"] {
        let queue = broker.queue(name).await.unwrap();
        let id = topic.subscribe(&queue).await.unwrap().id;
        topic.publish("m").await.unwrap();
        let json = envelope(&take(&queue).await);
        assert_eq!(json["TopicArn"], "arn:of:news");
        assert_eq!(
            (json["SignatureVersion"].as_str(), json["Signature"].as_str()),
            (Some("2"), Some("signed m"))
        );
        assert_eq!(json["SigningCertURL"], "https://cert");
        assert_eq!(json["UnsubscribeURL"], format!("https://news/{id}"));
    }
}

/// N40, N22: what is signed is the text that the subscriber is shown, also if its protocol has one of its own.
#[tokio::test(start_paused = true)]
async fn what_is_signed_is_what_is_shown() {
    let broker = Broker::builder(MemStorage::new()).envelope(Signed).open().await.unwrap();
    let topic = broker.topic("news").await.unwrap();
    let queue = broker.queue("q").await.unwrap();
    topic.subscribe(&queue).await.unwrap();
    topic.publish(PublishMessage::new("all").body_for("sqs", "queues")).await.unwrap();
    let json = envelope(&take(&queue).await);
    assert_eq!(
        (json["Message"].as_str(), json["Signature"].as_str()),
        (Some("queues"), Some("signed queues"))
    );
}

/// N40: names can also be given to a broker that is open already.
#[tokio::test(start_paused = true)]
async fn an_envelope_that_is_set_later_holds_from_the_next_publish_on() {
    let broker = Broker::open(MemStorage::new()).await.unwrap();
    let topic = broker.topic("news").await.unwrap();
    let queue = broker.queue("q").await.unwrap();
    topic.subscribe(&queue).await.unwrap();
    topic.publish("before").await.unwrap();
    broker.set_envelope(Signed);
    topic.publish("after").await.unwrap();
    assert_eq!(envelope(&take(&queue).await)["TopicArn"], "arn:aws:sns:us-east-1:000000000000:news");
    assert_eq!(envelope(&take(&queue).await)["TopicArn"], "arn:of:news");
}

/// N40: a push subscriber gets the parts, and the envelope if it asks for it.
#[tokio::test(start_paused = true)]
async fn a_push_subscriber_can_make_the_envelope_of_its_message() {
    let clock = TokioClock::new();
    let broker = Broker::builder(MemStorage::new()).clock(clock.clone()).open().await.unwrap();
    let topic = broker.topic("news").await.unwrap();
    let queue = broker.queue("q").await.unwrap();
    topic.subscribe(&queue).await.unwrap();
    let id = topic.subscribe(broker_core::Endpoint::handler("h")).await.unwrap().id;
    let (told, hear) = tokio::sync::oneshot::channel();
    let told = parking_lot::Mutex::new(Some(told));
    let handler = move |notification: Notification| {
        let sent = told.lock().take().unwrap().send(notification);
        async move { assert!(sent.is_ok()) }
    };
    let _attached = topic.attach(id, handler).await.unwrap();
    let message = PublishMessage::new("m").subject("s").attribute("a", AttributeValue::number(1));
    let published = topic.publish(message.clone()).await.unwrap();
    let notification = hear.await.unwrap();
    assert_eq!((notification.id, notification.topic.as_str()), (published.id, "news"));
    assert_eq!((notification.subject.as_deref(), notification.text()), (Some("s"), "m"));
    assert_eq!(
        (notification.attributes.clone(), notification.published_at),
        (message.attributes, clock.now())
    );
    assert_eq!((notification.sequence_number, notification.replayed, notification.attempt), (None, false, 1));
    assert_eq!(topic.in_envelope(&notification, id), take(&queue).await.text().unwrap());
}

//! Creating, listing and deleting topics (N1 to N4, N6).

use aws_sdk_sns::types::Tag;

use crate::support::{Aws, invalid, refusal, topic_arn};

fn tag(key: &str, value: &str) -> Tag {
    Tag::builder().key(key).value(value).build().unwrap()
}

// N1
#[tokio::test(start_paused = true)]
async fn a_topic_has_an_arn_of_its_name_in_account_and_region() {
    let aws = Aws::start().await;
    assert_eq!(aws.topic("orders").await, topic_arn("orders"));
    assert_eq!(aws.broker.list_topics(), ["orders"]);
}

// N1
#[tokio::test(start_paused = true)]
async fn names_that_are_none_are_refused() {
    let aws = Aws::start().await;
    for (name, fifo) in [("a b", None), ("", None), ("x.fifo", None), ("x", Some("true"))] {
        let create = aws.sns.create_topic().name(name);
        let create = fifo.into_iter().fold(create, |create, fifo| create.attributes("FifoTopic", fifo));
        let refused = create.send().await;
        assert!(refused.as_ref().unwrap_err().as_service_error().unwrap().is_invalid_parameter_exception());
        assert_eq!(invalid(refused), "Invalid parameter: Topic Name", "{name}");
    }
    assert_eq!(aws.broker.list_topics(), [""; 0]);
}

// N2
#[tokio::test(start_paused = true)]
async fn creating_again_is_the_same_topic_unless_something_differs() {
    let aws = Aws::start().await;
    let create = || aws.sns.create_topic().name("news");
    let first = create()
        .attributes("DisplayName", "News")
        .attributes("SignatureVersion", "2")
        .tags(tag("a", "1"))
        .send()
        .await
        .unwrap();
    for again in [
        create(),
        create().attributes("DisplayName", "News"),
        create().attributes("SignatureVersion", "2").tags(tag("a", "1")),
    ] {
        assert_eq!(again.send().await.unwrap().topic_arn, first.topic_arn);
    }
    let attributes = "Invalid parameter: Attributes Reason: Topic already exists with different attributes";
    let tags = "Invalid parameter: Tags Reason: Topic already exists with different tags";
    for (other, told) in [
        (create().attributes("DisplayName", "Olds"), attributes),
        (create().attributes("SignatureVersion", "1"), attributes),
        (create().attributes("TracingConfig", "Active"), attributes),
        (create().tags(tag("a", "2")), tags),
    ] {
        assert_eq!(invalid(other.send().await), told);
    }
}

// N3
#[tokio::test(start_paused = true)]
async fn deleting_takes_the_subscriptions_along_and_may_be_repeated() {
    let aws = Aws::start().await;
    let topic = aws.topic("news").await;
    aws.sns
        .set_topic_attributes()
        .topic_arn(&topic)
        .attribute_name("SignatureVersion")
        .attribute_value("2")
        .send()
        .await
        .unwrap();
    aws.subscribe(&topic, "q", &[]).await;
    for _ in 0..2 {
        aws.sns.delete_topic().topic_arn(&topic).send().await.unwrap();
    }
    assert_eq!(aws.sns.list_subscriptions().send().await.unwrap().subscriptions(), []);
    let refused = aws.sns.get_topic_attributes().topic_arn(&topic).send().await;
    assert!(refused.as_ref().unwrap_err().as_service_error().unwrap().is_not_found_exception());
    assert_eq!(refusal(refused), ("NotFound".into(), "Topic does not exist".into(), 404));

    // A new one of its name has nothing of it.
    let topic = aws.topic("news").await;
    let attributes = aws.sns.get_topic_attributes().topic_arn(&topic).send().await.unwrap();
    assert_eq!(attributes.attributes().unwrap().get("SignatureVersion"), None);
}

// N84
#[tokio::test(start_paused = true)]
async fn a_topic_with_an_archive_is_not_deleted() {
    let aws = Aws::start().await;
    let topic = aws.fifo_topic("news.fifo").await;
    let set = |value: &str| {
        let set = aws.sns.set_topic_attributes().topic_arn(&topic).attribute_name("ArchivePolicy");
        set.attribute_value(value).send()
    };
    set(r#"{"MessageRetentionPeriod": "30"}"#).await.unwrap();
    let refused = aws.sns.delete_topic().topic_arn(&topic).send().await;
    assert!(refused.as_ref().unwrap_err().as_service_error().unwrap().is_invalid_state_exception());
    assert_eq!(refusal(refused).0, "InvalidState");
    set("{}").await.unwrap();
    aws.sns.delete_topic().topic_arn(&topic).send().await.unwrap();
}

// N4
#[tokio::test(start_paused = true)]
async fn what_is_no_arn_of_a_topic_is_refused() {
    let aws = Aws::start().await;
    let get = |arn: &str| aws.sns.get_topic_attributes().topic_arn(arn).send();
    for (arn, elements) in [("news", 1), ("a:b", 2), ("arn:aws:sns:us-east-1:000000000000", 5)] {
        let told = "Invalid parameter: TopicArn Reason: An ARN must have at least 6 elements, not";
        assert_eq!(invalid(get(arn).await), format!("{told} {elements}"));
    }
    for arn in [
        "arn:aws:sns:eu-west-1:000000000000:news",
        "arn:aws:sqs:us-east-1:000000000000:news",
        "arn:aws:sns:us-east-1:000000000000:news:id",
        "urn:aws:sns:us-east-1:000000000000:news",
    ] {
        assert_eq!(invalid(get(arn).await), "Invalid parameter: TopicArn", "{arn}");
    }
    let elsewhere = get("arn:aws:sns:us-east-1:123456789012:news").await;
    assert_eq!(refusal(elsewhere).0, "NotFound");
}

// N6
#[tokio::test(start_paused = true)]
async fn topics_are_listed_in_pages_of_100() {
    let aws = Aws::start().await;
    let names: Vec<_> = (0..150).map(|number| format!("topic-{number:03}")).collect();
    for name in &names {
        aws.broker.topic(name).await.unwrap();
    }
    let first = aws.sns.list_topics().send().await.unwrap();
    assert_eq!(first.topics().len(), 100);
    let second = aws.sns.list_topics().next_token(first.next_token().unwrap()).send().await.unwrap();
    assert_eq!(second.next_token(), None);
    let listed = first.topics().iter().chain(second.topics()).map(|topic| topic.topic_arn().unwrap());
    let expected: Vec<_> = names.iter().map(|name| topic_arn(name)).collect();
    assert_eq!(listed.collect::<Vec<_>>(), expected);
    let refused = aws.sns.list_topics().next_token("%%").send().await;
    assert_eq!(invalid(refused), "Invalid parameter: NextToken");
}

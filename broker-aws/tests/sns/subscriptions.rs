//! Subscribing, listing and unsubscribing (N10, N11, N13 to N15).

use crate::support::{Aws, Endpoint, invalid, queue_arn, refusal, topic_arn};

// N10, N11, N15
#[tokio::test(start_paused = true)]
async fn a_queue_is_subscribed_by_its_arn_and_confirmed_at_once() {
    let aws = Aws::start().await;
    let topic = aws.topic("news").await;
    let subscribe = aws.sns.subscribe().topic_arn(&topic).protocol("sqs").endpoint(queue_arn("later"));
    let arn = subscribe.send().await.unwrap().subscription_arn.unwrap();
    assert!(arn.starts_with(&format!("{topic}:")), "{arn}");
    assert_eq!(aws.attribute(&arn, "PendingConfirmation").await.as_deref(), Some("false"));
    assert_eq!(aws.attribute(&arn, "ConfirmationWasAuthenticated").await.as_deref(), Some("true"));
    // The queue need not have been there.
    aws.queue("later").await;
    aws.publish(&topic, "m").await;
    assert_eq!(aws.depth("later").await, 1);
}

// N10, N15
#[tokio::test(start_paused = true)]
async fn endpoints_that_are_none_are_refused() {
    let aws = Aws::start().await;
    let topic = aws.topic("news").await;
    let subscribe = async |protocol: &str, endpoint: &str| {
        invalid(aws.sns.subscribe().topic_arn(&topic).protocol(protocol).endpoint(endpoint).send().await)
    };
    let told = "Invalid parameter: Amazon SNS does not support this protocol string: fax";
    assert_eq!(subscribe("fax", "1").await, told);
    for bad in ["http://localhost/000000000000/q", "q", "arn:aws:sns:us-east-1:000000000000:q"] {
        assert_eq!(subscribe("sqs", bad).await, "Invalid parameter: SQS endpoint ARN");
    }
    let told = "Invalid parameter: SQS endpoint ARN";
    assert_eq!(subscribe("sqs", "arn:aws:sqs:us-east-1:000000000000:a b").await, told);
    assert!(subscribe("sqs", "arn:aws:sqs:eu-west-1:000000000000:q").await.contains("Endpoint Reason"));
    let told = "Invalid parameter: Invalid parameter: Endpoint Reason: FIFO SQS Queues can not be subscribed to \
                standard SNS topics";
    assert_eq!(subscribe("sqs", &queue_arn("q.fifo")).await, told);
    let told = "Invalid parameter: Endpoint must match the specified protocol";
    assert_eq!(subscribe("http", "https://localhost/").await, told);
    assert_eq!(subscribe("https", "localhost").await, told);
    assert_eq!(subscribe("sms", "call me").await, "Invalid SMS endpoint: call me");
    let missing = aws.sns.subscribe().topic_arn(&topic).protocol("sqs").send().await;
    assert_eq!(invalid(missing), "Invalid parameter: Endpoint");
    let nowhere =
        aws.sns.subscribe().topic_arn(topic_arn("missing")).protocol("sqs").endpoint(queue_arn("q"));
    assert_eq!(refusal(nowhere.send().await).0, "NotFound");
    assert_eq!(aws.sns.list_subscriptions().send().await.unwrap().subscriptions(), []);
}

// N10
#[tokio::test(start_paused = true)]
async fn a_fifo_topic_takes_queues_of_both_types_and_nothing_else() {
    let aws = Aws::start().await;
    let topic = aws.fifo_topic("news.fifo").await;
    aws.subscribe(&topic, "a.fifo", &[]).await;
    aws.subscribe(&topic, "b", &[]).await;
    let mail =
        aws.sns.subscribe().topic_arn(&topic).protocol("email").endpoint("me@example.com").send().await;
    assert!(invalid(mail).contains("FIFO topics deliver to queues only"));
}

// N10
#[tokio::test(start_paused = true)]
async fn an_endpoint_on_a_host_that_is_not_allowed_is_refused() {
    let aws = Aws::start().await;
    let topic = aws.topic("news").await;
    let subscribe = |aws: &Aws, endpoint: &str| {
        aws.sns.subscribe().topic_arn(&topic).protocol("http").endpoint(endpoint).send()
    };
    // By default, none is.
    let refused = subscribe(&aws, "http://localhost/").await;
    assert!(refused.as_ref().unwrap_err().as_service_error().unwrap().is_authorization_error_exception());
    let (code, message, status) = refusal(refused);
    assert_eq!((code.as_str(), status), ("AuthorizationError", 403));
    assert!(message.contains("localhost"), "{message}");

    let endpoint = Endpoint::new();
    let aws = Aws::with_endpoint(&endpoint).await;
    aws.topic("news").await;
    for allowed in
        ["http://localhost:8080/a", "http://127.0.0.1/", "http://[::1]:1/", "http://hooks.example.com/"]
    {
        subscribe(&aws, allowed).await.unwrap();
    }
    for other in [
        "http://example.com/",
        "http://169.254.169.254/latest",
        "http://localhost.example.com/",
        "http://localhost@example.com/",
        "http://10.0.0.1/",
    ] {
        assert_eq!(refusal(subscribe(&aws, other).await).0, "AuthorizationError", "{other}");
    }
    assert_eq!(endpoint.after(100).await.len(), 4);
}

// N13
#[tokio::test(start_paused = true)]
async fn subscribing_again_is_the_same_subscription_unless_something_differs() {
    let aws = Aws::start().await;
    let topic = aws.fifo_topic("news.fifo").await;
    let role = ("SubscriptionRoleArn", "arn:aws:iam::000000000000:role/r");
    let arn = aws.subscribe(&topic, "q", &[("RawMessageDelivery", "true"), role]).await;
    for same in [&[][..], &[("RawMessageDelivery", "TRUE")], &[role]] {
        assert_eq!(aws.subscribe(&topic, "q", same).await, arn);
    }
    for (name, value) in [
        ("RawMessageDelivery", "false"),
        ("FilterPolicy", r#"{"a": ["b"]}"#),
        ("SubscriptionRoleArn", "arn:aws:iam::000000000000:role/other"),
        ("ReplayPolicy", r#"{"PointType": "Timestamp", "StartingPoint": "2026-01-01T00:00:00.000Z"}"#),
    ] {
        let other = aws.sns.subscribe().topic_arn(&topic).protocol("sqs").endpoint(queue_arn("q"));
        let told =
            "Invalid parameter: Attributes Reason: Subscription already exists with different attributes";
        assert_eq!(invalid(other.attributes(name, value).send().await), told, "{name}");
    }
}

// N14
#[tokio::test(start_paused = true)]
async fn unsubscribing_may_be_repeated() {
    let aws = Aws::start().await;
    let topic = aws.topic("news").await;
    let arn = aws.subscribe(&topic, "q", &[]).await;
    for _ in 0..2 {
        aws.sns.unsubscribe().subscription_arn(&arn).send().await.unwrap();
    }
    aws.publish(&topic, "m").await;
    assert_eq!(aws.depth("q").await, 0);
    let got = aws.sns.get_subscription_attributes().subscription_arn(&arn).send().await;
    assert!(got.as_ref().unwrap_err().as_service_error().unwrap().is_not_found_exception());
    assert_eq!(refusal(got), ("NotFound".into(), "Subscription does not exist".into(), 404));
    aws.sns.delete_topic().topic_arn(&topic).send().await.unwrap();
    aws.sns.unsubscribe().subscription_arn(&arn).send().await.unwrap();
}

// N14
#[tokio::test(start_paused = true)]
async fn what_is_no_arn_of_a_subscription_is_refused() {
    let aws = Aws::start().await;
    let unsubscribe = |arn: &str| aws.sns.unsubscribe().subscription_arn(arn).send();
    let told = "Invalid parameter: SubscriptionArn Reason: An ARN must have at least 6 elements, not 1";
    assert_eq!(invalid(unsubscribe("x").await), told);
    assert_eq!(invalid(unsubscribe(&topic_arn("news")).await), "Invalid parameter: SubscriptionId");
    let get = aws.sns.get_subscription_attributes().subscription_arn(topic_arn("news:fake")).send().await;
    assert_eq!(refusal(get).0, "NotFound");
}

// N6
#[tokio::test(start_paused = true)]
async fn subscriptions_are_listed_in_pages_of_100_whole_or_by_topic() {
    let aws = Aws::start().await;
    let (news, more) = (aws.topic("news").await, aws.topic("more").await);
    for number in 0..120 {
        let topic = aws.broker.open_topic(if number < 110 { "news" } else { "more" }).await.unwrap();
        topic.subscribe(broker_core::Endpoint::queue(format!("q{number}"))).await.unwrap();
    }
    let first = aws.sns.list_subscriptions().send().await.unwrap();
    let second = aws.sns.list_subscriptions().next_token(first.next_token().unwrap()).send().await.unwrap();
    assert_eq!((first.subscriptions().len(), second.subscriptions().len()), (100, 20));
    assert_eq!(second.next_token(), None);
    let mut seen: Vec<_> = first.subscriptions().iter().chain(second.subscriptions()).collect();
    seen.dedup_by_key(|one| one.subscription_arn());
    assert_eq!(seen.len(), 120);
    let of_more = aws.sns.list_subscriptions_by_topic().topic_arn(&more).send().await.unwrap();
    assert_eq!(of_more.subscriptions().len(), 10);
    let one = &of_more.subscriptions()[0];
    assert_eq!((one.owner(), one.protocol()), (Some("000000000000"), Some("sqs")));
    assert_eq!(one.topic_arn(), Some(more.as_str()));
    assert!(one.endpoint().unwrap().starts_with(&queue_arn("q1")));
    let of_news = aws.sns.list_subscriptions_by_topic().topic_arn(&news).send().await.unwrap();
    let token = of_news.next_token().unwrap();
    let rest = aws.sns.list_subscriptions_by_topic().topic_arn(&news).next_token(token).send().await.unwrap();
    assert_eq!((of_news.subscriptions().len(), rest.subscriptions().len()), (100, 10));
    let refused = aws.sns.list_subscriptions().next_token("%%").send().await;
    assert_eq!(invalid(refused), "Invalid parameter: NextToken");
    let missing = aws.sns.list_subscriptions_by_topic().topic_arn(topic_arn("missing")).send().await;
    assert_eq!(refusal(missing).0, "NotFound");
}

// N10: nothing here reaches these, so their messages wait for somebody in the program who does.
#[tokio::test(start_paused = true)]
async fn messages_for_other_protocols_wait_for_whoever_delivers_them() {
    let aws = Aws::start().await;
    let topic = aws.topic("news").await;
    let function = "arn:aws:lambda:us-east-1:000000000000:function:f";
    let subscribed = aws.sns.subscribe().topic_arn(&topic).protocol("lambda").endpoint(function).send().await;
    let arn = subscribed.unwrap().subscription_arn.unwrap();
    aws.publish(&topic, "m").await;
    let id = arn.rsplit(':').next().unwrap().parse().unwrap();
    let (told, hear) = tokio::sync::oneshot::channel();
    let told = std::sync::Mutex::new(Some(told));
    let handler = move |notification: broker_core::Notification| {
        let told = told.lock().unwrap().take();
        async move { told.unwrap().send(notification.text().to_owned()).unwrap() }
    };
    let attached = aws.broker.open_topic("news").await.unwrap().attach(id, handler).await.unwrap();
    assert_eq!(hear.await.unwrap(), "m");
    attached.stop().await;
    let mail =
        aws.sns.subscribe().topic_arn(&topic).protocol("email").endpoint("me@example.com").send().await;
    assert_eq!(mail.unwrap().subscription_arn(), Some("pending confirmation"));
}

//! Confirming subscriptions of HTTP endpoints, and their end (N11, N12, N14).

use std::time::Duration;

use crate::support::{Act, Aws, Endpoint, invalid, refusal, topic_arn};

const HOOK: &str = "http://localhost:8080/hook?a=1";

/// Subscribes the hook, and says what Subscribe answered.
async fn subscribe(aws: &Aws, topic: &str) -> String {
    let subscribe = aws.sns.subscribe().topic_arn(topic).protocol("http").endpoint(HOOK);
    subscribe.send().await.unwrap().subscription_arn.unwrap()
}

/// The ARN of the only subscription, as lists show it.
async fn listed(aws: &Aws) -> String {
    let listed = aws.sns.list_subscriptions().send().await.unwrap();
    listed.subscriptions()[0].subscription_arn().unwrap().to_owned()
}

// N11, N43
#[tokio::test(start_paused = true)]
async fn an_endpoint_is_asked_and_gets_nothing_until_it_confirms() {
    let endpoint = Endpoint::new();
    let aws = Aws::with_endpoint(&endpoint).await;
    let topic = aws.topic("news").await;
    assert_eq!(subscribe(&aws, &topic).await, "pending confirmation");
    assert_eq!(listed(&aws).await, "PendingConfirmation");
    aws.publish(&topic, "too early").await;
    let got = endpoint.after(100).await;
    assert_eq!(got.len(), 1);
    let asked = &got[0];
    assert_eq!((asked.request.method().as_str(), asked.request.uri().to_string()), ("POST", HOOK.to_owned()));
    assert_eq!(asked.kind(), "SubscriptionConfirmation");
    assert_eq!(asked.header("x-amz-sns-topic-arn"), Some(topic.as_str()));
    assert_eq!(asked.header("x-amz-sns-subscription-arn"), None);
    assert_eq!(asked.header("content-type"), Some("text/plain; charset=UTF-8"));
    let json = asked.json();
    assert_eq!(
        (&json["Type"], &json["TopicArn"]),
        (&"SubscriptionConfirmation".into(), &topic.clone().into())
    );
    assert_eq!(asked.header("x-amz-sns-message-id"), json["MessageId"].as_str());
    assert!(
        json["Message"]
            .as_str()
            .unwrap()
            .starts_with("You have chosen to subscribe to the topic arn:aws:sns")
    );

    // The link is followed by whoever reads the message: without a signature.
    let (status, body) = aws.get(json["SubscribeURL"].as_str().unwrap()).await;
    assert_eq!(status, 200, "{body}");
    let arn = listed(&aws).await;
    assert!(body.contains(&format!("<SubscriptionArn>{arn}</SubscriptionArn>")), "{body}");
    assert_eq!(aws.attribute(&arn, "ConfirmationWasAuthenticated").await.as_deref(), Some("false"));
    aws.publish(&topic, "in time").await;
    assert_eq!(endpoint.after(1).await.len(), 2);
    assert_eq!(endpoint.notifications()[0].json()["Message"], "in time");
}

// N11, N12
#[tokio::test(start_paused = true)]
async fn a_token_confirms_one_subscription_for_two_days() {
    let endpoint = Endpoint::new();
    let aws = Aws::with_endpoint(&endpoint).await;
    let topic = aws.topic("news").await;
    let return_arn = aws.sns.subscribe().topic_arn(&topic).protocol("http").endpoint(HOOK);
    let arn = return_arn.return_subscription_arn(true).send().await.unwrap().subscription_arn.unwrap();
    assert_eq!(aws.attribute(&arn, "PendingConfirmation").await.as_deref(), Some("true"));
    let token = endpoint.after(1).await[0].json()["Token"].as_str().unwrap().to_owned();
    let confirm = |token: &str| aws.sns.confirm_subscription().topic_arn(&topic).token(token);
    assert_eq!(invalid(confirm("x").send().await), "Invalid token");
    let other = "0".repeat(token.len());
    assert_eq!(invalid(confirm(&other).send().await), "Invalid parameter: Token");
    let elsewhere = aws.sns.confirm_subscription().topic_arn(topic_arn("missing")).token(&token).send().await;
    assert_eq!(invalid(elsewhere), "Invalid parameter: Token");

    // Subscribing again asks again, with a new token for two more days.
    tokio::time::sleep(Duration::from_secs(2 * 86_400 + 1)).await;
    assert_eq!(invalid(confirm(&token).send().await), "Invalid parameter: Token");
    subscribe(&aws, &topic).await;
    let token = endpoint.after(1).await[1].json()["Token"].as_str().unwrap().to_owned();
    for _ in 0..2 {
        let confirmed = confirm(&token).send().await.unwrap();
        assert_eq!(confirmed.subscription_arn(), Some(arn.as_str()));
    }
    assert_eq!(aws.attribute(&arn, "PendingConfirmation").await.as_deref(), Some("false"));
    assert_eq!(aws.attribute(&arn, "ConfirmationWasAuthenticated").await.as_deref(), Some("true"));
}

// N50, N53
#[tokio::test(start_paused = true)]
async fn an_endpoint_that_is_away_is_asked_four_times() {
    let endpoint = Endpoint::new();
    endpoint.next([Act::Refuse, Act::Answer(500), Act::Hang, Act::Answer(404)]);
    let aws = Aws::with_endpoint(&endpoint).await;
    let topic = aws.topic("news").await;
    subscribe(&aws, &topic).await;
    let got = endpoint.after(1_000).await;
    let times: Vec<_> = got.iter().map(|got| got.after.as_secs()).collect();
    assert_eq!(times, [0, 20, 40, 75], "an attempt without an answer takes 15 seconds");
    assert!(got.iter().all(|one| one.request.body() == got[0].request.body()));
}

// N14
#[tokio::test(start_paused = true)]
async fn the_end_is_told_and_the_link_in_a_message_brings_it_about() {
    let endpoint = Endpoint::new();
    let aws = Aws::with_endpoint(&endpoint).await;
    let topic = aws.topic("news").await;
    subscribe(&aws, &topic).await;
    let link = endpoint.after(1).await[0].json()["SubscribeURL"].as_str().unwrap().to_owned();
    aws.get(&link).await;
    let arn = listed(&aws).await;
    aws.publish(&topic, "m").await;
    endpoint.after(1).await;
    let link = endpoint.notifications()[0].json()["UnsubscribeURL"].as_str().unwrap().to_owned();
    assert_eq!(aws.get(&link).await.0, 200);
    aws.publish(&topic, "too late").await;
    let got = endpoint.after(1_000).await;
    assert_eq!((got.len(), got[2].kind()), (3, "UnsubscribeConfirmation"));
    assert_eq!(got[2].header("x-amz-sns-subscription-arn"), Some(arn.as_str()));
    assert!(got[2].json()["Message"].as_str().unwrap().contains(&arn));
    // What it could restore is gone: see the conformance table.
    let (status, body) = aws.get(got[2].json()["SubscribeURL"].as_str().unwrap()).await;
    assert!(status == 400 && body.contains("Invalid parameter: Token"), "{body}");
}

// N14
#[tokio::test(start_paused = true)]
async fn who_asks_for_it_can_be_unsubscribed_with_a_signature_only() {
    let endpoint = Endpoint::new();
    let aws = Aws::with_endpoint(&endpoint).await;
    let topic = aws.topic("news").await;
    subscribe(&aws, &topic).await;
    let token = endpoint.after(1).await[0].json()["Token"].as_str().unwrap().to_owned();
    let confirm = aws.sns.confirm_subscription().topic_arn(&topic).token(token);
    let arn = confirm.authenticate_on_unsubscribe("true").send().await.unwrap().subscription_arn.unwrap();
    let link = format!("http://localhost/?Action=Unsubscribe&SubscriptionArn={arn}");
    let (status, body) = aws.get(&link).await;
    assert!(status == 403 && body.contains("<Code>AuthorizationError</Code>"), "{body}");
    aws.sns.unsubscribe().subscription_arn(&arn).send().await.unwrap();
    let gone = aws.sns.get_subscription_attributes().subscription_arn(&arn).send().await;
    assert_eq!(refusal(gone).0, "NotFound");
}

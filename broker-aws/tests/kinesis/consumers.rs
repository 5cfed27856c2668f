//! Registered consumers.

use aws_sdk_kinesis::types::ConsumerStatus;

use crate::support::{INVALID, MISSING, NOT_VALID, World, advance, refusal, stream_arn, world};

pub(crate) async fn register(world: &World, name: &str) -> String {
    let register =
        world.kinesis.register_stream_consumer().stream_arn(stream_arn("clicks")).consumer_name(name);
    register.send().await.unwrap().consumer.unwrap().consumer_arn
}

/// K70: a consumer is registered once, found by its ARN or its names, and has another ARN when it comes again.
#[tokio::test(start_paused = true)]
async fn k70_a_consumer_is_registered_and_deregistered() {
    let world = world("clicks", 1).await;
    let kinesis = &world.kinesis;
    let register_billing = || {
        kinesis.register_stream_consumer().stream_arn(stream_arn("clicks")).consumer_name("billing").send()
    };
    let consumer = register_billing().await.unwrap().consumer.unwrap();
    assert_eq!(consumer.consumer_status, ConsumerStatus::Creating);
    let second = consumer.consumer_creation_timestamp.secs();
    assert_eq!(consumer.consumer_arn, format!("{}/consumer/billing:{second}", stream_arn("clicks")));
    for described in [
        kinesis.describe_stream_consumer().consumer_arn(&consumer.consumer_arn).send().await,
        kinesis
            .describe_stream_consumer()
            .stream_arn(stream_arn("clicks"))
            .consumer_name("billing")
            .send()
            .await,
    ] {
        let described = described.unwrap().consumer_description.unwrap();
        assert_eq!(described.consumer_status, ConsumerStatus::Active);
        assert_eq!(
            (described.consumer_arn, described.stream_arn),
            (consumer.consumer_arn.clone(), stream_arn("clicks"))
        );
    }
    let twice = register_billing().await;
    assert!(twice.unwrap_err().as_service_error().unwrap().is_resource_in_use_exception());
    kinesis.deregister_stream_consumer().consumer_arn(&consumer.consumer_arn).send().await.unwrap();
    let gone = kinesis.describe_stream_consumer().consumer_arn(&consumer.consumer_arn).send().await;
    assert!(gone.as_ref().unwrap_err().as_service_error().unwrap().is_resource_not_found_exception());
    refusal(gone).says(MISSING, "billing");

    // At the same time, and yet with another ARN: the old one stays gone.
    let again = register_billing().await.unwrap().consumer.unwrap().consumer_arn;
    assert_ne!(again, consumer.consumer_arn);
    let gone = kinesis.deregister_stream_consumer().consumer_arn(&consumer.consumer_arn).send().await;
    assert!(gone.unwrap_err().as_service_error().unwrap().is_resource_not_found_exception());
    let none = kinesis.describe_stream_consumer().consumer_name("billing").send().await;
    refusal(none).says(INVALID, "ConsumerARN");
    let bad =
        kinesis.register_stream_consumer().stream_arn(stream_arn("clicks")).consumer_name("a b").send().await;
    refusal(bad).says(NOT_VALID, "'consumerName'");
}

/// K70: there are 20 at most, and they are listed in pages.
#[tokio::test(start_paused = true)]
async fn k70_a_stream_has_20_consumers_at_most() {
    let world = world("clicks", 1).await;
    for n in 0..20 {
        register(&world, &format!("c{n:02}")).await;
    }
    let more = world
        .kinesis
        .register_stream_consumer()
        .stream_arn(stream_arn("clicks"))
        .consumer_name("x")
        .send()
        .await;
    assert!(more.unwrap_err().as_service_error().unwrap().is_limit_exceeded_exception());
    let list = || world.kinesis.list_stream_consumers().stream_arn(stream_arn("clicks"));
    let first = list().max_results(15).send().await.unwrap();
    assert_eq!(first.consumers().len(), 15);
    let token = first.next_token.unwrap();
    let second = list().next_token(&token).send().await.unwrap();
    assert_eq!((second.consumers()[0].consumer_name.as_str(), &second.next_token), ("c15", &None));
    let summary = world.kinesis.describe_stream_summary().stream_name("clicks").send().await.unwrap();
    assert_eq!(summary.stream_description_summary.unwrap().consumer_count, Some(20));
    advance(301).await;
    let late = list().next_token(token).send().await;
    assert!(late.unwrap_err().as_service_error().unwrap().is_expired_next_token_exception());
}

/// K70: consumers of one stream are none of another, whatever its name.
#[tokio::test(start_paused = true)]
async fn k70_consumers_belong_to_their_stream() {
    let world = world("clicks", 1).await;
    world.kinesis.create_stream().stream_name("clicks2").shard_count(1).send().await.unwrap();
    register(&world, "billing").await;
    let other = world.kinesis.list_stream_consumers().stream_arn(stream_arn("clicks2")).send().await.unwrap();
    assert!(other.consumers().is_empty());
}

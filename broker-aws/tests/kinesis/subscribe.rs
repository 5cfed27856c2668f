//! Subscriptions to shards.

use aws_sdk_kinesis::{
    operation::subscribe_to_shard::SubscribeToShardOutput,
    types::{
        ShardIteratorType as Type, StartingPosition, SubscribeToShardEvent,
        SubscribeToShardEventStream as Event,
    },
};

use crate::{
    consumers::register,
    support::{IN_USE, INVALID, MISSING, World, advance, refusal, text, world},
};

async fn subscribe(world: &World, consumer: &str, position: StartingPosition) -> SubscribeToShardOutput {
    let subscribe =
        world.kinesis.subscribe_to_shard().consumer_arn(consumer).shard_id("shardId-000000000000");
    subscribe.starting_position(position).send().await.unwrap()
}

fn from(kind: Type) -> StartingPosition {
    StartingPosition::builder().r#type(kind).build().unwrap()
}

fn at(kind: Type, number: &str) -> StartingPosition {
    StartingPosition::builder().r#type(kind).sequence_number(number).build().unwrap()
}

async fn event(output: &mut SubscribeToShardOutput) -> Option<SubscribeToShardEvent> {
    match output.event_stream.recv().await.unwrap()? {
        Event::SubscribeToShardEvent(event) => Some(event),
        other => panic!("an event that nobody knows: {other:?}"),
    }
}

fn data(event: &SubscribeToShardEvent) -> Vec<String> {
    event.records.iter().map(|record| text(&record.data)).collect()
}

/// K71: records come as they are put, and quiet is told of.
#[tokio::test(start_paused = true)]
async fn k71_a_subscriber_gets_records_as_they_are_put() {
    let world = world("clicks", 1).await;
    world.put("clicks", "k", "before").await;
    let consumer = register(&world, "billing").await;
    let mut events = subscribe(&world, &consumer, from(Type::TrimHorizon)).await;
    assert_eq!(data(&event(&mut events).await.unwrap()), ["before"]);
    let quiet = event(&mut events).await.unwrap();
    assert_eq!((data(&quiet).len(), quiet.millis_behind_latest), (0, 0));
    assert!(quiet.child_shards.is_none());
    let (_, number) = world.put("clicks", "k", "after").await;
    let after = event(&mut events).await.unwrap();
    assert_eq!(data(&after), ["after"]);
    assert_eq!((&after.records[0].sequence_number, &after.continuation_sequence_number), (&number, &number));
}

/// K71: a subscription is open for five minutes, and goes on from where the last one was.
#[tokio::test(start_paused = true)]
async fn k71_a_subscription_is_open_for_five_minutes_and_is_continued() {
    let world = world("clicks", 1).await;
    let consumer = register(&world, "billing").await;
    let began = world.aws.broker().now();
    let mut events = subscribe(&world, &consumer, from(Type::Latest)).await;
    let mut place = String::new();
    while let Some(quiet) = event(&mut events).await {
        assert!(quiet.records.is_empty());
        place = quiet.continuation_sequence_number;
    }
    assert_eq!(world.aws.broker().now().since(began).as_secs(), 300);
    // Before the first record of the shard there is a place too, whichever way one goes on from it.
    world.put("clicks", "k", "first").await;
    for kind in [Type::AtSequenceNumber, Type::AfterSequenceNumber] {
        let mut events = subscribe(&world, &consumer, at(kind, &place)).await;
        assert_eq!(data(&event(&mut events).await.unwrap()), ["first"]);
        advance(5).await;
    }
    let (_, second) = world.put("clicks", "k", "second").await;
    world.put("clicks", "k", "third").await;
    let mut events = subscribe(&world, &consumer, at(Type::AfterSequenceNumber, &second)).await;
    assert_eq!(data(&event(&mut events).await.unwrap()), ["third"]);
}

/// K71: the end of a shard is told with its children, and no place to go on from.
#[tokio::test(start_paused = true)]
async fn k71_a_subscription_ends_with_its_shard() {
    let world = world("clicks", 1).await;
    let consumer = register(&world, "billing").await;
    let mut events = subscribe(&world, &consumer, from(Type::TrimHorizon)).await;
    assert!(event(&mut events).await.unwrap().records.is_empty());
    let split = world.kinesis.split_shard().stream_name("clicks").shard_to_split("0");
    split.new_starting_hash_key((1_u128 << 127).to_string()).send().await.unwrap();
    let end = event(&mut events).await.unwrap();
    assert_eq!(end.child_shards().len(), 2);
    assert_eq!(end.child_shards()[0].parent_shards, ["shardId-000000000000"]);
    assert_eq!(end.continuation_sequence_number, "");
    assert!(event(&mut events).await.is_none());
}

/// K71: within five seconds another subscription is refused; after that it takes over.
#[tokio::test(start_paused = true)]
async fn k71_a_later_subscription_takes_over() {
    let world = world("clicks", 1).await;
    let consumer = register(&world, "billing").await;
    let mut first = subscribe(&world, &consumer, from(Type::Latest)).await;
    let again = || {
        let subscribe = world.kinesis.subscribe_to_shard().consumer_arn(&consumer).shard_id("0");
        subscribe.starting_position(from(Type::Latest)).send()
    };
    let early = again().await;
    assert!(early.as_ref().unwrap_err().as_service_error().unwrap().is_resource_in_use_exception());
    refusal(early).says(IN_USE, "less than 5 seconds");
    advance(5).await;
    let mut second = again().await.unwrap();
    let taken = loop {
        match first.event_stream.recv().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("it ends with an error"),
            Err(error) => break error,
        }
    };
    assert!(taken.into_service_error().is_resource_in_use_exception());
    world.put("clicks", "k", "x").await;
    assert_eq!(data(&event(&mut second).await.unwrap()), ["x"]);
    // Another consumer is not in the way, and one that has gone away neither.
    let other = register(&world, "audit").await;
    drop(second);
    subscribe(&world, &other, from(Type::Latest)).await;
    subscribe(&world, &consumer, from(Type::Latest)).await;
}

/// K71: a subscription ends with its consumer, and with its stream.
#[tokio::test(start_paused = true)]
async fn k71_a_subscription_ends_with_its_consumer_and_its_stream() {
    let world = world("clicks", 1).await;
    let consumers = [register(&world, "billing").await, register(&world, "audit").await];
    let mut first = subscribe(&world, &consumers[0], from(Type::Latest)).await;
    let mut second = subscribe(&world, &consumers[1], from(Type::Latest)).await;
    world.kinesis.deregister_stream_consumer().consumer_arn(&consumers[0]).send().await.unwrap();
    let ended = first.event_stream.recv().await.unwrap_err().into_service_error();
    assert!(ended.is_resource_not_found_exception());
    world.kinesis.delete_stream().stream_name("clicks").enforce_consumer_deletion(true).send().await.unwrap();
    let ended = second.event_stream.recv().await.unwrap_err().into_service_error();
    assert!(ended.is_resource_not_found_exception());
}

/// K71: what cannot be subscribed to is refused before the stream of events opens.
#[tokio::test(start_paused = true)]
async fn k71_what_is_not_there_cannot_be_subscribed_to() {
    let world = world("clicks", 1).await;
    let consumer = register(&world, "billing").await;
    let asked = |consumer: &str, shard: &str, position| {
        world
            .kinesis
            .subscribe_to_shard()
            .consumer_arn(consumer)
            .shard_id(shard)
            .starting_position(position)
            .send()
    };
    let latest = || from(Type::Latest);
    refusal(asked(&format!("{consumer}1"), "0", latest()).await).says(MISSING, "Consumer");
    refusal(asked("x", "0", latest()).await).says(INVALID, "not the ARN of a consumer");
    refusal(asked(&consumer, "7", latest()).await).says(MISSING, "shardId-000000000007");
    refusal(asked(&consumer, "0", from(Type::AtSequenceNumber)).await).says(INVALID, "Must either specify");
}

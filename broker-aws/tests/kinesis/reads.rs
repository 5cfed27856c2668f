//! Reading shards.

use aws_sdk_kinesis::{
    Client, config::retry::RetryConfig, primitives::DateTime, types::ShardIteratorType as Type,
};

use crate::support::{
    ACCOUNT, INVALID, MISSING, NOT_VALID, World, advance, data, refusal, stream_arn, world,
};

macro_rules! iterator {
    ($world:expr, $kind:expr) => {
        $world.kinesis.get_shard_iterator().stream_name("clicks").shard_id("0").shard_iterator_type($kind)
    };
}

async fn from(world: &World, kind: Type, number: Option<&str>, at: Option<DateTime>) -> Vec<String> {
    let iterator = iterator!(world, kind).set_starting_sequence_number(number.map(str::to_owned));
    let iterator = iterator.set_timestamp(at).send().await.unwrap().shard_iterator.unwrap();
    data(&world.read(&iterator).await)
}

/// K50: five positions to begin at.
#[tokio::test(start_paused = true)]
async fn k50_a_reader_begins_at_each_of_five_positions() {
    let world = world("clicks", 1).await;
    world.put("clicks", "k", "one").await;
    advance(10).await;
    let at = world.aws.broker().now().as_millis();
    let (_, two) = world.put("clicks", "k", "two").await;
    world.put("clicks", "k", "three").await;
    assert_eq!(from(&world, Type::TrimHorizon, None, None).await, ["one", "two", "three"]);
    assert_eq!(from(&world, Type::AtSequenceNumber, Some(&two), None).await, ["two", "three"]);
    assert_eq!(from(&world, Type::AfterSequenceNumber, Some(&two), None).await, ["three"]);
    assert!(from(&world, Type::Latest, None, None).await.is_empty());
    let at = DateTime::from_millis(i64::try_from(at).unwrap());
    assert_eq!(from(&world, Type::AtTimestamp, None, Some(at)).await, ["two", "three"]);
    let old = DateTime::from_secs(0);
    assert_eq!(from(&world, Type::AtTimestamp, None, Some(old)).await, ["one", "two", "three"]);
    let future =
        iterator!(world, Type::AtTimestamp).timestamp(DateTime::from_secs(9_999_999_999)).send().await;
    refusal(future)
        .says(INVALID, "The timestampInMillis parameter cannot be greater than the currentTimestampInMillis");
    refusal(iterator!(world, Type::AtTimestamp).send().await).says(INVALID, "Must specify timestampInMillis");
}

/// K51: positions that do not go together.
#[tokio::test(start_paused = true)]
async fn k51_positions_that_do_not_fit_are_refused() {
    const EITHER: &str = "Must either specify (1) AT_SEQUENCE_NUMBER or AFTER_SEQUENCE_NUMBER and StartingSequenceNumber or (2) \
                          TRIM_HORIZON or LATEST and no StartingSequenceNumber. Request specified";
    let world = world("clicks", 2).await;
    let (shard, number) = world.put("clicks", "k", "x").await;
    for kind in [Type::AtSequenceNumber, Type::AfterSequenceNumber] {
        let refused = iterator!(world, kind.clone()).send().await;
        refusal(refused).is(
            400,
            INVALID,
            &format!("{EITHER} {} and no StartingSequenceNumber.", kind.as_str()),
        );
    }
    for kind in [Type::TrimHorizon, Type::Latest] {
        let refused = iterator!(world, kind.clone()).starting_sequence_number(&number).send().await;
        refusal(refused).is(
            400,
            INVALID,
            &format!("{EITHER} {} and also a StartingSequenceNumber.", kind.as_str()),
        );
    }
    let other = if shard.ends_with('0') { "shardId-000000000001" } else { "shardId-000000000000" };
    let text = format!(
        "Invalid StartingSequenceNumber. It encodes {shard}, while it was used in a call to a shard with {other}"
    );
    for kind in [Type::AtSequenceNumber, Type::AfterSequenceNumber] {
        let foreign = world.kinesis.get_shard_iterator().stream_name("clicks").shard_id(other);
        let foreign = foreign.shard_iterator_type(kind).starting_sequence_number(&number).send().await;
        assert!(foreign.as_ref().unwrap_err().as_service_error().unwrap().is_invalid_argument_exception());
        refusal(foreign).is(400, INVALID, &text);
    }
    let none = iterator!(world, Type::AtSequenceNumber).starting_sequence_number("7").send().await;
    refusal(none).is(
        400,
        INVALID,
        &format!("StartingSequenceNumber 7 used in GetShardIterator on shard shardId-000000000000 in stream clicks under account \
                  {ACCOUNT} is invalid."),
    );
    refusal(iterator!(world, "SOON".into()).send().await).says(NOT_VALID, "enum value set");
    let shard = world.kinesis.get_shard_iterator().stream_name("clicks").shard_id("shardId-000000000009");
    let shard = shard.shard_iterator_type(Type::Latest).send().await;
    refusal(shard).is(
        400,
        MISSING,
        &format!("Shard shardId-000000000009 in stream clicks under account {ACCOUNT} does not exist"),
    );
}

/// K52: an iterator is good for five minutes, as often as one likes; every read gives a new one.
#[tokio::test(start_paused = true)]
async fn k52_an_iterator_is_good_for_five_minutes() {
    let world = world("clicks", 1).await;
    let iterator = world.oldest("clicks", "0").await;
    assert!(iterator.len() <= 512);
    let next = world.read(&iterator).await.next_shard_iterator.unwrap();
    world.put("clicks", "k", "x").await;
    advance(300).await;
    assert_eq!(data(&world.read(&iterator).await), ["x"]);
    assert_eq!(data(&world.read(&next).await), ["x"]);
    advance(1).await;
    let late = world.kinesis.get_records().shard_iterator(&iterator).send().await;
    assert!(late.as_ref().unwrap_err().as_service_error().unwrap().is_expired_iterator_exception());
    refusal(late).says("ExpiredIteratorException", "than the tolerated delay of 300000 milliseconds.");
    for bad in
        ["x", &iterator[1..], &format!("{}orders", &iterator[..64]), &iterator.replace("clicks", "../clicks")]
    {
        let refused = world.kinesis.get_records().shard_iterator(bad).send().await;
        let refused = refusal(refused);
        assert!([INVALID, MISSING].contains(&refused.code.as_str()), "{refused:?}");
    }
    let fresh = world.oldest("clicks", "0").await;
    let of = |stream| {
        world
            .kinesis
            .get_records()
            .shard_iterator(&fresh)
            .stream_arn(crate::support::stream_arn(stream))
            .send()
    };
    assert_eq!(data(&of("clicks").await.unwrap()), ["x"]);
    refusal(of("orders").await).is(400, INVALID, "Invalid ShardIterator.");
    let long = world.kinesis.get_records().shard_iterator("é".repeat(600)).send().await;
    refusal(long).is(400, INVALID, "Invalid ShardIterator.");
}

/// K53: how far behind a reader is, and how many records a read returns.
#[tokio::test(start_paused = true)]
async fn k53_a_reader_learns_how_far_behind_it_is() {
    let world = world("clicks", 1).await;
    world.put("clicks", "k", "one").await;
    world.put("clicks", "k", "two").await;
    advance(7).await;
    let start = world.oldest("clicks", "0").await;
    let read = world.kinesis.get_records().shard_iterator(&start).limit(1).stream_arn(stream_arn("clicks"));
    let first = read.send().await.unwrap();
    assert_eq!((data(&first), first.millis_behind_latest), (vec!["one".to_owned()], Some(7_000)));
    // The client reads a time as a fraction of seconds, and cuts it: up to a millisecond is lost there.
    let arrived = first.records[0].approximate_arrival_timestamp.unwrap().to_millis().unwrap();
    let now = i64::try_from(world.aws.broker().now().as_millis()).unwrap();
    assert!((7_000..=7_001).contains(&(now - arrived)), "{now} {arrived}");
    let rest = world.read(first.next_shard_iterator.as_deref().unwrap()).await;
    assert_eq!((data(&rest), rest.millis_behind_latest), (vec!["two".to_owned()], Some(0)));
    let limit = |limit| world.kinesis.get_records().shard_iterator(&start).limit(limit).send();
    refusal(limit(0).await).says(NOT_VALID, "greater than or equal to 1");
    refusal(limit(10_001).await).says(INVALID, "10000");
}

/// K54, K55: a closed shard is read to its end, which names its children; LATEST of it is its end.
#[tokio::test(start_paused = true)]
async fn k54_k55_a_closed_shard_ends_with_its_children() {
    let world = world("clicks", 1).await;
    world.put("clicks", "k", "before").await;
    let split = world.kinesis.split_shard().stream_name("clicks").shard_to_split("shardId-000000000000");
    split.new_starting_hash_key((1_u128 << 127).to_string()).send().await.unwrap();
    let first = world.read(&world.oldest("clicks", "0").await).await;
    assert_eq!(data(&first), ["before"]);
    assert!(first.child_shards.is_none());
    let end = world.read(first.next_shard_iterator.as_deref().unwrap()).await;
    assert_eq!((end.next_shard_iterator.as_deref(), end.records.len()), (None, 0));
    let children = end.child_shards.unwrap();
    let ids: Vec<_> = children.iter().map(|child| child.shard_id.as_str()).collect();
    assert_eq!(ids, ["shardId-000000000001", "shardId-000000000002"]);
    assert_eq!(children[0].parent_shards, ["shardId-000000000000"]);
    assert_eq!(children[1].hash_key_range.as_ref().unwrap().starting_hash_key, (1_u128 << 127).to_string());

    let merge =
        world.kinesis.merge_shards().stream_name("clicks").shard_to_merge("1").adjacent_shard_to_merge("2");
    merge.send().await.unwrap();
    let latest = world
        .kinesis
        .get_shard_iterator()
        .stream_name("clicks")
        .shard_id("1")
        .shard_iterator_type(Type::Latest);
    let latest = latest.send().await.unwrap().shard_iterator.unwrap();
    let end = world.read(&latest).await;
    assert_eq!(end.child_shards.unwrap()[0].parent_shards, ["shardId-000000000001", "shardId-000000000002"]);
}

/// D5: on a throttled stream a shard is read five times a second.
#[tokio::test(start_paused = true)]
async fn k42_a_throttled_shard_is_read_five_times_a_second() {
    let world = world("clicks", 1).await;
    let stream = world.aws.broker().open_stream("clicks").await.unwrap();
    let throttled = broker_core::StreamSettings { throttled: Some(true), ..Default::default() };
    stream.set_attributes(throttled).await.unwrap();
    let iterator = world.oldest("clicks", "0").await;
    for _ in 0..5 {
        world.read(&iterator).await;
    }
    // A client that tries again would be lucky in the next second.
    let config = aws_sdk_kinesis::config::Builder::from(&world.aws.config());
    let once = Client::from_conf(config.retry_config(RetryConfig::disabled()).build());
    let sixth = once.get_records().shard_iterator(&iterator).send().await;
    assert!(
        sixth
            .as_ref()
            .unwrap_err()
            .as_service_error()
            .unwrap()
            .is_provisioned_throughput_exceeded_exception()
    );
    refusal(sixth)
        .says("ProvisionedThroughputExceededException", "Rate exceeded for shard shardId-000000000000");
    advance(1).await;
    world.read(&iterator).await;
}

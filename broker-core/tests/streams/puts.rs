//! Putting records. K40, K41, K43, K44, K45, K46, IS1.

use broker_core::{
    Error, PutRecord, RecordDistribution, RecordNumber, ShardId, StartingPosition, StreamMode, StreamSettings,
};
use bytes::Bytes;

use crate::{
    ground::{
        HALF, assert_refused, at_hash, numbered, put, put_numbers, read_from, read_on, reopened, stream,
        texts, whole,
    },
    support::{World, advance, ms, secs},
};

everywhere! {
    k40_a_put_says_where_its_record_is,
    k40_data_come_back_byte_for_byte,
    k40_a_record_is_as_large_as_the_stream_takes,
    k41_each_record_of_a_batch_has_its_own_outcome,
    k41_the_records_of_a_batch_keep_their_order_in_each_shard,
    k43_a_batch_has_1_to_500_records_of_10_mib_together,
    k43_a_bad_record_fails_its_whole_batch,
    k44_numbers_have_56_digits_and_increase,
    k45_a_record_comes_after_the_one_that_it_names,
    k46_a_record_carries_the_time_it_was_put,
    is1_a_number_means_the_same_record_for_ever,
    k25_a_stream_on_demand_can_place_records_itself,
}

async fn k40_a_put_says_where_its_record_is(world: World) {
    let (_broker, clicks) = stream(&world, 2).await;
    for hash in [0, HALF, 7, u128::MAX] {
        let done = clicks.put(at_hash(hash, hash.to_string())).await.unwrap();
        let found = read_from(&clicks, done.shard, StartingPosition::At(done.number)).await;
        assert_eq!((found.records.len(), found.records[0].number), (1, done.number));
        assert_eq!(texts(&found), [hash.to_string()]);
    }
}

async fn k40_data_come_back_byte_for_byte(world: World) {
    let world = world.with_little_memory();
    let (broker, clicks) = stream(&world, 1).await;
    let all: Vec<u8> = (0..=255).collect();
    let data: Vec<Bytes> = vec![Bytes::new(), Bytes::from(all), Bytes::from(vec![0; 100_000]), "ü🛩".into()];
    for one in &data {
        clicks.put(PutRecord::new("schlüssel 🛩\u{0}", one.clone())).await.unwrap();
    }
    let check = async |clicks: &broker_core::LocalStream| {
        let (found, _) = read_on(clicks, ShardId(0), StartingPosition::TrimHorizon).await;
        assert_eq!(found.iter().map(|record| record.data.clone()).collect::<Vec<_>>(), data);
        assert!(found.iter().all(|record| record.partition_key == "schlüssel 🛩\u{0}"));
    };
    check(&clicks).await;
    let (_broker, clicks) = reopened(&world, broker).await;
    check(&clicks).await;
}

async fn k40_a_record_is_as_large_as_the_stream_takes(world: World) {
    let (_broker, clicks) = stream(&world, 1).await;
    let mib = 1024 * 1024;
    let record = |bytes: usize| PutRecord::new("key", vec![b'x'; bytes - 3]);
    let too_long =
        |error, size| matches!(error, Error::MessageTooLong { bytes, max } if (bytes, max) == size);
    clicks.put(record(mib)).await.unwrap();
    assert!(too_long(clicks.put(record(mib + 1)).await.unwrap_err(), (mib + 1, mib)));
    for size in [0, mib - 1, 10 * mib + 1, usize::MAX] {
        let settings = StreamSettings { max_record_size: Some(size), ..Default::default() };
        assert_refused(clicks.set_attributes(settings).await, "max_record_size");
    }
    let larger = StreamSettings { max_record_size: Some(2 * mib), ..Default::default() };
    clicks.set_attributes(larger).await.unwrap();
    clicks.put(record(2 * mib)).await.unwrap();
    assert!(too_long(clicks.put(record(2 * mib + 1)).await.unwrap_err(), (2 * mib + 1, 2 * mib)));
    assert_eq!(whole(&clicks, ShardId(0)).await.len(), 2);
}

async fn k41_each_record_of_a_batch_has_its_own_outcome(world: World) {
    let (_broker, clicks) = stream(&world, 2).await;
    let large = PutRecord::new("k", vec![0; 1024 * 1024]).explicit_hash_key(0);
    let future = PutRecord { after: Some(never_given_out()), ..at_hash(0, "future") };
    let batch = vec![at_hash(0, "a"), large, at_hash(HALF, "b"), future, at_hash(0, "c")];
    let done = clicks.put_batch(batch).await.unwrap();
    assert!(matches!(done[1], Err(Error::MessageTooLong { .. })));
    assert!(matches!(done[3], Err(Error::InvalidParameter { field: "after", .. })));
    let shards: Vec<_> = [0, 2, 4].map(|at| done[at].as_ref().unwrap().shard).into();
    assert_eq!(shards, [ShardId(0), ShardId(1), ShardId(0)]);
    assert_eq!(whole(&clicks, ShardId(0)).await, ["a", "c"]);
    assert_eq!(whole(&clicks, ShardId(1)).await, ["b"]);
    // If all fail the call does not.
    let large = || PutRecord::new("k", vec![0; 1024 * 1024]);
    let done = clicks.put_batch(vec![large(), large()]).await.unwrap();
    assert!(done.iter().all(Result::is_err));
}

/// A number that a stream gives out last of all.
fn never_given_out() -> RecordNumber {
    format!("49{:054}", u128::MAX).parse().unwrap()
}

async fn k41_the_records_of_a_batch_keep_their_order_in_each_shard(world: World) {
    let (_broker, clicks) = stream(&world, 2).await;
    let hash = |n: usize| if n.is_multiple_of(3) { HALF } else { 0 };
    let batch = (0..500).map(|n| at_hash(hash(n), n.to_string())).collect();
    let done: Vec<_> = clicks.put_batch(batch).await.unwrap().into_iter().map(Result::unwrap).collect();
    for (shard, of) in [(ShardId(0), 0), (ShardId(1), HALF)] {
        let expected: Vec<_> = (0..500).filter(|n| hash(*n) == of).collect();
        assert_eq!(whole(&clicks, shard).await, expected.iter().map(ToString::to_string).collect::<Vec<_>>());
        assert!(expected.is_sorted_by_key(|n| done[*n].number));
    }
}

async fn k43_a_batch_has_1_to_500_records_of_10_mib_together(world: World) {
    let (_broker, clicks) = stream(&world, 1).await;
    assert!(matches!(clicks.put_batch(vec![]).await, Err(Error::EmptyBatch)));
    let many = |n: usize| (0..n).map(|n| at_hash(0, n.to_string())).collect();
    let refused = clicks.put_batch(many(501)).await;
    assert!(matches!(refused, Err(Error::TooManyEntriesInBatch { count: 501, max: 500 })));
    // Keys count.
    let large = |last: usize| {
        let mut batch: Vec<_> = (0..9).map(|_| PutRecord::new("k", vec![0; (1 << 20) - 1])).collect();
        batch.push(PutRecord::new("k", vec![0; last]));
        batch
    };
    let refused = clicks.put_batch(large(1 << 20)).await;
    assert!(
        matches!(refused, Err(Error::BatchTooLong { bytes, max }) if bytes == max + 1 && max == 10 << 20)
    );
    assert!(whole(&clicks, ShardId(0)).await.is_empty());
    assert_eq!(clicks.put_batch(many(500)).await.unwrap().len(), 500);
    assert!(clicks.put_batch(large((1 << 20) - 1)).await.unwrap().iter().all(Result::is_ok));
}

async fn k43_a_bad_record_fails_its_whole_batch(world: World) {
    let (_broker, clicks) = stream(&world, 1).await;
    for key in [String::new(), "k".repeat(257)] {
        let batch = vec![at_hash(0, "a"), PutRecord::new(key, "b"), at_hash(0, "c")];
        assert_refused(clicks.put_batch(batch).await, "partition_key");
    }
    assert!(whole(&clicks, ShardId(0)).await.is_empty());
}

async fn k44_numbers_have_56_digits_and_increase(world: World) {
    let (broker, clicks) = stream(&world, 1).await;
    let mut numbers: Vec<_> = put_numbers(&clicks, 0, 0..20).await.iter().map(|one| one.number).collect();
    let (broker, clicks) = reopened(&world, broker).await;
    numbers.extend(put_numbers(&clicks, 0, 0..3).await.iter().map(|one| one.number));
    clicks.split_shard(ShardId(0), HALF).await.unwrap();
    numbers.push(put(&clicks, "k", "x").await.number);
    let (_broker, clicks) = reopened(&world, broker).await;
    numbers.push(put(&clicks, "k", "x").await.number);
    assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]), "{numbers:?}");
    let texts: Vec<String> = numbers.iter().map(ToString::to_string).collect();
    assert!(texts.iter().all(|text| text.len() == 56 && text.starts_with("49")));
    assert!(texts.is_sorted());
    assert_eq!(texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<RecordNumber>>(), numbers);
}

async fn k45_a_record_comes_after_the_one_that_it_names(world: World) {
    let (_broker, clicks) = stream(&world, 1).await;
    let first = put(&clicks, "k", "1").await.number;
    let after = |number| PutRecord { after: Some(number), ..PutRecord::new("k", "2") };
    let second = clicks.put(after(first)).await.unwrap().number;
    assert!(second > first);
    // In the children too, and after the parent has expired.
    clicks.split_shard(ShardId(0), HALF).await.unwrap();
    assert!(clicks.put(after(second)).await.unwrap().number > second);
    advance(secs(86_401)).await;
    put(&clicks, "k", "x").await;
    crate::support::settle_down().await;
    assert!(clicks.put(after(second)).await.unwrap().number > second);
    // What was not given out yet is refused: beyond the end, of a later epoch, of a shard that is not there.
    assert_refused(clicks.put(after(never_given_out())).await, "after");
    let bits = |epoch: u128, shard: u128, seq: u128| -> RecordNumber {
        format!("49{:054}", epoch << 96 | shard << 64 | seq).parse().unwrap()
    };
    for number in [bits(1, 1, 0), bits(1, 1, 1_000), bits(2, 1, 0), bits(1, 3, 0), bits(0, 1, 0)] {
        assert_refused(clicks.put(after(number)).await, "after");
    }
}

async fn k46_a_record_carries_the_time_it_was_put(world: World) {
    let (_broker, clicks) = stream(&world, 1).await;
    let mut times = Vec::new();
    for n in 0..5 {
        put(&clicks, "k", "x").await;
        times.push(world.now());
        advance(ms(n)).await;
    }
    let (found, _) = read_on(&clicks, ShardId(0), StartingPosition::TrimHorizon).await;
    assert_eq!(found.iter().map(|record| record.arrived_at).collect::<Vec<_>>(), times);
}

async fn is1_a_number_means_the_same_record_for_ever(world: World) {
    let world = world.with_little_memory();
    let (broker, clicks) = stream(&world, 1).await;
    let put = put_numbers(&clicks, 0, 0..12).await;
    let check = async |clicks: &broker_core::LocalStream| {
        for (n, one) in put.iter().enumerate() {
            let found = read_from(clicks, one.shard, StartingPosition::At(one.number)).await;
            assert_eq!((&texts(&found)[0], found.records[0].number), (&n.to_string(), one.number));
        }
        let (all, _) = read_on(clicks, ShardId(0), StartingPosition::TrimHorizon).await;
        assert_eq!(all.iter().map(crate::ground::body).collect::<Vec<_>>(), numbered(0..12));
    };
    check(&clicks).await;
    clicks.split_shard(ShardId(0), HALF).await.unwrap();
    check(&clicks).await;
    put_numbers(&clicks, 0, 20..30).await;
    let (_broker, clicks) = reopened(&world, broker).await;
    check(&clicks).await;
}

async fn k25_a_stream_on_demand_can_place_records_itself(world: World) {
    let broker = world.broker().await;
    let auto = StreamSettings { distribution: Some(RecordDistribution::Auto), ..Default::default() };
    assert_refused(broker.stream("other").distribution(RecordDistribution::Auto).await, "distribution");
    let clicks = broker.stream("clicks").mode(StreamMode::OnDemand).await.unwrap();
    let without_key = PutRecord { data: "x".into(), ..PutRecord::default() };
    assert_refused(clicks.put(without_key.clone()).await, "partition_key");
    let before = clicks.put(at_hash(0, "before")).await.unwrap();
    clicks.set_attributes(auto.clone()).await.unwrap();
    let (_broker, clicks) = reopened(&world, broker).await;
    assert_eq!(clicks.attributes().await.unwrap().distribution, RecordDistribution::Auto);
    let mut counts = [0; 4];
    for n in 0..40 {
        let record = if n % 2 == 0 { without_key.clone() } else { at_hash(0, "x") };
        let outcome = clicks.put(record).await.unwrap();
        counts[outcome.shard.0 as usize] += 1;
    }
    let batch = clicks.put_batch(vec![without_key; 40]).await.unwrap();
    for outcome in batch {
        counts[outcome.unwrap().shard.0 as usize] += 1;
    }
    assert!(counts.iter().all(|count| (18..=22).contains(count)), "{counts:?}");
    // What was put before is where it was, and has its key.
    let found = read_from(&clicks, before.shard, StartingPosition::At(before.number)).await;
    assert_eq!((found.records[0].number, &*found.records[0].partition_key), (before.number, "k"));
    let provisioned = StreamSettings { mode: Some(StreamMode::Provisioned), ..Default::default() };
    assert_refused(clicks.set_attributes(provisioned).await, "distribution");
    let by_key =
        StreamSettings { distribution: Some(RecordDistribution::PartitionKey), ..Default::default() };
    clicks.set_attributes(by_key).await.unwrap();
    assert_eq!(clicks.put(at_hash(0, "after")).await.unwrap().shard, ShardId(0));
}

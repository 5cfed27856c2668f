//! Leases one by one: `GroupStream`, for whoever runs shards in a way of his own. K80, K81, K82, K83.

use broker_core::{
    Error, GroupMember, GroupStream, LeaseChange, LocalStream, PutRecord, ShardId, ShardLease,
    StartingPosition,
};

use crate::{
    ground::{HALF, at_hash, body, put_numbers, stream},
    support::{World, secs},
};

everywhere! {
    k82_a_lease_begins_at_the_checkpoint_and_moves_it,
    k81_a_lease_is_wanted_by_another_worker_and_handed_over,
    k81_a_lease_that_is_not_handed_over_in_30_seconds_is_lost,
    k83_children_are_given_out_when_their_parent_is_ended,
    k83_a_shard_without_records_does_not_let_its_children_pass,
    k80_a_worker_that_leaves_loses_its_leases,
}

async fn join(stream: &LocalStream) -> Box<dyn GroupMember> {
    stream.join("billing", StartingPosition::TrimHorizon).await.unwrap()
}

async fn got(member: &mut Box<dyn GroupMember>) -> Box<dyn ShardLease> {
    match member.next().await.unwrap() {
        LeaseChange::Got(lease) => lease,
        other => panic!("{other:?}"),
    }
}

async fn k82_a_lease_begins_at_the_checkpoint_and_moves_it(world: World) {
    let (_broker, clicks) = stream(&world, 1).await;
    let mut numbers = Vec::new();
    for _ in 0..3 {
        numbers.push(clicks.put(PutRecord::new("k", "x")).await.unwrap().number);
    }
    let mut member = join(&clicks).await;
    let lease = got(&mut member).await;
    assert_eq!((lease.shard(), lease.next()), (ShardId(0), numbers[0]));
    lease.checkpoint(numbers[1]).await.unwrap();
    let back = lease.checkpoint(numbers[0]).await;
    assert!(matches!(back, Err(Error::InvalidParameter { field: "checkpoint", .. })), "{back:?}");
    // Dropped, it is given back, and this worker gets it again.
    drop(lease);
    assert!(matches!(member.next().await.unwrap(), LeaseChange::Lost(ShardId(0))));
    assert_eq!(got(&mut member).await.next(), numbers[2]);
    // A number of another shard.
    let children = clicks.split_shard(ShardId(0), HALF).await.unwrap();
    let other = clicks.put(at_hash(HALF, "y")).await.unwrap();
    assert_eq!(other.shard, children[1]);
    drop(member);
    let mut member = join(&clicks).await;
    let lease = got(&mut member).await;
    let foreign = lease.checkpoint(other.number).await;
    assert!(matches!(foreign, Err(Error::InvalidParameter { field: "checkpoint", .. })), "{foreign:?}");
}

async fn k81_a_lease_is_wanted_by_another_worker_and_handed_over(world: World) {
    let (_broker, clicks) = stream(&world, 2).await;
    let mut first = join(&clicks).await;
    let mut leases = [got(&mut first).await, got(&mut first).await];
    leases.sort_by_key(|lease| lease.shard());
    let [zero, one] = leases;
    let mut second = join(&clicks).await;
    let asking = tokio::spawn(async move { got(&mut second).await.shard() });
    let LeaseChange::Wanted(wanted) = first.next().await.unwrap() else { panic!("nothing is wanted") };
    assert_eq!(wanted, zero.shard());
    drop(zero);
    assert_eq!(asking.await.unwrap(), wanted);
    drop(one);
}

async fn k81_a_lease_that_is_not_handed_over_in_30_seconds_is_lost(world: World) {
    let (_broker, clicks) = stream(&world, 2).await;
    let number = clicks.put(at_hash(0, "x")).await.unwrap().number;
    let mut first = join(&clicks).await;
    let held = [got(&mut first).await, got(&mut first).await];
    let mut second = join(&clicks).await;
    let asking = tokio::spawn(async move {
        let lease = got(&mut second).await;
        (lease.shard(), second, lease)
    });
    assert!(matches!(first.next().await.unwrap(), LeaseChange::Wanted(ShardId(0))));
    let began = world.now();
    assert!(matches!(first.next().await.unwrap(), LeaseChange::Lost(ShardId(0))));
    assert_eq!(world.now().since(began), secs(30));
    let (shard, _second, _lease) = asking.await.unwrap();
    assert_eq!(shard, ShardId(0));
    let lost = held.iter().find(|lease| lease.shard() == shard).unwrap().checkpoint(number).await;
    assert!(matches!(lost, Err(Error::LeaseLost { shard: ShardId(0) })), "{lost:?}");
}

async fn k83_children_are_given_out_when_their_parent_is_ended(world: World) {
    let (_broker, clicks) = stream(&world, 1).await;
    let number = clicks.put(at_hash(0, "x")).await.unwrap().number;
    let children = clicks.split_shard(ShardId(0), HALF).await.unwrap();
    let mut member = join(&clicks).await;
    let lease = got(&mut member).await;
    assert!(!lease.end().await.unwrap(), "there is a record left");
    lease.checkpoint(number).await.unwrap();
    let early = tokio::time::timeout(secs(60), member.next()).await;
    assert!(early.is_err(), "{early:?}");
    assert!(lease.end().await.unwrap());
    assert!(matches!(member.next().await.unwrap(), LeaseChange::Lost(ShardId(0))));
    let mut shards = [got(&mut member).await.shard(), got(&mut member).await.shard()];
    shards.sort_unstable();
    assert_eq!(shards[..], children[..]);
}

async fn k80_a_worker_that_leaves_loses_its_leases(world: World) {
    let (_broker, clicks) = stream(&world, 1).await;
    let number = clicks.put(at_hash(0, "x")).await.unwrap().number;
    let mut first = join(&clicks).await;
    let lease = got(&mut first).await;
    drop(first);
    assert!(matches!(lease.checkpoint(number).await, Err(Error::LeaseLost { .. })));
    let mut second = join(&clicks).await;
    assert_eq!(got(&mut second).await.next(), number);
    // A worker that works on something is heard of by being a member.
    let mut third = join(&clicks).await;
    assert!(tokio::time::timeout(secs(3_600), third.next()).await.is_err());
    let described = GroupStream::attributes(&clicks).await.unwrap();
    assert_eq!(described.open_shards, 1);
    assert_eq!(clicks.clock().now(), world.now());
}

async fn k83_a_shard_without_records_does_not_let_its_children_pass(world: World) {
    let (_broker, clicks) = stream(&world, 1).await;
    put_numbers(&clicks, 0, 0..2).await;
    let children = clicks.split_shard(ShardId(0), HALF).await.unwrap();
    // Both children are closed without a record, and all that came later is in the shard that was made of them.
    clicks.merge_shards(children[0], children[1]).await.unwrap();
    put_numbers(&clicks, 0, 2..4).await;
    let mut worker = clicks.consumer("g").start(StartingPosition::TrimHorizon).await.unwrap();
    let got = [worker.next().await.unwrap(), worker.next().await.unwrap()];
    assert_eq!([body(&got[0]), body(&got[1])], ["0", "1"]);
    let early = tokio::time::timeout(secs(60), worker.next()).await;
    assert!(early.is_err(), "{early:?}");
    got[1].checkpoint().await.unwrap();
    for n in ["2", "3"] {
        assert_eq!(body(&worker.next().await.unwrap()), n);
    }
}

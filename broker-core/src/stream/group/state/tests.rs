//! Who gets which leases, and what a token is worth (K80 to K83).

use super::*;
use crate::stream::{settings::StreamSettings, state::tests::stream};

const LEASE_MS: u64 = 100;

/// A group on a stream of so many shards, with workers that were heard of at the beginning.
fn group(shards: u32, workers: usize) -> (GroupState, StreamState) {
    let stream = stream(shards, &StreamSettings::new());
    let mut group = GroupState::new(7, []);
    group.follow(&stream, &mut Batch::new());
    for _ in 0..workers {
        group.join(LEASE_MS, false, 0);
    }
    (group, stream)
}

fn counts(group: &GroupState) -> Vec<usize> {
    group.workers.keys().map(|worker| group.held_by(*worker).len()).collect()
}

#[test]
fn a_worker_takes_its_share_of_the_free_leases() {
    let (mut group, stream) = group(4, 2);
    assert!(!group.take_share(0, &stream, 0));
    assert_eq!(counts(&group), [2, 0]);
    assert!(!group.take_share(1, &stream, 0));
    assert_eq!(counts(&group), [2, 2]);
}

/// A worker whose lease has expired is no reason to leave anything to it.
#[test]
fn a_worker_that_was_not_heard_of_has_no_share() {
    let (mut group, stream) = group(4, 1);
    group.take_share(0, &stream, 0);
    let other = group.join(LEASE_MS, false, LEASE_MS);
    assert!(!group.take_share(other, &stream, LEASE_MS));
    assert_eq!(counts(&group), [0, 4]);
}

#[test]
fn those_who_are_heard_of_share_what_a_worker_leaves_that_is_not() {
    let (mut group, stream) = group(4, 1);
    group.take_share(0, &stream, 0);
    let two = [group.join(LEASE_MS, false, LEASE_MS), group.join(LEASE_MS, false, LEASE_MS)];
    group.take_share(two[0], &stream, LEASE_MS);
    assert_eq!(counts(&group), [2, 2, 0]);
    group.take_share(two[1], &stream, LEASE_MS);
    assert_eq!(counts(&group), [0, 2, 2]);
}

/// K82: no two holders ever have the same token, and a lease that changes hands makes workers look again.
#[test]
fn a_lease_that_is_given_back_has_a_token_of_its_own() {
    let (mut group, stream) = group(2, 1);
    group.take_share(0, &stream, 0);
    let other = group.join(LEASE_MS, false, 0);
    assert!(group.take_share(other, &stream, 0), "the first one is asked for a lease");
    let asked = group.held_by(0).into_iter().find(|held| held.asked_back).expect("one is asked back");
    let changes = group.changes();
    group.give_back(asked.shard, asked.token);
    assert_eq!((group.changes(), counts(&group)), (changes + 1, vec![1, 1]));
    let given = group.held_by(other)[0].token;
    assert!(given > asked.token);
    group.leave(0);
    group.take_share(other, &stream, 0);
    let taken = group.held_by(other).into_iter().find(|held| held.token != given);
    assert!(taken.is_some_and(|held| held.token > given), "{taken:?} after {given}");
}

/// K82: a checkpoint that says nothing new writes nothing.
#[test]
fn a_checkpoint_is_stored_when_it_moves() {
    let (mut group, stream) = group(1, 1);
    group.take_share(0, &stream, 0);
    let token = group.held_by(0)[0].token;
    let mut moved = |next| {
        let mut batch = Batch::new();
        group.checkpoint(ShardId(0), token, next, 0, &mut batch).expect("it holds the lease");
        (group.consumed(ShardId(0)), !batch.is_empty())
    };
    assert_eq!([moved(0), moved(3), moved(3), moved(4)], [(0, false), (3, true), (3, false), (4, true)]);
    assert_eq!(group.consumed(ShardId(9)), 0);
}

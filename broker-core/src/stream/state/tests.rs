//! The limits of new numbers of shards, and of the traffic of a throttled stream.

use super::*;
use crate::stream::limits::StreamLimits;

fn ids() -> impl FnMut(&mut Batch) -> (u64, u64) {
    let mut last = 10;
    move |_| {
        last += 2;
        (last, last + 1)
    }
}

/// A stream of so many shards.
pub(crate) fn stream(shards: u32, given: &StreamSettings) -> StreamState {
    let definition = StreamDefinition {
        id: 1,
        settings: Settings::new(&StreamLimits::aws(), 1 << 20, given),
        tags: BTreeMap::new(),
        created_at: 0,
        epoch: 0,
        next_shard: 0,
        lost_before: 0,
        updates: Vec::new(),
    };
    let mut state = StreamState::new(definition, MemoryBounds::default());
    state.begin(shards, 0, &mut ids(), &mut Batch::new());
    state
}

fn split(state: &mut StreamState, shard: u32, start: u128) {
    let split = state.split(ShardId(shard), start, 0, &mut ids(), &mut Batch::new());
    split.expect("it lies inside the shard");
}

fn set_count(state: &mut StreamState, target: u32, limits: &StreamLimits) -> Result<()> {
    state.set_count(target, limits, 0, &mut ids(), &mut Batch::new())
}

/// Numbers of records grow over splits and merges by this (K33).
#[test]
fn each_split_and_merge_is_another_epoch() {
    let mut state = stream(1, &StreamSettings::new());
    split(&mut state, 0, 1 << 127);
    let epoch = |state: &StreamState, shard| state.shards[&shard].definition.epoch;
    assert_eq!((state.epoch, epoch(&state, 0), epoch(&state, 2)), (1, 0, 1));
    state.merge(ShardId(1), ShardId(2), 0, &mut ids(), &mut Batch::new()).expect("neighbours");
    assert_eq!((state.epoch, epoch(&state, 3)), (2, 2));
}

/// K34: as many shards as there may be are allowed.
#[test]
fn the_number_of_shards_can_be_the_limit() {
    let limits = StreamLimits { shards_max: 2, ..StreamLimits::aws() };
    let mut state = stream(2, &StreamSettings::new());
    assert!(set_count(&mut state, 3, &limits).is_err());
    assert!(set_count(&mut state, 2, &limits).is_ok());
}

/// K34, K30: a shard that begins one hash key before a boundary cannot be split there.
#[test]
fn a_boundary_next_to_the_start_of_a_shard_is_left_alone() {
    let mut state = stream(1, &StreamSettings::new());
    split(&mut state, 0, (1 << 127) - 1);
    set_count(&mut state, 2, &StreamLimits::aws()).expect("nothing has to be split");
    assert_eq!(state.open.keys().copied().collect::<Vec<_>>(), [0, (1 << 127) - 1]);
}

/// The definition of a stream must stay small, however often its shards change.
#[test]
fn no_more_than_a_thousand_changes_are_counted() {
    let mut state = stream(1, &StreamSettings::new());
    (0..1_002).for_each(|_| set_count(&mut state, 1, &StreamLimits::unlimited()).expect("no limit"));
    assert_eq!(state.updates.len(), 1_000);
}

/// What is not put after all counts against no shard, and least of all against another stream's.
#[test]
fn what_was_taken_out_of_an_allowance_can_be_put_back() {
    let limits = StreamLimits { write_records_per_second: 1, ..StreamLimits::aws() };
    let mut state = stream(1, &StreamSettings { throttled: Some(true), ..StreamSettings::new() });
    let write = |state: &mut StreamState| state.shard_of(0).traffic.may_write(1, &limits, 0);
    let mut before = Allowances::default();
    before.note(&mut state, 0);
    assert!(write(&mut state) && !write(&mut state));
    state.id += 1;
    before.give_back(&mut state);
    assert!(!write(&mut state), "these are another stream's");
    state.id -= 1;
    before.give_back(&mut state);
    assert!(write(&mut state) && !write(&mut state));
}

/// What was read counts against the second in which it was.
#[test]
fn a_shard_of_which_much_was_read_waits_for_the_next_second() {
    let limits = StreamLimits { read_bytes_per_second: 10, ..StreamLimits::aws() };
    let mut state = stream(1, &StreamSettings::new());
    let traffic = &mut state.shard_of(0).traffic;
    assert!(traffic.may_read(&limits, 0));
    traffic.read(9);
    assert!(traffic.may_read(&limits, 0));
    traffic.read(1);
    assert!(!traffic.may_read(&limits, 999) && traffic.may_read(&limits, 1_000));
}

//! How the pollers of a queue grow and shrink (the table "Scaling of pollers" of the rules of Lambda, F8).

use broker_worker::{
    Error,
    scaling::{Pollers, Sample},
};

use crate::common::Fleet;

fn busy() -> Sample {
    Sample::new(0).visible(100_000).in_flight(10)
}

fn idle() -> Sample {
    Sample::new(0).visible(0).in_flight(0)
}

// L60
#[test]
fn a_standard_queue_starts_with_5_batches_and_adds_300_a_minute_up_to_1250() {
    let mut fleet = Fleet::new(Pollers::standard(), 0);
    assert_eq!(fleet.minutes(0..=6, &busy()), [5, 305, 605, 905, 1_205, 1_250, 1_250]);
    // Not before the minute is over.
    let mut fleet = Fleet::new(Pollers::standard(), 0);
    let counts: Vec<u32> = (0..60).map(|second| fleet.desired(second, &busy())).collect();
    assert_eq!(counts, [5; 60]);
}

// L60
#[test]
fn without_messages_it_goes_back_to_5_and_then_to_2() {
    let mut fleet = Fleet::new(Pollers::standard(), 0);
    fleet.minutes(0..=2, &busy());
    assert_eq!(fleet.minutes(3..=5, &idle()), [5, 2, 2]);
    assert_eq!(fleet.minutes(6..=7, &busy()), [305, 605]);
    // What is in flight is something to do, but nothing that more pollers could take.
    assert_eq!(fleet.minutes(8..=9, &Sample::new(0).visible(0).in_flight(3)), [605, 605]);
}

// L61
#[test]
fn a_maximum_concurrency_is_never_exceeded_and_an_idle_queue_keeps_its_5() {
    let mut fleet = Fleet::new(Pollers::standard().maximum_concurrency(100).unwrap(), 0);
    assert_eq!(fleet.minutes(0..=2, &busy()), [5, 100, 100]);
    assert_eq!(fleet.minutes(3..=6, &idle()), [5; 4]);
    let mut fleet = Fleet::new(Pollers::standard().maximum_concurrency(2).unwrap(), 0);
    assert_eq!(fleet.minutes(0..=2, &busy()), [2; 3]);
    for batches in [1, 1_001] {
        let refused = Pollers::standard().maximum_concurrency(batches).unwrap_err();
        assert!(matches!(refused, Error::InvalidSetting { field: "maximum_concurrency", .. }), "{refused}");
    }
}

// L60
#[test]
fn a_fifo_queue_has_a_batch_for_each_group_that_has_something_to_do() {
    let mut fleet = Fleet::new(Pollers::fifo(), 0);
    assert_eq!(fleet.desired(0, &busy().groups(17)), 17);
    assert_eq!(fleet.desired(1, &busy().groups(2_000)), 2_000);
    assert_eq!(fleet.desired(2, &busy().groups(0)), 0);
    let mut fleet = Fleet::new(Pollers::fifo().maximum_concurrency(10).unwrap(), 0);
    assert_eq!(fleet.desired(0, &busy().groups(17)), 10);
}

// L60
#[test]
fn provisioned_pollers_keep_their_least_and_grow_by_1000_invocations_a_minute() {
    let mut fleet = Fleet::new(Pollers::provisioned(2, 250).unwrap(), 0);
    assert_eq!(fleet.minutes(0..=4, &busy()), [2, 102, 202, 250, 250]);
    assert_eq!(fleet.minutes(5..=6, &idle()), [2, 2]);
    for (min, max) in [(1, 10), (201, 300), (2, 1), (2, 10_001), (10, 9)] {
        assert!(Pollers::provisioned(min, max).is_err(), "{min} to {max}");
    }
    let both = Pollers::provisioned(2, 10).unwrap().maximum_concurrency(5);
    assert!(matches!(both, Err(Error::InvalidSetting { field: "maximum_concurrency", .. })));
}

// L60
#[test]
fn without_metrics_the_pollers_stay() {
    let mut fleet = Fleet::new(Pollers::standard(), 0);
    fleet.minutes(0..=1, &busy());
    assert_eq!(fleet.minutes(2..=4, &Sample::new(0)), [305; 3]);
}

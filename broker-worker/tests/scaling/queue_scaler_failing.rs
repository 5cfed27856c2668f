//! KEDA's scaler when the queue cannot be read (S50, S54).

use broker_worker::scaling::{Fallback, FallbackBehavior, QueueScaler, QueueTarget, Reason, Sample};

use crate::{
    common::Fleet,
    queue_scaler::{every_15, messages, scaler},
};

// S50
#[test]
fn if_a_part_of_the_length_is_missing_the_queue_is_not_active_and_nothing_is_known() {
    // In flight is missing, which counts by default.
    let sample = Sample::new(0).visible(500);
    assert_eq!(every_15(&mut Fleet::new(scaler(), 0), 0, 300, &sample), [0; 21]);
    assert_eq!(Fleet::new(scaler(), 3).decide(0, &sample).reason, Reason::NoData);
    // What does not count may be missing.
    let visible_only =
        scaler().target(QueueTarget { scale_on_in_flight: false, ..QueueTarget::default() }).unwrap();
    assert_eq!(Fleet::new(visible_only, 90).desired(0, &sample), 100);
}

// S54
#[test]
fn without_a_fallback_an_error_changes_nothing() {
    let mut fleet = Fleet::new(scaler(), 0);
    every_15(&mut fleet, 0, 30, &messages(20));
    assert_eq!(every_15(&mut fleet, 45, 1_200, &Sample::new(4)), [4; 78]);
    // Nor is it there for an error to start workers.
    assert_eq!(every_15(&mut Fleet::new(scaler(), 0), 0, 1_200, &Sample::new(0)), [0; 81]);
}

fn falling_back(behavior: FallbackBehavior, current: u32) -> Fleet<QueueScaler> {
    let fallback = Fallback { failure_threshold: 3, replicas: 6, behavior };
    Fleet::new(
        scaler().target(QueueTarget { fallback: Some(fallback), ..QueueTarget::default() }).unwrap(),
        current,
    )
}

// S54
#[test]
fn after_more_errors_than_the_threshold_the_count_is_that_of_the_fallback() {
    let mut fleet = falling_back(FallbackBehavior::Static, 3);
    // Polls at 0, 30, 60 and 90 s fail; the fourth is more than three.
    assert_eq!(every_15(&mut fleet, 0, 75, &Sample::new(3)), [3; 6]);
    assert_eq!(every_15(&mut fleet, 90, 900, &Sample::new(3)), [6; 55]);
    // One that can be read ends it, and the count starts anew.
    assert_eq!(every_15(&mut fleet, 915, 930, &messages(10)), [2; 2]);
    assert_eq!(every_15(&mut fleet, 945, 1_035, &Sample::new(3)), [2; 7]);
}

// S54
#[test]
fn the_fallback_starts_workers_where_there_are_none() {
    let mut fleet = falling_back(FallbackBehavior::Static, 0);
    assert_eq!(every_15(&mut fleet, 0, 75, &Sample::new(0)), [0; 6]);
    let decision = fleet.decide(90, &Sample::new(0));
    assert_eq!((decision.desired, decision.reason), (6, Reason::Fallback));
}

// S54
#[test]
fn a_fallback_may_go_by_the_workers_that_there_are() {
    for (behavior, few, many) in [
        (FallbackBehavior::Static, 6, 6),
        (FallbackBehavior::Current, 3, 9),
        (FallbackBehavior::CurrentIfHigher, 6, 9),
        (FallbackBehavior::CurrentIfLower, 3, 6),
    ] {
        for (current, desired) in [(3, few), (9, many)] {
            let mut fleet = falling_back(behavior, current);
            let counts = every_15(&mut fleet, 0, 120, &Sample::new(current));
            assert_eq!(counts.last(), Some(&desired), "{behavior:?} with {current}");
        }
    }
}

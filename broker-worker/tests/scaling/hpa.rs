//! Kubernetes' autoscaler: the count in proportion, tolerance, several metrics, bounds (S60 to S63).

use broker_worker::{
    Error,
    scaling::{Behavior, Bounds, Hpa, HpaState, Reading, Reason},
};

use crate::common::{at, secs};

/// From 1 to 100, from `current` on, at once in both directions.
fn quick(current: u32) -> (Hpa, HpaState) {
    let free = |behavior: Behavior| Behavior { stabilization: secs(0), policies: Vec::new(), ..behavior };
    let hpa = Hpa::new(Bounds::new(1, 100).unwrap()).behavior(free(Behavior::up()), free(Behavior::down()));
    let hpa = hpa.unwrap();
    let state = hpa.start(current, at(0));
    (hpa, state)
}

fn first(current: u32, readings: &[Reading]) -> u32 {
    let (hpa, mut state) = quick(current);
    hpa.decide(&mut state, readings, at(0)).desired
}

fn value(value: f64, target: f64) -> Reading {
    Reading::Value { value, target }
}

fn total(total: f64, per_pod: f64) -> Reading {
    Reading::Total { total, per_pod }
}

// S60
#[test]
fn every_15_seconds_the_count_follows_the_metric_in_proportion() {
    let (hpa, mut state) = quick(4);
    let mut counts = Vec::new();
    for (second, metric) in [(0, 100.0), (14, 200.0), (15, 200.0), (29, 400.0), (30, 50.0)] {
        counts.push(hpa.decide(&mut state, &[value(metric, 100.0)], at(second)).desired);
    }
    assert_eq!(counts, [4, 4, 8, 8, 4]);
    assert_eq!(first(3, &[value(70.0, 50.0)]), 5); // 4.2
}

// S60
#[test]
fn a_total_is_divided_by_what_is_for_each_unless_the_present_count_is_near_enough() {
    assert_eq!(first(4, &[total(55.0, 10.0)]), 6);
    assert_eq!(first(4, &[total(44.0, 10.0)]), 4);
    assert_eq!(first(4, &[total(45.0, 10.0)]), 5);
    assert_eq!(first(4, &[total(0.0, 10.0)]), 1);
}

// S61
#[test]
fn a_tenth_off_the_target_is_no_change_and_the_boundary_belongs_to_it() {
    assert_eq!(first(1, &[total(11.0, 10.0)]), 1);
    assert_eq!(first(1, &[total(12.0, 10.0)]), 2);
    assert_eq!(first(10, &[value(1.1, 1.0)]), 10);
    assert_eq!(first(10, &[value(1.101, 1.0)]), 12);
    assert_eq!(first(10, &[value(0.9, 1.0)]), 10);
    assert_eq!(first(10, &[value(0.899, 1.0)]), 9);
}

// S61
#[test]
fn each_direction_may_have_a_tolerance_of_its_own() {
    let hpa = |up, down| {
        let behavior = Hpa::new(Bounds::new(1, 100).unwrap()).behavior(
            Behavior { tolerance: up, ..Behavior::up() },
            Behavior { tolerance: down, stabilization: secs(0), ..Behavior::down() },
        );
        behavior.unwrap()
    };
    for (up, down, metric, desired) in [
        (0.0, 0.5, 1.05, 11),
        (0.0, 0.5, 0.6, 10),
        (0.5, 0.0, 1.4, 10),
        (0.5, 0.0, 0.95, 10),
        (0.5, 0.0, 0.9, 9),
    ] {
        let hpa = hpa(up, down);
        let mut state = hpa.start(10, at(0));
        let decision = hpa.decide(&mut state, &[value(metric, 1.0)], at(0));
        assert_eq!(decision.desired, desired, "tolerances {up} and {down}, {metric}");
    }
    for tolerance in [-0.1, 1.0, f64::NAN] {
        let up = Behavior { tolerance, ..Behavior::up() };
        let refused = Hpa::new(Bounds::new(1, 2).unwrap()).behavior(up, Behavior::down()).unwrap_err();
        assert!(matches!(refused, Error::InvalidSetting { field: "tolerance", .. }), "{refused}");
    }
}

// S62
#[test]
fn of_several_metrics_the_largest_proposal_counts() {
    assert_eq!(first(4, &[value(50.0, 100.0), total(70.0, 10.0), value(100.0, 100.0)]), 7);
    assert_eq!(first(4, &[value(50.0, 100.0), total(30.0, 10.0)]), 3);
}

// S62
#[test]
fn a_metric_that_failed_keeps_the_count_from_going_down_but_not_from_going_up() {
    assert_eq!(first(4, &[total(20.0, 10.0), Reading::Failed]), 4);
    assert_eq!(first(4, &[total(70.0, 10.0), Reading::Failed]), 7);
    assert_eq!(first(4, &[Reading::Failed]), 4);
    // What is no number failed, too.
    assert_eq!(first(4, &[total(f64::NAN, 10.0)]), 4);
    assert_eq!(first(4, &[total(10.0, 0.0)]), 4);
}

// S63
#[test]
fn the_count_is_pulled_into_the_bounds_without_a_look_at_the_metrics() {
    let hpa = Hpa::new(Bounds::new(2, 10).unwrap());
    for (current, desired) in [(20, 10), (1, 2)] {
        let mut state = hpa.start(current, at(0));
        let decision = hpa.decide(&mut state, &[Reading::Failed], at(0));
        assert_eq!((decision.desired, decision.reason), (desired, Reason::PulledIntoBounds));
    }
    let mut state = hpa.start(5, at(0));
    let decision = hpa.decide(&mut state, &[value(9.0, 1.0)], at(0));
    assert!(decision.desired <= 10);
}

// S63
#[test]
fn with_no_worker_although_there_must_be_some_it_is_switched_off() {
    let hpa = Hpa::new(Bounds::new(2, 10).unwrap());
    let mut state = hpa.start(0, at(0));
    let decision = hpa.decide(&mut state, &[value(9.0, 1.0)], at(0));
    assert_eq!((decision.desired, decision.reason), (0, Reason::Disabled));
    state.set_current(2);
    assert!(hpa.decide(&mut state, &[value(9.0, 1.0)], at(15)).desired > 2);
}

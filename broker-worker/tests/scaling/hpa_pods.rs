//! Metrics of pods: missing ones, and those of pods that are not ready (S66, S67).

use broker_worker::scaling::{Behavior, Bounds, Hpa, Pod, Reading};

use crate::common::{at, secs};

/// A pod that has been ready for long.
fn pod(value: impl Into<Option<f64>>) -> Pod {
    let value = value.into();
    Pod { value, ready: true, started: at(0), turned: at(10), measured: at(10_000), window: secs(15) }
}

fn desired(current: u32, pods: Vec<Pod>, cpu: bool, second: u64) -> u32 {
    let free = |behavior: Behavior| Behavior { stabilization: secs(0), policies: Vec::new(), ..behavior };
    let hpa = Hpa::new(Bounds::new(1, 100).unwrap()).behavior(free(Behavior::up()), free(Behavior::down()));
    let hpa = hpa.unwrap();
    let mut state = hpa.start(current, at(0));
    hpa.decide(&mut state, &[Reading::Pods { pods, target: 100.0, cpu }], at(second)).desired
}

fn steady(pods: Vec<Pod>) -> u32 {
    desired(u32::try_from(pods.len()).unwrap(), pods, false, 10_000)
}

// S66
#[test]
fn with_all_metrics_the_average_counts() {
    assert_eq!(steady(vec![pod(200.0), pod(100.0), pod(150.0)]), 5); // 4.5
    assert_eq!(steady(vec![pod(40.0), pod(50.0), pod(30.0), pod(40.0)]), 2); // 1.6
}

// S66
#[test]
fn a_missing_metric_counts_as_the_target_when_there_are_too_many() {
    // Half of the use of three, and one unknown: (50 + 50 + 50 + 100) / 4 asks for 3, and not for 2.
    assert_eq!(steady(vec![pod(50.0), pod(50.0), pod(50.0), pod(None)]), 3);
}

// S66
#[test]
fn a_missing_metric_counts_as_nothing_when_there_are_too_few() {
    // (200 + 200 + 200 + 0) / 4 asks for 6, and not for 8.
    assert_eq!(steady(vec![pod(200.0), pod(200.0), pod(200.0), pod(None)]), 6);
}

// S66
#[test]
fn if_the_direction_turns_around_or_the_rest_is_within_tolerance_nothing_changes() {
    // 150 alone would go up; with the unknown one it is 75, which would go down.
    assert_eq!(steady(vec![pod(150.0), pod(None)]), 2);
    // 120 alone would go up; with the unknown one of five it is 96.
    assert_eq!(steady(vec![pod(120.0), pod(120.0), pod(120.0), pod(120.0), pod(None)]), 5);
    // 80 would go down; with the unknown ones it is 93.
    assert_eq!(steady(vec![pod(80.0), pod(None), pod(None)]), 3);
}

// S66
#[test]
fn without_any_metric_nothing_changes() {
    assert_eq!(steady(vec![pod(None), pod(None)]), 2);
    assert_eq!(desired(2, Vec::new(), false, 10_000), 2);
}

// S66
#[test]
fn a_pod_that_is_not_ready_counts_as_nothing_when_there_are_too_few() {
    let unready = Pod { ready: false, turned: at(20), ..pod(300.0) };
    // (200 + 200 + 0) / 3 asks for 4; for a metric other than the processor the pod counts as any other.
    let pods = vec![pod(200.0), pod(200.0), unready];
    assert_eq!(desired(3, pods.clone(), true, 10_000), 4);
    assert_eq!(desired(3, pods, false, 10_000), 7);
    // When there are too many it is left out.
    assert_eq!(desired(3, vec![pod(50.0), pod(50.0), unready], true, 10_000), 1);
}

// S67
#[test]
fn a_pod_that_was_never_ready_counts_as_not_ready_if_it_turned_within_30_seconds_of_its_start() {
    let unready = |turned| Pod { ready: false, turned: at(turned), ..pod(300.0) };
    for (turned, count) in [(29, 4), (30, 7)] {
        let pods = vec![pod(200.0), pod(200.0), unready(turned)];
        assert_eq!(desired(3, pods, true, 10_000), count, "turned after {turned} s");
    }
}

// S67
#[test]
fn in_the_first_five_minutes_the_processor_counts_once_a_whole_window_was_measured_while_ready() {
    let pods = |ready, measured| {
        let young = Pod { ready, turned: at(100), measured: at(measured), ..pod(300.0) };
        vec![pod(200.0), pod(200.0), young]
    };
    // The ready ones are as young, so they have turned long before they were measured.
    assert_eq!(desired(3, pods(true, 115), true, 299), 7);
    assert_eq!(desired(3, pods(true, 114), true, 299), 4);
    assert_eq!(desired(3, pods(false, 115), true, 299), 4);
    // After that a pod that had been ready counts, although it is not ready now.
    assert_eq!(desired(3, pods(false, 114), true, 300), 7);
}

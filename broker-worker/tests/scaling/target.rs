//! Target tracking (S10 to S12, S14, S15).

use broker_worker::{
    Error,
    scaling::{Bounds, Metric, Policy, Reason, Sample, Scaler, TargetTracking},
};

use crate::common::{Fleet, backlog_100, tracking};

// S10
#[test]
fn three_datapoints_above_the_target_add_workers_in_proportion() {
    let mut fleet = Fleet::new(tracking(backlog_100()), 10);
    assert_eq!(fleet.minutes(0..=3, &Sample::new(10).visible(4_000)), [10, 10, 10, 40]);
}

// S10
#[test]
fn a_datapoint_at_the_target_in_between_starts_the_count_anew() {
    let mut fleet = Fleet::new(tracking(backlog_100()), 10);
    let (high, at_target) = (Sample::new(10).visible(1_500), Sample::new(10).visible(1_000));
    fleet.minutes(0..=1, &high);
    fleet.minutes(2..=2, &at_target);
    assert_eq!(fleet.minutes(3..=6, &high), [10, 10, 10, 15]);
}

// S11
#[test]
fn fifteen_datapoints_well_below_the_target_take_workers_away() {
    let mut fleet = Fleet::new(tracking(backlog_100()), 10);
    let counts = fleet.minutes(0..=15, &Sample::new(10).visible(400));
    assert_eq!(counts[..15], [10; 15]);
    assert_eq!(counts[15], 4);
}

// S11
#[test]
fn the_largest_of_the_low_datapoints_says_how_many_are_needed() {
    let mut fleet = Fleet::new(tracking(backlog_100()), 10);
    fleet.minutes(0..=6, &Sample::new(10).visible(200));
    fleet.minutes(7..=7, &Sample::new(10).visible(730));
    let counts = fleet.minutes(8..=22, &Sample::new(10).visible(200));
    assert_eq!((counts[6], counts[7], counts[14]), (10, 8, 8));
    // The cooldown is over before those 730 are forgotten.
    assert_eq!(fleet.minutes(23..=23, &Sample::new(8).visible(160)), [2]);
}

// S11
#[test]
fn a_tenth_below_the_target_is_not_well_below() {
    let mut fleet = Fleet::new(tracking(backlog_100()), 20);
    // 90 for each: nine tenths are not below nine tenths, although 18 workers would do.
    assert_eq!(fleet.minutes(0..=20, &Sample::new(20).visible(1_800)), [20; 21]);
    // One message fewer, and they are.
    let counts = fleet.minutes(21..=36, &Sample::new(20).visible(1_799));
    assert_eq!(counts[14..], [20, 18]);
}

// S11
#[test]
fn no_worker_goes_whose_absence_would_lift_the_metric_above_its_target() {
    let mut fleet = Fleet::new(tracking(backlog_100()), 5);
    // 82 for each of five would be 102 for each of four.
    assert_eq!(fleet.minutes(0..=30, &Sample::new(5).visible(410)), [5; 31]);
}

// S12
#[test]
fn without_data_nothing_is_done_in_either_direction() {
    for visible in [5_000, 0] {
        let mut fleet = Fleet::new(tracking(backlog_100()), 10);
        fleet.minutes(0..=1, &Sample::new(10).visible(visible));
        // The third datapoint is missing, so are three in a row, and fifteen.
        fleet.minutes(2..=2, &Sample::new(10));
        let decision = fleet.decide(180, &Sample::new(10).visible(visible));
        assert_eq!((decision.desired, decision.reason), (10, Reason::NoData));
        assert_eq!(fleet.minutes(4..=5, &Sample::new(10).visible(visible)), [10; 2]);
    }
    let mut fleet = Fleet::new(tracking(backlog_100()), 10);
    fleet.minutes(0..=13, &Sample::new(10).visible(0));
    fleet.minutes(14..=14, &Sample::new(10));
    assert_eq!(fleet.minutes(15..=29, &Sample::new(10).visible(0)), [10; 15]);
    assert_eq!(fleet.minutes(30..=30, &Sample::new(10).visible(0)), [1]);
}

// S14
#[test]
fn a_target_is_between_minus_and_plus_2_to_the_360_and_above_zero() {
    let build = |target: f64| {
        let policy = Policy::target("t", TargetTracking::new(Metric::BacklogPerWorker, target));
        Scaler::new(Bounds::new(0, 1).unwrap(), [policy])
    };
    let most = 2f64.powi(360);
    for good in [1e-9, 1.0, most] {
        assert!(build(good).is_ok(), "{good}");
    }
    for bad in [most * 2.0, -most * 2.0, f64::NAN, f64::INFINITY, 0.0, -1.0] {
        let refused = build(bad).unwrap_err();
        assert!(matches!(refused, Error::InvalidSetting { field: "target", .. }), "{bad}: {refused}");
    }
}

// S14
#[test]
fn with_scale_in_disabled_workers_are_only_added() {
    let mut fleet = Fleet::new(tracking(backlog_100().disable_scale_in()), 10);
    assert_eq!(fleet.minutes(0..=30, &Sample::new(10).visible(0)), [10; 31]);
    let counts = fleet.minutes(31..=34, &Sample::new(10).visible(2_000));
    assert_eq!(counts[3], 20);
}

// S14
#[test]
fn a_metric_above_its_target_never_takes_workers_away() {
    // More workers are there than the count that the metric asks for: they are on their way out.
    let mut fleet = Fleet::new(tracking(backlog_100()), 10);
    assert_eq!(fleet.minutes(0..=30, &Sample::new(2).visible(900)), [10; 31]);
}

// S15
#[test]
fn no_worker_is_left_only_if_none_must_be_and_the_metric_is_zero() {
    let scaler =
        |min| Scaler::new(Bounds::new(min, 50).unwrap(), [Policy::target("backlog", backlog_100())]).unwrap();
    for (min, visible, left) in [(0, 0, 0), (0, 1, 1), (1, 0, 1)] {
        let mut fleet = Fleet::new(scaler(min), 10);
        let counts = fleet.minutes(0..=15, &Sample::new(10).visible(visible));
        assert_eq!(counts[15], left, "at least {min}, {visible} messages");
    }
}

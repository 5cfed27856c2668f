//! Step scaling: bounds, adjustments, rounding (S20, S22 to S24).

use broker_worker::scaling::{
    Adjustment, Aggregation, Alarm, Comparison, Policy, Scaler, Step, StepScaling, Timing,
};

use crate::common::{Fleet, bounds, load, loaded, secs, step_in, step_out, up};

fn fleet(policies: Vec<Policy>, desired: u32) -> Fleet<Scaler> {
    Fleet::new(Scaler::new(bounds(), policies).unwrap().timing(Timing::no_cooldown()).unwrap(), desired)
}

/// The count after a minute with a value.
fn after_a_minute(policy: Policy, desired: u32, value: f64) -> u32 {
    fleet(vec![policy], desired).minutes(0..=1, &loaded(desired, value))[1]
}

// S20
#[test]
fn above_the_threshold_the_lower_bound_belongs_to_a_step_and_the_upper_does_not() {
    let steps = [
        Step::new(0.0, 10.0, Adjustment::Change(1)),
        Step::new(10.0, 20.0, Adjustment::Change(2)),
        Step::new(20.0, None, Adjustment::Change(3)),
    ];
    for (value, desired) in
        [(59.9, 10), (60.0, 11), (69.9, 11), (70.0, 12), (79.9, 12), (80.0, 13), (1e9, 13)]
    {
        assert_eq!(after_a_minute(step_out(steps), 10, value), desired, "{value}");
    }
}

// S20
#[test]
fn below_the_threshold_the_upper_bound_belongs_to_a_step_and_the_lower_does_not() {
    let steps = [
        Step::new(-10.0, 0.0, Adjustment::Change(-1)),
        Step::new(-20.0, -10.0, Adjustment::Change(-2)),
        Step::new(None, -20.0, Adjustment::Change(-3)),
    ];
    for (value, desired) in [(40.1, 10), (40.0, 9), (30.1, 9), (30.0, 8), (20.1, 8), (20.0, 7), (-1e9, 7)] {
        assert_eq!(after_a_minute(step_in(steps), 10, value), desired, "{value}");
    }
}

// S22
#[test]
fn a_percentage_is_rounded_towards_zero_but_changes_one_worker_at_least() {
    // 12.7, 6.67, 0.5, 1, 0 and what mirrors them.
    for (percent, of, change) in
        [(127, 10, 12), (667, 1, 6), (5, 10, 1), (10, 10, 1), (0, 10, 0), (100, 0, 0)]
    {
        assert_eq!(Adjustment::Percent(percent).change(of), change, "{percent} % of {of}");
        assert_eq!(Adjustment::Percent(-percent).change(of), -change, "-{percent} % of {of}");
    }
}

// S22
#[test]
fn the_least_change_of_a_percentage_keeps_its_sign() {
    let of = |percent, workers| Adjustment::PercentAtLeast { percent, workers }.change(4);
    assert_eq!((of(25, 2), of(-25, 2), of(100, 2), of(0, 2)), (2, -2, 4, 0));
}

// S22
#[test]
fn changes_and_exact_counts_are_kept_within_the_bounds() {
    let adjust = |adjustment| after_a_minute(step_out([Step::new(0.0, None, adjustment)]), 90, 60.0);
    assert_eq!(adjust(Adjustment::Change(5)), 95);
    assert_eq!(adjust(Adjustment::Change(50)), 100);
    assert_eq!(adjust(Adjustment::Percent(i32::MAX)), 100);
    assert_eq!(adjust(Adjustment::Exact(0)), 0);
    assert_eq!(adjust(Adjustment::Exact(97)), 97);
    assert_eq!(adjust(Adjustment::Exact(u32::MAX)), 100);
    assert_eq!(adjust(Adjustment::Change(i32::MIN)), 0);
}

/// Both policies of the table, at a threshold of 50.
fn table() -> Vec<Policy> {
    let out = [
        Step::new(0.0, 10.0, Adjustment::Percent(0)),
        Step::new(10.0, 20.0, Adjustment::Percent(10)),
        Step::new(20.0, None, Adjustment::Percent(30)),
    ];
    let back = [
        Step::new(-10.0, 0.0, Adjustment::Percent(0)),
        Step::new(-20.0, -10.0, Adjustment::Percent(-10)),
        Step::new(None, -20.0, Adjustment::Percent(-30)),
    ];
    let policy = |name: &str, comparison, steps: [Step; 3]| {
        Policy::step(name, StepScaling::new(load(), Alarm::new(comparison, 50.0), steps))
    };
    vec![policy("out", Comparison::AtLeast, out), policy("in", Comparison::AtMost, back)]
}

// S23
#[test]
fn the_table_of_steps_is_followed() {
    let mut fleet = fleet(table(), 10);
    // A value counts a minute later, when its datapoint is over.
    for (minute, value, then) in [
        (0, 60.0, 10),
        (1, 70.0, 11),
        (2, 55.0, 14),
        (3, 40.0, 14),
        (4, 30.0, 13),
        (5, 50.0, 10),
        (6, 41.0, 10),
        (7, 59.0, 10),
        (8, 50.0, 10),
    ] {
        assert_eq!(fleet.desired(minute * 60, &loaded(10, value)), then, "minute {minute}");
    }
}

// S24
#[test]
fn a_datapoint_is_the_average_unless_the_least_or_the_largest_is_asked_for() {
    for (aggregation, desired) in
        [(Aggregation::Average, 11), (Aggregation::Minimum, 10), (Aggregation::Maximum, 12)]
    {
        let alarm = Alarm::new(Comparison::AtLeast, 60.0).aggregation(aggregation);
        let steps =
            [Step::new(0.0, 10.0, Adjustment::Change(1)), Step::new(10.0, None, Adjustment::Change(2))];
        let mut fleet = fleet(vec![Policy::step("out", StepScaling::new(load(), alarm, steps))], 10);
        fleet.desired(0, &loaded(10, 50.0));
        fleet.desired(30, &loaded(10, 76.0));
        assert_eq!(fleet.desired(60, &loaded(10, 0.0)), desired, "{aggregation:?}");
    }
}

// S24
#[test]
fn breaches_of_the_same_step_while_workers_warm_up_are_one_activity() {
    let scaler = Scaler::new(bounds(), [step_out(up(2))]).unwrap().timing(Timing::warm_up()).unwrap();
    let mut fleet = Fleet::new(scaler, 10);
    assert_eq!(fleet.minutes(0..=1, &loaded(10, 65.0)), [10, 12]);
    // They run from minute 2 on and are warm at minute 7.
    assert_eq!(fleet.minutes(2..=6, &loaded(12, 65.0)), [12; 5]);
    assert_eq!(fleet.minutes(7..=7, &loaded(12, 65.0)), [14]);
}

// S24
#[test]
fn percentages_are_of_the_count_that_there_should_be() {
    let steps =
        [Step::new(0.0, 10.0, Adjustment::Percent(10)), Step::new(10.0, None, Adjustment::Percent(30))];
    let policy = step_out(steps).warm_up(secs(60));
    let scaler = Scaler::new(bounds(), [policy]).unwrap().timing(Timing::warm_up()).unwrap();
    let mut fleet = Fleet::new(scaler, 10);
    assert_eq!(fleet.minutes(0..=1, &loaded(10, 60.0)), [10, 11]);
    // Only 10 run, but 30 % of 11 are 3, of which the one on its way is a part.
    assert_eq!(fleet.minutes(2..=3, &loaded(10, 70.0)), [11, 13]);
}

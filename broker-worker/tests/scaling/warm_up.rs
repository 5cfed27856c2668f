//! Warm-up, as an EC2 Auto Scaling group has it (S30 to S33).

use broker_worker::{
    Error,
    scaling::{Bounds, Policy, Reason, Sample, Scaler, Scheduled, Timing},
};

use crate::common::{Fleet, at, backlog_100, bounds, down, loaded, secs, step_in, step_out, up};

fn tracking(timing: Timing) -> Fleet<Scaler> {
    let scaler = Scaler::new(Bounds::new(1, 50).unwrap(), [Policy::target("backlog", backlog_100())]);
    Fleet::new(scaler.unwrap().timing(timing).unwrap(), 10)
}

// S30
#[test]
fn while_workers_warm_up_the_metric_is_that_of_the_others_and_they_are_part_of_what_is_asked_for() {
    let mut fleet = tracking(Timing::warm_up());
    assert_eq!(fleet.minutes(0..=3, &Sample::new(10).visible(1_500)), [10, 10, 10, 15]);
    // All 15 run, but the ten warm ones have 150 each: that asks for 15, which there are.
    assert_eq!(fleet.minutes(4..=6, &Sample::new(15).visible(1_500)), [15; 3]);
    // The ten have 180 each: that asks for 18, three more.
    assert_eq!(fleet.minutes(7..=8, &Sample::new(15).visible(1_800)), [15, 18]);
    let above = Reason::Above { policy: "backlog".into(), value: 180.0, limit: 100.0 };
    let mut fleet = tracking(Timing::warm_up());
    fleet.minutes(0..=3, &Sample::new(10).visible(1_500));
    fleet.minutes(4..=4, &Sample::new(15).visible(1_800));
    assert_eq!(fleet.decide(300, &Sample::new(15).visible(1_800)).reason, above);
}

// S30
#[test]
fn warm_workers_below_the_threshold_ask_for_nothing() {
    let mut fleet = tracking(Timing::warm_up());
    fleet.minutes(0..=3, &Sample::new(10).visible(1_500));
    assert_eq!(fleet.minutes(4..=8, &Sample::new(15).visible(990)), [15; 5]);
}

// S31
#[test]
fn no_worker_goes_until_all_warm_ups_are_over() {
    let scaler = Scaler::new(bounds(), [step_out(up(2)), step_in(down(-1))]).unwrap();
    let mut fleet = Fleet::new(scaler.timing(Timing::warm_up()).unwrap(), 10);
    assert_eq!(fleet.minutes(0..=1, &loaded(10, 65.0)), [10, 12]);
    // One is there at 120 s and warm at 420 s, the other comes at 180 s and is warm at 480 s.
    fleet.desired(120, &loaded(11, 30.0));
    assert_eq!(fleet.minutes(3..=7, &loaded(12, 30.0)), [12; 5]);
    assert_eq!(fleet.decide(479, &loaded(12, 30.0)).policies[1].1, Reason::Damped { until: at(480) });
    // Nothing damps one scale-in after another.
    assert_eq!(fleet.minutes(8..=9, &loaded(12, 30.0)), [11, 10]);
}

// S31
#[test]
fn workers_that_never_come_hold_up_a_scale_in_for_ten_minutes() {
    let scaler = Scaler::new(bounds(), [step_out(up(2)), step_in(down(-1))]).unwrap();
    let mut fleet = Fleet::new(scaler.timing(Timing::warm_up()).unwrap(), 10);
    assert_eq!(fleet.minutes(0..=1, &loaded(10, 65.0)), [10, 12]);
    assert_eq!(fleet.minutes(2..=10, &loaded(10, 30.0)), [12; 9]);
    assert_eq!(fleet.minutes(11..=11, &loaded(10, 30.0)), [11]);
}

// S32
#[test]
fn workers_are_added_at_once_after_a_scale_in() {
    let scaler = Scaler::new(bounds(), [step_out(up(2)), step_in(down(-1))]).unwrap();
    let mut fleet = Fleet::new(scaler.timing(Timing::warm_up()).unwrap(), 10);
    assert_eq!(fleet.minutes(0..=1, &loaded(10, 30.0)), [10, 9]);
    assert_eq!(fleet.minutes(2..=3, &loaded(9, 65.0)), [8, 10]);
}

// S30
#[test]
fn the_warm_up_is_that_of_the_policy_then_the_default_then_the_cooldown() {
    let warm_up = |own: Option<u64>, default: Option<u64>| {
        let policy = step_out(up(2));
        let policy = own.map_or(policy.clone(), |own| policy.warm_up(secs(own)));
        let timing = Timing::WarmUp { default_warm_up: default.map(secs), default_cooldown: secs(300) };
        let scaler = Scaler::new(bounds(), [policy]).unwrap().timing(timing).unwrap();
        let mut fleet = Fleet::new(scaler, 10);
        fleet.minutes(0..=1, &loaded(10, 65.0));
        // They run at once; when do more come?
        (61..2_000).find(|second| fleet.desired(*second, &loaded(12, 65.0)) > 12).unwrap() - 61
    };
    assert_eq!(warm_up(Some(120), Some(180)), 120);
    assert_eq!(warm_up(None, Some(180)), 180);
    assert_eq!(warm_up(None, None), 300);
}

// S30
#[test]
fn a_default_warm_up_is_an_hour_at_most() {
    let timing =
        |seconds| Timing::WarmUp { default_warm_up: Some(secs(seconds)), default_cooldown: secs(300) };
    let build = |seconds| Scaler::new(bounds(), []).unwrap().timing(timing(seconds));
    assert!(build(0).is_ok() && build(3_600).is_ok());
    assert!(matches!(build(3_601), Err(Error::InvalidSetting { field: "default_warm_up", .. })));
}

// S33
#[test]
fn a_scheduled_action_does_not_wait_for_a_warm_up() {
    let action = Scheduled::at("evening", at(100)).desired(3);
    let scaler = Scaler::new(bounds(), [step_out(up(2))]).unwrap().schedule([action]).unwrap();
    let mut fleet = Fleet::new(scaler.timing(Timing::warm_up()).unwrap(), 10);
    assert_eq!(fleet.minutes(0..=1, &loaded(10, 65.0)), [10, 12]);
    assert_eq!(fleet.desired(100, &loaded(10, 50.0)), 3);
}

//! Several policies at once (S13).

use broker_worker::scaling::{Bounds, Metric, Policy, Reason, Sample, Scaler, TargetTracking};

use crate::common::{Fleet, backlog_100, bounds, down, loaded, step_in, step_out, up};

fn tracking_two(processor: TargetTracking) -> Scaler {
    let policies = [Policy::target("backlog", backlog_100()), Policy::target("processor", processor)];
    Scaler::new(Bounds::new(1, 50).unwrap(), policies).unwrap()
}

fn processor() -> TargetTracking {
    TargetTracking::new(Metric::Named("processor".into()), 50.0)
}

fn sample(visible: u64, processor: f64) -> Sample {
    Sample::new(10).visible(visible).named("processor", processor)
}

// S13
#[test]
fn any_of_several_targets_adds_workers_and_the_largest_count_wins() {
    for (visible, processor_load, desired) in
        [(1_500, 50.0, 15), (1_000, 80.0, 16), (1_500, 80.0, 16), (1_700, 80.0, 17)]
    {
        let mut fleet = Fleet::new(tracking_two(processor()), 10);
        let counts = fleet.minutes(0..=3, &sample(visible, processor_load));
        assert_eq!(counts[3], desired, "{visible} messages, {processor_load} %");
    }
}

// S13
#[test]
fn workers_go_only_if_all_targets_agree_and_then_to_the_larger_count() {
    let mut fleet = Fleet::new(tracking_two(processor()), 10);
    // The backlog would do with 2 workers, the processor needs all.
    assert_eq!(fleet.minutes(0..=30, &sample(200, 50.0)), [10; 31]);
    let decision = fleet.decide(31 * 60, &sample(200, 50.0));
    assert_eq!(decision.policies[0], ("backlog".into(), Reason::Disagreement));

    let mut fleet = Fleet::new(tracking_two(processor()), 10);
    let counts = fleet.minutes(0..=15, &sample(200, 20.0));
    assert_eq!(counts[15], 4);
}

// S13
#[test]
fn a_target_without_data_does_not_agree() {
    let mut fleet = Fleet::new(tracking_two(processor()), 10);
    assert_eq!(fleet.minutes(0..=30, &Sample::new(10).visible(200)), [10; 31]);
}

// S13
#[test]
fn a_target_that_may_not_take_workers_away_is_not_asked() {
    let mut fleet = Fleet::new(tracking_two(processor().disable_scale_in()), 10);
    let counts = fleet.minutes(0..=15, &sample(200, 50.0));
    assert_eq!(counts[15], 2);
}

// S13
#[test]
fn a_step_policy_takes_workers_away_although_a_target_does_not_agree() {
    let policies = [Policy::target("backlog", backlog_100()), step_in(down(-2))];
    let mut fleet = Fleet::new(Scaler::new(bounds(), policies).unwrap(), 10);
    assert_eq!(fleet.minutes(0..=1, &loaded(10, 30.0).visible(1_000)), [10, 8]);
}

// S13
#[test]
fn whoever_wants_more_workers_wins_over_whoever_wants_fewer() {
    let other = Policy::step(
        "other",
        broker_worker::scaling::StepScaling::new(
            Metric::Visible,
            broker_worker::scaling::Alarm::new(broker_worker::scaling::Comparison::AtMost, 5.0),
            down(-4),
        ),
    );
    let mut fleet = Fleet::new(Scaler::new(bounds(), [step_out(up(2)), other]).unwrap(), 10);
    let sample = loaded(10, 70.0).visible(0);
    fleet.desired(0, &sample);
    let decision = fleet.decide(60, &sample);
    assert_eq!(decision.desired, 12);
    assert_eq!(decision.policies[1].1, Reason::Outbid);
}

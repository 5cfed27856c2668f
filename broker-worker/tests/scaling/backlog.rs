//! The backlog for each worker as a metric (S1 to S5).

use broker_worker::{
    Error,
    scaling::{
        Adjustment, Alarm, Bounds, Comparison, Metric, Policy, Reason, Sample, Scaler, Step, StepScaling,
        TargetTracking,
    },
};

use crate::common::{Fleet, at, backlog_100, secs, tracking};

// S1
#[test]
fn the_backlog_is_what_is_visible_divided_by_the_workers_in_service() {
    let mut fleet = Fleet::new(tracking(backlog_100()), 10);
    // 100 for each of the visible ones, which is the target, and many more that do not count.
    let sample = Sample::new(10).visible(1_000).in_flight(5_000).delayed(5_000);
    assert_eq!(fleet.minutes(0..=30, &sample), [10; 31]);

    // The same with half of the workers in service is twice as much: only those that run count.
    let mut fleet = Fleet::new(tracking(backlog_100()), 10);
    let decision = (0..=3).map(|minute| fleet.decide(minute * 60, &sample.clone().visible(1_001))).last();
    let above = Reason::Above { policy: "backlog".into(), value: 100.1, limit: 100.0 };
    assert_eq!(decision.unwrap().reason, above);
}

// S1
#[test]
fn workers_that_do_not_run_yet_are_not_counted() {
    let mut fleet = Fleet::new(tracking(backlog_100()), 10);
    let decision = (0..=3).map(|minute| fleet.decide(minute * 60, &Sample::new(5).visible(1_200))).last();
    let above = Reason::Above { policy: "backlog".into(), value: 240.0, limit: 100.0 };
    let decision = decision.unwrap();
    assert_eq!((decision.desired, decision.reason), (12, above));
}

// S2
#[test]
fn fifteen_hundred_messages_for_ten_workers_need_five_more() {
    let (latency, each) = (10.0, 0.1);
    let target = TargetTracking::new(Metric::BacklogPerWorker, latency / each);
    let mut fleet = Fleet::new(tracking(target), 10);
    assert_eq!(fleet.minutes(0..=3, &Sample::new(10).visible(1_500)), [10, 10, 10, 15]);
}

// S3
#[test]
fn the_count_is_rounded_so_that_the_metric_is_not_above_its_target() {
    for (visible, workers, desired) in
        [(1_401, 10, 15), (1_400, 10, 14), (850, 10, 9), (5_100, 10, 50), (1, 10, 1)]
    {
        let mut fleet = Fleet::new(tracking(backlog_100()), workers);
        let counts = fleet.minutes(0..=16, &Sample::new(workers).visible(visible));
        let first = counts.into_iter().find(|count| *count != workers);
        assert_eq!(first, Some(desired), "{visible} messages");
    }
}

// S4
#[test]
fn the_length_of_the_queue_is_no_target() {
    let policy = Policy::target("length", TargetTracking::new(Metric::Visible, 100.0));
    let refused = Scaler::new(Bounds::new(1, 50).unwrap(), [policy]).unwrap_err();
    assert!(matches!(refused, Error::InvalidSetting { field: "metric", .. }), "{refused}");
}

// S4
#[test]
fn without_workers_there_is_no_backlog_for_each_and_a_step_starts_the_first() {
    let bounds = Bounds::new(0, 50).unwrap();
    let target = Policy::target("backlog", backlog_100());
    let mut fleet = Fleet::new(Scaler::new(bounds, [target.clone()]).unwrap(), 0);
    let sample = Sample::new(0).visible(1_000);
    assert_eq!(fleet.minutes(0..=20, &sample), [0; 21]);
    assert_eq!(fleet.decide(21 * 60, &sample).reason, Reason::NoData);

    let alarm = Alarm::new(Comparison::Above, 0.0);
    let step = StepScaling::new(Metric::Visible, alarm, [Step::new(0.0, None, Adjustment::Exact(1))]);
    let mut fleet = Fleet::new(Scaler::new(bounds, [target, Policy::step("first", step)]).unwrap(), 0);
    assert_eq!(fleet.minutes(0..=1, &sample), [0, 1]);
}

// S5
#[test]
fn a_datapoint_is_a_minute_unless_another_length_is_given() {
    let mut fleet = Fleet::new(tracking(backlog_100()), 10);
    let sample = Sample::new(10).visible(1_500);
    // Three whole minutes must be over: at 179 s the third is not.
    let counts: Vec<u32> = (0..=179).map(|second| fleet.desired(second, &sample)).collect();
    assert!(counts.iter().all(|count| *count == 10));
    assert_eq!(fleet.desired(180, &sample), 15);

    let mut fleet = Fleet::new(tracking(backlog_100().period(secs(1))), 10);
    let counts: Vec<u32> = (0..=3).map(|second| fleet.desired(second, &sample)).collect();
    assert_eq!(counts, [10, 10, 10, 15]);
    assert_eq!(at(3).as_millis(), 3_000);
}

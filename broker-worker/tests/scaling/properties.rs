//! What holds whatever is measured: the bounds, the protected, and rest under constant load.

use broker_worker::scaling::{
    Adjustment, Bounds, Metric, Policy, Protection, QueueScaler, Roster, Sample, Scale, Scaler, Step,
    TargetTracking, Timing,
};
use proptest::prelude::*;

use crate::common::{Fleet, at, backlog_100, load, secs, step_in, step_out};

fn policies(cooldown: u64) -> Vec<Policy> {
    let steps = [Step::new(0.0, 20.0, Adjustment::Percent(20)), Step::new(20.0, None, Adjustment::Change(7))];
    let back = [Step::new(None, 0.0, Adjustment::PercentAtLeast { percent: -10, workers: 2 })];
    let own = |policy: Policy| policy.cooldown(secs(cooldown), secs(cooldown));
    vec![
        own(Policy::target("backlog", backlog_100())),
        own(Policy::target("load", TargetTracking::new(load(), 50.0))),
        own(step_out(steps)),
        own(step_in(back)),
    ]
}

/// A moment: how many seconds after the last, what is visible, and a load; each may be missing.
fn moment() -> impl Strategy<Value = (u64, Option<u64>, Option<f64>, u32)> {
    let visible = proptest::option::weighted(0.9, prop_oneof![0..200u64, 0..20_000u64, Just(u64::MAX)]);
    let load = proptest::option::weighted(0.9, prop_oneof![0.0..100.0f64, -1e300..1e300f64]);
    (0..100u64, visible, load, 0..3u32)
}

/// Asks at each moment. The fleet follows with at most `lag` workers missing.
fn counts<S: Scale>(scaler: S, start: u32, moments: &[(u64, Option<u64>, Option<f64>, u32)]) -> Vec<u32> {
    let mut fleet = Fleet::new(scaler, start);
    let (mut second, mut running) = (0, start);
    let ask = |(wait, visible, load, lag): &(u64, Option<u64>, Option<f64>, u32)| {
        second += wait;
        let sample = Sample { visible: *visible, in_flight: Some(3), ..Sample::new(running) };
        let sample = load.map_or(sample.clone(), |load| sample.named("load", load));
        let desired = fleet.desired(second, &sample);
        running = desired.saturating_sub(*lag);
        desired
    };
    moments.iter().map(ask).collect()
}

proptest! {
    // S35
    #[test]
    fn policies_never_leave_the_bounds(
        (min, max) in (0..20u32, 0..60u32).prop_map(|(min, more)| (min, min + more)),
        start in 0..100u32,
        cooldown in 0..600u64,
        warm_up in any::<bool>(),
        moments in prop::collection::vec(moment(), 1..120),
    ) {
        let timing = if warm_up { Timing::warm_up() } else { Timing::cooldown() };
        let scaler = Scaler::new(Bounds::new(min, max).unwrap(), policies(cooldown)).unwrap();
        for desired in counts(scaler.timing(timing).unwrap(), start, &moments) {
            prop_assert!((min..=max).contains(&desired), "{desired} is not in {min} to {max}");
        }
    }

    // S63
    #[test]
    fn a_queue_scaler_never_leaves_the_bounds(
        (min, max) in (0..20u32, 1..60u32).prop_map(|(min, more)| (min, min + more)),
        moments in prop::collection::vec(moment(), 1..120),
    ) {
        for desired in counts(QueueScaler::new(min, max).unwrap(), min, &moments) {
            prop_assert!((min..=max).contains(&desired), "{desired} is not in {min} to {max}");
        }
    }

    // S11
    #[test]
    fn under_constant_load_the_count_changes_at_most_once_and_stays(
        visible in 0..5_000u64,
        start in 1..60u32,
        warm_up in any::<bool>(),
    ) {
        let timing = if warm_up { Timing::warm_up() } else { Timing::cooldown() };
        let policy = Policy::target("backlog", TargetTracking::new(Metric::BacklogPerWorker, 100.0));
        let scaler = Scaler::new(Bounds::new(1, 100).unwrap(), [policy]).unwrap().timing(timing).unwrap();
        let moments = vec![(30, Some(visible), None, 0); 240];
        let mut seen = counts(scaler, start, &moments);
        seen.dedup();
        prop_assert!(seen.len() <= 2, "{visible} messages, {start} workers: {seen:?}");
    }

    // S42
    #[test]
    fn a_protected_worker_is_never_stopped(
        steps in prop::collection::vec((0..5u8, 0..12usize, 0..12u32, 0..200u64), 1..100),
    ) {
        let (mut roster, mut workers, mut second) = (Roster::new(), Vec::new(), 0);
        for (what, which, desired, wait) in steps {
            second += wait;
            let now = at(second);
            match what {
                0 => {
                    let id = roster.launch();
                    roster.in_service(id);
                    workers.push(id);
                }
                1 | 2 => {
                    let kind = if what == 1 { Protection::UntilLifted } else { Protection::Until(at(second + 90)) };
                    workers.get(which).map(|id| roster.protect(*id, kind));
                }
                3 => {
                    workers.get(which).map(|id| roster.protect(*id, Protection::None));
                }
                _ => {
                    let safe: Vec<_> =
                        workers.iter().copied().filter(|id| roster.is_protected(*id, now)).collect();
                    let had = roster.running();
                    let plan = roster.plan(desired, now);
                    prop_assert!(plan.stop.iter().all(|id| !safe.contains(id)));
                    let left = u32::try_from(plan.stop.len()).unwrap() + plan.held;
                    prop_assert_eq!((plan.start, left), (desired.saturating_sub(had), had.saturating_sub(desired)));
                }
            }
        }
    }
}

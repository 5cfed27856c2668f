//! Simple scaling (S34).

use broker_worker::scaling::{
    Adjustment, Alarm, Comparison, Policy, Reason, Roster, Scaler, SimpleScaling, Timing,
};

use crate::common::{Fleet, at, bounds, load, loaded, secs};

fn policy() -> Policy {
    let alarm = Alarm::new(Comparison::AtLeast, 60.0);
    Policy::simple("simple", SimpleScaling::new(load(), alarm, Adjustment::Change(2)))
}

fn fleet(policy: Policy) -> Fleet<Scaler> {
    Fleet::new(Scaler::new(bounds(), [policy]).unwrap().timing(Timing::warm_up()).unwrap(), 10)
}

// S34
#[test]
fn after_one_adjustment_it_waits_for_the_workers_and_then_for_the_cooldown() {
    let mut fleet = fleet(policy());
    assert_eq!(fleet.minutes(0..=1, &loaded(10, 65.0)), [10, 12]);
    // The last of the two comes at 240 s: 300 s from then it reacts again.
    assert_eq!(fleet.minutes(2..=3, &loaded(11, 99.0)), [12; 2]);
    assert_eq!(fleet.decide(200, &loaded(11, 99.0)).reason, Reason::InProgress);
    assert_eq!(fleet.minutes(4..=8, &loaded(12, 99.0)), [12; 5]);
    assert_eq!(fleet.decide(539, &loaded(12, 99.0)).reason, Reason::Damped { until: at(540) });
    assert_eq!(fleet.desired(540, &loaded(12, 99.0)), 14);
}

// S34
#[test]
fn it_may_have_a_cooldown_of_its_own() {
    let mut fleet = fleet(policy().cooldown(secs(0), secs(60)));
    assert_eq!(fleet.minutes(0..=1, &loaded(10, 65.0)), [10, 12]);
    assert_eq!(fleet.minutes(2..=3, &loaded(12, 65.0)), [12, 14]);
}

// S34
#[test]
fn the_replacement_of_a_lost_worker_does_not_wait() {
    let mut fleet = fleet(policy());
    let mut roster = Roster::new();
    let workers: Vec<_> = (0..12).map(|_| roster.launch()).collect();
    for id in &workers {
        roster.in_service(*id);
    }
    assert_eq!(fleet.minutes(0..=1, &loaded(10, 65.0)), [10, 12]);
    fleet.desired(120, &loaded(12, 65.0));
    // In the cooldown one is lost: the count stays, and says so at once.
    roster.remove(workers[3]);
    let desired = fleet.desired(130, &loaded(11, 65.0));
    assert_eq!((desired, roster.plan(desired, at(130)).start), (12, 1));
}

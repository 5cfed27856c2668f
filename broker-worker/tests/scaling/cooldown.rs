//! Cooldowns, as Application Auto Scaling has them (S30 to S33, S35, S36).

use broker_worker::scaling::{
    Adjustment, Bounds, Policy, Reason, Sample, Scaler, Scheduled, Step, Suspended, Timing,
};

use crate::common::{Fleet, at, backlog_100, bounds, down, loaded, secs, step_in, step_out, tracking, up};

/// +2 from 60, +3 from 70; -1 up to 40; cooldowns of 300 seconds.
fn steps() -> Fleet<Scaler> {
    let out = [Step::new(0.0, 10.0, Adjustment::Change(2)), Step::new(10.0, None, Adjustment::Change(3))];
    Fleet::new(Scaler::new(bounds(), [step_out(out), step_in(down(-1))]).unwrap(), 10)
}

// S30
#[test]
fn in_the_cooldown_a_larger_request_adds_the_difference_and_an_equal_one_nothing() {
    let mut fleet = steps();
    assert_eq!(fleet.minutes(0..=1, &loaded(10, 65.0)), [10, 12]);
    // Asked for +2 again: blocked.
    assert_eq!(fleet.minutes(2..=3, &loaded(12, 65.0)), [12, 12]);
    let decision = fleet.decide(4 * 60, &loaded(12, 75.0));
    assert_eq!(decision.reason, Reason::Damped { until: at(60 + 300) });
    // +3, of which 2 are there.
    assert_eq!(fleet.minutes(5..=5, &loaded(12, 75.0)), [13]);
    assert_eq!(fleet.minutes(6..=9, &loaded(13, 75.0)), [13; 4]);
    // The cooldown of the last addition, at 300 s, is over at 600 s.
    assert_eq!(fleet.minutes(10..=10, &loaded(13, 75.0)), [16]);
}

// S30
#[test]
fn in_the_cooldown_a_target_adds_what_is_more() {
    let mut fleet = Fleet::new(tracking(backlog_100()), 10);
    assert_eq!(fleet.minutes(0..=3, &Sample::new(10).visible(1_500)), [10, 10, 10, 15]);
    assert_eq!(fleet.minutes(4..=4, &Sample::new(10).visible(1_800)), [15]);
    assert_eq!(fleet.minutes(5..=5, &Sample::new(10).visible(1_800)), [18]);
}

// S30
#[test]
fn in_the_cooldown_a_target_that_asks_for_no_more_than_was_added_is_blocked() {
    let mut fleet = Fleet::new(tracking(backlog_100()), 10);
    assert_eq!(fleet.minutes(0..=3, &Sample::new(10).visible(1_500)), [10, 10, 10, 15]);
    // All 15 are there and have 120 each, which asks for three more; five were added.
    assert_eq!(fleet.minutes(4..=7, &Sample::new(15).visible(1_800)), [15; 4]);
    // The cooldown ends 300 s after the addition.
    assert_eq!(fleet.minutes(8..=8, &Sample::new(15).visible(1_800)), [18]);
}

// S31
#[test]
fn in_a_cooldown_no_worker_goes() {
    let mut fleet = steps();
    assert_eq!(fleet.minutes(0..=1, &loaded(10, 65.0)), [10, 12]);
    assert_eq!(fleet.minutes(2..=5, &loaded(12, 30.0)), [12; 4]);
    // At 360 s the cooldown is over; the next one holds for 300 s again.
    assert_eq!(fleet.minutes(6..=10, &loaded(12, 30.0)), [11; 5]);
    assert_eq!(fleet.minutes(11..=11, &loaded(11, 30.0)), [10]);
}

// S31
#[test]
fn a_policy_may_have_cooldowns_of_its_own() {
    let policy = step_in(down(-1)).cooldown(secs(0), secs(120));
    let mut fleet = Fleet::new(Scaler::new(bounds(), [policy]).unwrap(), 10);
    assert_eq!(fleet.minutes(0..=5, &loaded(10, 30.0)), [10, 9, 9, 8, 8, 7]);
}

// S30
#[test]
fn the_default_cooldown_is_300_seconds_or_none() {
    let scaler = |timing| Scaler::new(bounds(), [step_out(up(1))]).unwrap().timing(timing).unwrap();
    let mut fleet = Fleet::new(scaler(Timing::cooldown()), 10);
    assert_eq!(fleet.minutes(0..=6, &loaded(10, 65.0)), [10, 11, 11, 11, 11, 11, 12]);
    let mut fleet = Fleet::new(scaler(Timing::no_cooldown()), 10);
    assert_eq!(fleet.minutes(0..=3, &loaded(10, 65.0)), [10, 11, 12, 13]);
}

// S32
#[test]
fn workers_are_added_at_once_in_the_cooldown_of_a_scale_in_which_is_cancelled() {
    let out = step_out(up(2)).cooldown(secs(60), secs(0));
    let mut fleet = Fleet::new(Scaler::new(bounds(), [out, step_in(down(-1))]).unwrap(), 10);
    assert_eq!(fleet.minutes(0..=1, &loaded(10, 30.0)), [10, 9]);
    assert_eq!(fleet.minutes(2..=2, &loaded(9, 65.0)), [9]);
    assert_eq!(fleet.minutes(3..=3, &loaded(9, 30.0)), [11]);
    // Of the cooldown of 300 s nothing is left: that of 60 s holds, until 240 s.
    assert_eq!(fleet.minutes(4..=4, &loaded(11, 30.0)), [10]);
}

// S33
#[test]
fn scheduled_and_manual_changes_do_not_wait_for_a_cooldown() {
    let action = Scheduled::at("noon", at(90)).desired(20);
    let scaler = Scaler::new(bounds(), [step_out(up(2))]).unwrap().schedule([action]).unwrap();
    let mut fleet = Fleet::new(scaler, 10);
    assert_eq!(fleet.minutes(0..=1, &loaded(10, 65.0)), [10, 12]);
    let decision = fleet.decide(90, &loaded(12, 50.0));
    assert_eq!((decision.desired, decision.reason), (20, Reason::Scheduled { name: "noon".into() }));

    let refused = fleet.scaler.set_desired(&mut fleet.state, 5, true, at(100)).unwrap_err();
    assert!(refused.to_string().contains("cooldown"), "{refused}");
    assert_eq!(fleet.scaler.set_desired(&mut fleet.state, 5, false, at(100)).unwrap(), 5);
    // Once the cooldown is over it has nothing to wait for.
    assert_eq!(fleet.scaler.set_desired(&mut fleet.state, 6, true, at(361)).unwrap(), 6);
}

// S35
#[test]
fn a_count_outside_the_bounds_is_pulled_back() {
    let mut fleet = Fleet::new(tracking(backlog_100()), 10);
    fleet.desired(0, &Sample::new(10).visible(1_000));
    let Fleet { scaler, state } = &mut fleet;
    scaler.set_bounds(state, Bounds::new(12, 50).unwrap());
    let decision = fleet.decide(1, &Sample::new(10).visible(1_000));
    assert_eq!((decision.desired, decision.reason), (12, Reason::PulledIntoBounds));
    let Fleet { scaler, state } = &mut fleet;
    scaler.set_bounds(state, Bounds::new(1, 3).unwrap());
    assert_eq!(fleet.desired(2, &Sample::new(12)), 3);
}

// S35
#[test]
fn scheduled_bounds_hold_until_the_next_action() {
    let day = secs(86_400);
    let morning = Scheduled::at("morning", at(600)).every(day).min(8);
    let evening = Scheduled::at("evening", at(1_200)).every(day).min(1).max(4);
    let scaler = Scaler::new(Bounds::new(1, 50).unwrap(), [Policy::target("backlog", backlog_100())]);
    let mut fleet = Fleet::new(scaler.unwrap().schedule([evening, morning]).unwrap(), 2);
    for (second, desired) in [
        (599, 2),
        (600, 8),
        (1_199, 8),
        (1_200, 4),
        (86_400 + 599, 4),
        (86_400 + 600, 8),
        (86_400 + 1_201, 4),
    ] {
        assert_eq!(fleet.desired(second, &Sample::new(2).visible(200)), desired, "{second} s");
    }
}

// S35
#[test]
fn what_is_suspended_is_not_done() {
    let policies = || [step_out(up(2)), step_in(down(-1))];
    let scaler = |suspended| Scaler::new(bounds(), policies()).unwrap().suspend(suspended);
    let off = Suspended::default();
    for (suspended, high, low) in [
        (off, 12, 9),
        (Suspended { scale_out: true, ..off }, 10, 9),
        (Suspended { scale_in: true, ..off }, 12, 10),
    ] {
        let mut fleet = Fleet::new(scaler(suspended), 10);
        assert_eq!(fleet.minutes(0..=1, &loaded(10, 65.0))[1], high, "{suspended:?}");
        let mut fleet = Fleet::new(scaler(suspended), 10);
        assert_eq!(fleet.minutes(0..=1, &loaded(10, 35.0))[1], low, "{suspended:?}");
    }
    let action = Scheduled::at("noon", at(30)).desired(20);
    let scaler = scaler(Suspended { scheduled: true, ..off }).schedule([action]).unwrap();
    assert_eq!(Fleet::new(scaler, 10).minutes(0..=1, &loaded(10, 50.0)), [10, 10]);
}

// S36
#[test]
fn a_step_policy_reacts_while_workers_are_still_being_started() {
    let out = step_out(up(2)).cooldown(secs(0), secs(0));
    let mut fleet = Fleet::new(Scaler::new(bounds(), [out]).unwrap(), 10);
    // None of those that were asked for is there.
    assert_eq!(fleet.minutes(0..=3, &loaded(10, 65.0)), [10, 12, 14, 16]);
}

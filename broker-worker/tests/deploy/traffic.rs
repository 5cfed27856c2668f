//! Shares of the invocations at explicit times: all at once, canary, linear, and going back.

use broker_worker::deploy::{Deploy, Rollout, Stage, Verdict};

use crate::{at, secs};

const FAILING: Verdict = Verdict::Failing { failed: 5, of: 10 };

/// The share and the stage at each of some seconds, while all is well.
fn shares(plan: Deploy, seconds: &[u64]) -> Vec<(u8, Stage)> {
    let mut rollout = Rollout::start(plan, at(0)).unwrap();
    seconds.iter().map(|second| (rollout.traffic(Verdict::Well, at(*second)), rollout.stage())).collect()
}

#[test]
fn all_at_once_is_all_at_once() {
    assert_eq!(shares(Deploy::all_at_once(), &[0]), [(100, Stage::Done)]);
}

#[test]
fn a_canary_gets_its_share_and_then_the_rest() {
    let seen = shares(Deploy::canary(10, secs(300)), &[0, 1, 299, 300, 301]);
    let (shifting, done) = (Stage::Shifting, Stage::Done);
    assert_eq!(seen, [(10, shifting), (10, shifting), (10, shifting), (100, done), (100, done)]);
}

#[test]
fn linear_adds_its_share_each_time() {
    let seen = shares(Deploy::linear(30, secs(60)), &[0, 59, 60, 119, 120, 179, 180]);
    let percents: Vec<u8> = seen.iter().map(|(percent, _)| *percent).collect();
    assert_eq!(percents, [30, 30, 60, 60, 90, 90, 100]);
    assert_eq!((seen[5].1, seen[6].1), (Stage::Shifting, Stage::Done));
}

#[test]
fn it_says_when_to_ask_again() {
    let due = |plan, second: u64| Rollout::start(plan, at(0)).unwrap().due(at(second));
    assert_eq!(due(Deploy::canary(10, secs(300)), 1), Some(at(300)));
    assert_eq!(due(Deploy::linear(10, secs(60)), 0), Some(at(60)));
    assert_eq!(due(Deploy::linear(10, secs(60)), 60), Some(at(120)));
    let mut rollout = Rollout::start(Deploy::all_at_once().watch(secs(50)), at(0)).unwrap();
    rollout.traffic(Verdict::Unknown, at(7));
    assert_eq!((rollout.stage(), rollout.due(at(8))), (Stage::Watching, Some(at(57))));
}

#[test]
fn the_new_version_is_watched_after_it_has_got_everything() {
    let seen = shares(Deploy::canary(10, secs(300)).watch(secs(100)), &[299, 300, 399, 400]);
    let stages: Vec<Stage> = seen.iter().map(|(_, stage)| *stage).collect();
    assert_eq!(stages, [Stage::Shifting, Stage::Watching, Stage::Watching, Stage::Done]);
}

#[test]
fn a_version_that_is_not_well_loses_everything_at_once_and_for_good() {
    for second in [10, 310] {
        let mut rollout = Rollout::start(Deploy::canary(10, secs(300)).watch(secs(100)), at(0)).unwrap();
        rollout.traffic(Verdict::Unknown, at(second));
        assert_eq!(rollout.traffic(FAILING, at(second + 1)), 0);
        assert_eq!(rollout.traffic(Verdict::Well, at(1_000)), 0);
        assert_eq!((rollout.stage(), rollout.due(at(1_000))), (Stage::RolledBack(FAILING), None));
    }
}

#[test]
fn what_is_done_does_not_go_back() {
    let mut rollout = Rollout::start(Deploy::all_at_once(), at(0)).unwrap();
    assert_eq!(rollout.traffic(Verdict::Well, at(0)), 100);
    assert_eq!((rollout.traffic(FAILING, at(1)), rollout.stage()), (100, Stage::Done));
}

#[test]
fn too_little_to_say_does_not_hold_a_deployment_up() {
    let mut rollout = Rollout::start(Deploy::canary(10, secs(300)), at(0)).unwrap();
    assert_eq!(rollout.traffic(Verdict::Unknown, at(300)), 100);
}

//! Workers that are replaced: between which numbers, and going back.

use broker_worker::deploy::{Deploy, Rollout, Stage, Verdict};
use proptest::prelude::*;

use crate::{at, secs};

/// Each step carried out whole. The workers of both versions after each, until nothing more happens.
fn steps(desired: u32, least: u32, most: u32) -> Vec<(u32, u32)> {
    let mut rollout = Rollout::start(Deploy::rolling(least, most), at(0)).unwrap();
    let (mut workers, mut seen) = ((desired, 0), Vec::new());
    while !rollout.stage().is_end() && seen.len() < 1_000 {
        workers = rollout.workers(Verdict::Well, desired, workers, at(0));
        seen.push(workers);
    }
    seen
}

#[test]
fn with_100_and_200_percent_the_new_ones_come_first_and_then_the_old_ones_go() {
    assert_eq!(steps(4, 100, 200), [(4, 4), (0, 4), (0, 4)]);
}

#[test]
fn with_50_and_100_percent_half_of_the_old_ones_go_first() {
    assert_eq!(steps(4, 50, 100), [(2, 0), (2, 2), (0, 2), (0, 4), (0, 4)]);
}

#[test]
fn limits_are_rounded_so_that_more_are_healthy_and_fewer_run() {
    // Of 3: at least 1.5, so 2; at most 4.5, so 4.
    assert_eq!(steps(3, 50, 150), [(2, 1), (1, 2), (0, 3), (0, 3)]);
}

#[test]
fn if_no_worker_could_be_replaced_there_may_be_one_more() {
    assert_eq!(steps(2, 100, 100), [(2, 1), (1, 1), (1, 2), (0, 2), (0, 2)]);
    assert_eq!(steps(1, 50, 100), [(1, 1), (0, 1), (0, 1)]);
}

#[test]
fn workers_that_finish_something_yet_count_as_running() {
    let mut rollout = Rollout::start(Deploy::rolling(50, 100), at(0)).unwrap();
    assert_eq!(rollout.workers(Verdict::Well, 4, (4, 0), at(0)), (2, 0));
    // The two that are to go still work: no new one may come.
    assert_eq!(rollout.workers(Verdict::Well, 4, (4, 0), at(5)), (2, 0));
    assert_eq!(rollout.workers(Verdict::Well, 4, (3, 0), at(10)), (2, 1));
}

#[test]
fn the_new_version_is_watched_once_the_old_one_is_gone() {
    let mut rollout = Rollout::start(Deploy::rolling(100, 200).watch(secs(60)), at(0)).unwrap();
    assert_eq!(rollout.workers(Verdict::Well, 2, (1, 2), at(0)), (0, 2));
    assert_eq!(rollout.stage(), Stage::Shifting);
    rollout.workers(Verdict::Well, 2, (0, 2), at(10));
    assert_eq!(rollout.stage(), Stage::Watching);
    rollout.workers(Verdict::Well, 2, (0, 2), at(69));
    assert_eq!(rollout.stage(), Stage::Watching);
    rollout.workers(Verdict::Well, 2, (0, 2), at(70));
    assert_eq!(rollout.stage(), Stage::Done);
}

#[test]
fn a_version_that_is_not_well_is_replaced_by_the_old_one_between_the_same_limits() {
    let failing = Verdict::Failing { failed: 3, of: 10 };
    let mut rollout = Rollout::start(Deploy::rolling(50, 100), at(0)).unwrap();
    assert_eq!(rollout.workers(failing, 4, (2, 2), at(0)), (2, 0));
    assert_eq!(rollout.stage(), Stage::RolledBack(failing));
    assert_eq!(rollout.workers(Verdict::Well, 4, (2, 1), at(5)), (3, 0));
    assert_eq!(rollout.workers(Verdict::Well, 4, (3, 0), at(10)), (4, 0));
}

proptest! {
    #[test]
    fn between_both_limits_it_always_comes_to_an_end(
        desired in 0..40u32, least in 0..=100u32, most in 100..=300u32, unwell in proptest::option::of(0..20usize),
    ) {
        let mut rollout = Rollout::start(Deploy::rolling(least, most), at(0)).unwrap();
        let lower = (desired * least).div_ceil(100);
        let upper = (desired * most / 100).max(desired + u32::from(lower >= desired));
        let mut workers = (desired, 0);
        for step in 0..200 {
            let verdict = match unwell {
                Some(when) if step >= when => Verdict::Failing { failed: 1, of: 1 },
                _ => Verdict::Well,
            };
            let next = rollout.workers(verdict, desired, workers, at(0));
            // Workers end before others start.
            let between = workers.0.min(next.0) + workers.1.min(next.1);
            prop_assert!(between >= lower, "{workers:?} to {next:?}: fewer than {lower}");
            prop_assert!(next.0 + next.1 <= upper, "{workers:?} to {next:?}: more than {upper}");
            workers = next;
        }
        let end = if matches!(rollout.stage(), Stage::RolledBack(_)) { (desired, 0) } else { (0, desired) };
        prop_assert_eq!(workers, end);
    }
}

//! Protection from scale-in (S40 to S44).

use broker_worker::{
    Error,
    scaling::{Protection, Roster, WorkerId},
};

use crate::common::{at, secs};

fn roster(workers: usize) -> (Roster, Vec<WorkerId>) {
    let mut roster = Roster::new();
    let ids: Vec<_> = (0..workers).map(|_| roster.launch()).collect();
    for id in &ids {
        roster.in_service(*id);
    }
    (roster, ids)
}

// S40
#[test]
fn a_default_is_for_workers_that_are_launched_later_from_when_they_are_in_service() {
    let (mut roster, old) = roster(1);
    assert!(!roster.is_protected(old[0], at(0)));
    roster.protect_new(true);
    assert!(!roster.is_protected(old[0], at(0)));
    let new = roster.launch();
    assert!(!roster.is_protected(new, at(0)));
    // One that was launched before the default was off again keeps it.
    roster.protect_new(false);
    roster.in_service(new);
    assert!(roster.is_protected(new, at(1_000_000)));
    assert_eq!(roster.plan(0, at(0)).stop, [old[0]]);
}

// S40
#[test]
fn a_flag_of_a_worker_is_set_and_lifted() {
    let (mut roster, ids) = roster(3);
    assert!(roster.protect(ids[2], Protection::UntilLifted));
    assert_eq!(roster.plan(2, at(0)).stop, [ids[1]]);
    assert!(roster.protect(ids[2], Protection::None));
    assert_eq!(roster.plan(1, at(0)).stop, [ids[2]]);
}

// S41
#[test]
fn protection_is_of_no_use_against_any_other_end_and_does_not_outlast_it() {
    let (mut roster, ids) = roster(1);
    roster.protect(ids[0], Protection::UntilLifted);
    assert!(roster.remove(ids[0]));
    assert_eq!(roster.running(), 0);
    let again = roster.launch();
    roster.in_service(again);
    assert!(!roster.is_protected(again, at(0)));
}

// S42
#[test]
fn if_all_are_protected_nothing_is_stopped_until_protection_is_lifted() {
    let (mut roster, ids) = roster(3);
    for id in &ids {
        assert!(roster.protect(*id, Protection::UntilLifted));
    }
    let plan = roster.plan(1, at(0));
    assert_eq!((plan.stop.len(), plan.held), (0, 2));
    let told = "start 0, stop 0; could not scale to the desired count: 2 more are protected from scale-in";
    assert_eq!(plan.to_string(), told);
    roster.protect(ids[0], Protection::None);
    let plan = roster.plan(1, at(1));
    assert_eq!((plan.stop, plan.held), (vec![ids[0]], 1));
}

// S43
#[test]
fn a_worker_that_was_chosen_takes_no_new_work_and_one_that_has_work_is_not_chosen() {
    let (mut roster, ids) = roster(2);
    // Both have lifted their protection; one is faster in taking work.
    assert!(roster.protect(ids[1], Protection::task(at(0))));
    assert_eq!(roster.plan(0, at(1)).stop, [ids[0]]);
    assert!(!roster.protect(ids[0], Protection::task(at(1))));
    assert_eq!((roster.running(), roster.stopping()), (1, 1));
}

// S43
#[test]
fn the_protection_of_a_task_ends_by_itself_after_two_hours_or_1_to_2880_minutes() {
    assert!(Protection::task(at(0)).holds(at(7_199)) && !Protection::task(at(0)).holds(at(7_200)));
    for minutes in [1, 2_880] {
        let protection = Protection::task_minutes(minutes, at(0)).unwrap();
        let end = secs(u64::from(minutes) * 60).as_secs();
        assert!(protection.holds(at(end - 1)) && !protection.holds(at(end)));
    }
    for minutes in [0, 2_881] {
        let refused = Protection::task_minutes(minutes, at(0)).unwrap_err();
        assert!(matches!(refused, Error::InvalidSetting { field: "minutes", .. }), "{refused}");
    }
    let (mut roster, ids) = roster(1);
    roster.protect(ids[0], Protection::task_minutes(1, at(0)).unwrap());
    assert_eq!(roster.plan(0, at(59)).held, 1);
    assert_eq!(roster.plan(0, at(60)).stop, ids);
}

// S42
#[test]
fn those_that_are_still_starting_are_stopped_before_the_youngest() {
    let (mut roster, ids) = roster(3);
    let starting = roster.launch();
    assert_eq!(roster.plan(2, at(0)).stop, [starting, ids[2]]);
}

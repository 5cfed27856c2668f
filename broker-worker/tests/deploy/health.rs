//! Whether a version is well.

use broker_worker::deploy::{Health, Invoked, Tally, Verdict};

use crate::{at, secs};

/// Invocations of one part each at a second: so many well ones, so many that failed, so many that took 9 seconds.
fn tally(second: u64, well: u32, failed: u32, slow: u32) -> Tally {
    let mut tally = Tally::new();
    let invoked = |failed, took| Invoked { at: at(second), took: secs(took), parts: 1, failed };
    (0..well).for_each(|_| tally.add(invoked(0, 1)));
    (0..failed).for_each(|_| tally.add(invoked(1, 1)));
    (0..slow).for_each(|_| tally.add(invoked(0, 9)));
    tally
}

#[test]
fn more_failures_than_the_error_rate_are_not_well_and_as_many_are() {
    let health = Health::new().error_rate_max(0.1);
    assert_eq!(health.judge(&tally(0, 18, 2, 0), at(0)), Verdict::Well);
    assert_eq!(health.judge(&tally(0, 17, 3, 0), at(0)), Verdict::Failing { failed: 3, of: 20 });
    assert_eq!(Verdict::Failing { failed: 3, of: 20 }.to_string(), "3 of 20 failed");
}

#[test]
fn parts_of_an_invocation_count_each() {
    let mut tally = Tally::new();
    (0..10).for_each(|_| tally.add(Invoked { at: at(0), took: secs(1), parts: 10, failed: 2 }));
    let health = Health::new().error_rate_max(0.1);
    assert_eq!(health.judge(&tally, at(0)), Verdict::Failing { failed: 20, of: 100 });
    assert_eq!(Health::new().error_rate_max(0.2).judge(&tally, at(0)), Verdict::Well);
}

#[test]
fn more_slow_invocations_than_one_of_twenty_are_not_well() {
    let health = Health::new().latency_max(secs(5));
    assert_eq!(health.judge(&tally(0, 19, 0, 1), at(0)), Verdict::Well);
    assert_eq!(health.judge(&tally(0, 18, 0, 2), at(0)), Verdict::Slow { slow: 2, of: 20, max: secs(5) });
    // As long as the limit is not longer.
    assert_eq!(Health::new().latency_max(secs(9)).judge(&tally(0, 0, 0, 20), at(0)), Verdict::Well);
}

#[test]
fn too_few_invocations_say_nothing() {
    let health = Health::new().error_rate_max(0.0);
    assert_eq!(health.judge(&tally(0, 0, 9, 0), at(0)), Verdict::Unknown);
    assert!(health.judge(&tally(0, 0, 10, 0), at(0)).is_unwell());
    assert!(health.invocations_min(1).judge(&tally(0, 0, 1, 0), at(0)).is_unwell());
}

#[test]
fn only_what_ended_within_the_window_counts() {
    let health = Health::new().error_rate_max(0.0).window(secs(60));
    let tally = tally(100, 0, 10, 0);
    assert!(health.judge(&tally, at(159)).is_unwell());
    assert_eq!(health.judge(&tally, at(160)), Verdict::Unknown);
}

#[test]
fn a_thousand_invocations_are_remembered() {
    let mut tally = tally(0, 0, 500, 0);
    let well = Invoked { at: at(0), took: secs(1), parts: 1, failed: 0 };
    (0..500).for_each(|_| tally.add(well));
    let health = Health::new().error_rate_max(0.4);
    assert_eq!(health.judge(&tally, at(0)), Verdict::Failing { failed: 500, of: 1_000 });
    (0..100).for_each(|_| tally.add(well));
    assert_eq!(health.judge(&tally, at(0)), Verdict::Well);
}

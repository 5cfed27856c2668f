//! Steps that are refused (S21).

use broker_worker::{
    Error,
    scaling::{Adjustment, Scaler, Step},
};

use crate::common::{bounds, step_out};

const CHANGE: Adjustment = Adjustment::Change(1);

fn check(steps: &[(Option<f64>, Option<f64>)]) -> Result<Scaler, Error> {
    let steps = steps.iter().map(|(lower, upper)| Step::new(*lower, *upper, CHANGE));
    Scaler::new(bounds(), [step_out(steps)])
}

#[track_caller]
fn refused(steps: &[(Option<f64>, Option<f64>)], why: &str) {
    let Err(Error::InvalidSetting { field: "steps", reason, .. }) = check(steps) else {
        panic!("{steps:?} are taken");
    };
    assert!(reason.contains(why), "{steps:?}: {reason}");
}

// S21
#[test]
fn steps_have_no_gaps_and_no_overlaps() {
    refused(&[(Some(0.0), Some(10.0)), (Some(11.0), None)], "gap");
    refused(&[(Some(0.0), Some(10.0)), (Some(9.0), None)], "overlap");
    refused(&[(Some(0.0), Some(10.0)), (Some(0.0), None)], "overlap");
    // The order in which they are given does not matter.
    check(&[(Some(10.0), None), (None, Some(0.0)), (Some(0.0), Some(10.0))]).unwrap();
}

// S21
#[test]
fn one_step_may_be_open_below_and_one_above_and_none_on_both_sides() {
    refused(&[(None, Some(0.0)), (None, Some(5.0)), (Some(5.0), None)], "open");
    refused(&[(Some(0.0), None), (Some(5.0), None)], "open");
    refused(&[(None, None)], "must be given");
}

// S21
#[test]
fn a_negative_lower_bound_needs_a_step_that_is_open_below() {
    refused(&[(Some(-10.0), Some(0.0))], "no lower bound");
    check(&[(Some(-10.0), Some(0.0)), (None, Some(-10.0))]).unwrap();
}

// S21
#[test]
fn a_positive_upper_bound_needs_a_step_that_is_open_above() {
    refused(&[(Some(0.0), Some(10.0))], "no upper bound");
    check(&[(Some(0.0), Some(10.0)), (Some(10.0), None)]).unwrap();
}

// S21
#[test]
fn the_upper_bound_is_above_the_lower() {
    refused(&[(Some(10.0), Some(10.0)), (Some(10.0), None)], "above the lower");
    refused(&[(Some(10.0), Some(5.0))], "above the lower");
    refused(&[(Some(f64::NAN), None)], "must be a number");
    refused(&[(Some(0.0), Some(f64::INFINITY))], "must be a number");
}

// S21
#[test]
fn there_are_1_to_20_steps() {
    refused(&[], "1 to 20");
    let steps = |count: u32| {
        let bound = |at: u32| (at < count).then(|| f64::from(at));
        (0..count).map(|at| (Some(f64::from(at)), bound(at + 1))).collect::<Vec<_>>()
    };
    check(&steps(20)).unwrap();
    refused(&steps(21), "1 to 20");
}

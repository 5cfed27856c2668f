//! Plans that are refused.

use broker_worker::{
    Error,
    deploy::{Deploy, Health},
};

use crate::secs;

#[track_caller]
fn refused(plan: &Deploy, field: &str) {
    let error = plan.check().unwrap_err();
    assert!(matches!(&error, Error::InvalidSetting { field: named, .. } if *named == field), "{error}");
}

#[test]
fn shares_are_1_to_99_percent() {
    for percent in [0, 100] {
        refused(&Deploy::canary(percent, secs(1)), "percent");
        refused(&Deploy::linear(percent, secs(1)), "percent");
    }
    for percent in [1, 99] {
        Deploy::canary(percent, secs(0)).check().unwrap();
        Deploy::linear(percent, secs(1)).check().unwrap();
    }
}

#[test]
fn steps_take_time_and_nothing_takes_longer_than_a_week() {
    refused(&Deploy::linear(10, secs(0)), "every");
    let week = secs(7 * 86_400);
    Deploy::canary(10, week).watch(week).check().unwrap();
    refused(&Deploy::canary(10, week + secs(1)), "bake");
    refused(&Deploy::linear(10, week + secs(1)), "every");
    refused(&Deploy::all_at_once().watch(week + secs(1)), "watch");
}

#[test]
fn percentages_of_workers_have_limits() {
    for (least, most) in [(0, 100), (100, 200), (100, 10_000), (100, 100)] {
        Deploy::rolling(least, most).check().unwrap();
    }
    refused(&Deploy::rolling(101, 200), "minimum_healthy_percent");
    refused(&Deploy::rolling(50, 99), "maximum_percent");
    refused(&Deploy::rolling(50, 10_001), "maximum_percent");
}

#[test]
fn health_has_limits() {
    let plan = |health| Deploy::all_at_once().health(health);
    for rate in [-0.1, 1.1, f64::NAN] {
        refused(&plan(Health::new().error_rate_max(rate)), "error_rate_max");
    }
    refused(&plan(Health::new().invocations_min(0)), "invocations_min");
    refused(&plan(Health::new().invocations_min(1_001)), "invocations_min");
    refused(&plan(Health::new().window(secs(0))), "window");
}

//! The phases of retries, as the rules have them.

use proptest::prelude::*;

use super::*;

fn seconds(policy: &RetryPolicy, retries: std::ops::RangeInclusive<u32>) -> Vec<f64> {
    retries.map(|retry| policy.delay(retry).expect("a retry").as_secs_f64()).collect()
}

/// N51: at its only step a curve is where it begins; with none there is only the longest delay.
#[test]
fn a_curve_begins_with_the_shortest_delay() {
    let policy = |retries, longest| RetryPolicy {
        min_delay: 2 * SECOND,
        max_delay: 8 * SECOND,
        retries,
        max_delay_retries: longest,
        backoff: BackoffFunction::Exponential,
        ..RetryPolicy::http()
    };
    assert_eq!(seconds(&policy(1, 0), 1..=1), [2.0]);
    assert_eq!(seconds(&policy(1, 1), 1..=1), [8.0]);
    assert_eq!(seconds(&policy(2, 1), 1..=2), [2.0, 8.0]);
    assert_eq!(seconds(&policy(3, 0), 1..=3), [2.0, 4.0, 8.0]);
    // No factor leads from zero to anything.
    let from_zero = RetryPolicy { min_delay: Duration::ZERO, ..policy(3, 0) };
    assert_eq!(seconds(&from_zero, 1..=3), [0.0, 4.0, 8.0]);
}

/// N50: the limits themselves are allowed.
#[test]
fn a_policy_at_the_limits_is_taken() {
    let taken = |retry: RetryPolicy, content_type: &str| {
        let policy = DeliveryPolicy { content_type: Some(content_type.into()), ..DeliveryPolicy::new(retry) };
        policy.check(&Limits::aws()).is_ok()
    };
    let http = RetryPolicy::http;
    let (longest, too_long) = ("t".repeat(CONTENT_TYPE_BYTES_MAX), "t".repeat(CONTENT_TYPE_BYTES_MAX + 1));
    assert!(taken(http(), &longest) && !taken(http(), &too_long) && !taken(http(), ""));
    assert!(taken(RetryPolicy { jitter_percent: 100, ..http() }, "t"));
    assert!(!taken(RetryPolicy { jitter_percent: 101, ..http() }, "t"));
    assert!(taken(RetryPolicy { max_delay: 3_600 * SECOND, retries: 1, ..http() }, "t"));
    let hour = |delay| RetryPolicy { min_delay: delay, max_delay: delay, retries: 100, ..http() };
    assert!(taken(hour(36 * SECOND), "t") && !taken(hour(37 * SECOND), "t"));
}

/// The table of section C6.
#[test]
fn c6_the_built_in_policies_have_the_documented_phases() {
    let policy = RetryPolicy::aws_managed();
    assert_eq!(seconds(&policy, 1..=6), [0.0, 0.0, 0.0, 1.0, 1.0, 1.0]);
    assert_eq!(seconds(&policy, 15..=17), [20.0, 20.0, 20.0]);
    assert_eq!((policy.delay(100_015), policy.delay(100_016)), (Some(20 * SECOND), None));
    assert_eq!(policy.total().as_secs() / 86_400, 23);

    let policy = RetryPolicy::customer_managed();
    assert_eq!(seconds(&policy, 1..=3), [10.0, 10.0, 10.0]);
    assert_eq!(policy.delay(50), Some(600 * SECOND));
    assert_eq!(policy.delay(51), None);

    let policy = RetryPolicy::http();
    assert_eq!(seconds(&policy, 1..=3), [20.0; 3]);
    assert_eq!(policy.delay(4), None);
}

#[test]
fn n50_the_phases_come_in_their_order() {
    let policy = RetryPolicy {
        min_delay: SECOND,
        max_delay: 5 * SECOND,
        retries: 9,
        no_delay_retries: 2,
        min_delay_retries: 1,
        max_delay_retries: 1,
        ..RetryPolicy::http()
    };
    assert_eq!(seconds(&policy, 1..=9), [0.0, 0.0, 1.0, 1.0, 2.0, 3.0, 4.0, 5.0, 5.0]);
    assert_eq!((policy.delay(0), policy.delay(10)), (None, None));
}

#[test]
fn n51_the_four_curves_meet_at_their_ends_and_keep_their_order_between() {
    let curve = |backoff| {
        let (min_delay, max_delay) = (SECOND, 60 * SECOND);
        let policy = RetryPolicy { min_delay, max_delay, retries: 10, backoff, ..RetryPolicy::http() };
        seconds(&policy, 1..=10)
    };
    let curves = [
        curve(BackoffFunction::Linear),
        curve(BackoffFunction::Arithmetic),
        curve(BackoffFunction::Geometric),
        curve(BackoffFunction::Exponential),
    ];
    for curve in &curves {
        assert!(curve.is_sorted());
        assert_eq!((curve[0], curve[9]), (1.0, 60.0));
    }
    for step in 1..9 {
        assert!(curves.windows(2).all(|pair| pair[0][step] > pair[1][step]), "step {step}");
    }
    assert!((curves[3][3] - 3.914).abs() < 1e-9, "1 * 60^(3/9), in milliseconds");
}

#[test]
fn n50_a_policy_outside_the_limits_is_refused() {
    let refused = |policy: RetryPolicy, field: &str| {
        let error = policy.check(&Limits::aws()).expect_err("out of bounds");
        assert!(matches!(&error, Error::InvalidParameter { field: named, .. } if *named == field), "{error}");
    };
    let http = RetryPolicy::http;
    assert!(http().check(&Limits::aws()).is_ok());
    assert!(RetryPolicy::aws_managed().check(&Limits::aws()).is_ok());
    refused(RetryPolicy { min_delay: Duration::ZERO, ..http() }, "min_delay, max_delay");
    refused(RetryPolicy { min_delay: 21 * SECOND, ..http() }, "min_delay, max_delay");
    refused(RetryPolicy { max_delay: 3_601 * SECOND, ..http() }, "min_delay, max_delay");
    refused(RetryPolicy { retries: 101, ..http() }, "retries");
    refused(RetryPolicy { no_delay_retries: 2, max_delay_retries: 2, ..http() }, "retries");
    refused(RetryPolicy { no_delay_retries: u32::MAX, min_delay_retries: u32::MAX, ..http() }, "retries");
    // 100 times 40 seconds.
    refused(RetryPolicy { max_delay: 60 * SECOND, retries: 100, ..http() }, "retry policy");
    let policy = DeliveryPolicy { max_receives_per_second: Some(0), ..DeliveryPolicy::new(http()) };
    assert!(policy.check(&Limits::aws()).is_err());
}

proptest! {
    #[test]
    fn jitter_only_shortens_and_repeats_itself(retry in 1u32..60, seed: u64, queue: u64, seq: u64) {
        let policy = RetryPolicy::customer_managed();
        let delay = |seed| policy.jittered_delay(retry, Seed(seed), queue, seq);
        prop_assert_eq!(delay(seed), delay(seed));
        let (Some(plain), Some(jittered)) = (policy.delay(retry), delay(seed)) else {
            prop_assert!(retry > 50);
            return Ok(());
        };
        prop_assert!(jittered <= plain && jittered >= plain.mul_f64(0.9), "{jittered:?} of {plain:?}");
    }

    #[test]
    fn no_policy_makes_the_arithmetic_panic(
        min: u64, max: u64, phases: [u32; 4], jitter_percent: u8, retry: u32, curve in 0usize..4,
    ) {
        let [retries, no_delay_retries, min_delay_retries, max_delay_retries] = phases;
        let curves = [
            BackoffFunction::Linear,
            BackoffFunction::Arithmetic,
            BackoffFunction::Geometric,
            BackoffFunction::Exponential,
        ];
        let policy = RetryPolicy {
            min_delay: Duration::from_millis(min),
            max_delay: Duration::from_millis(max),
            retries, no_delay_retries, min_delay_retries, max_delay_retries,
            backoff: curves[curve],
            jitter_percent,
        };
        if policy.check(&Limits::aws()).is_ok() {
            let _ = policy.jittered_delay(retry, Seed(1), 2, 3);
        }
    }
}

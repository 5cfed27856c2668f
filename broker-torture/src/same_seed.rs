//! The same seed twice gives the same trace, in whatever parts; another seed gives another one.

use std::ops::Range;

use crate::{
    crash_sim::{self, Ground},
    models,
    report::Outcome,
    schedules,
    store::Store,
};

/// What two parts end with together.
fn told(run: impl Fn(Range<u64>, u64) -> Outcome, parts: [Range<u64>; 2], seed: u64) -> String {
    let [first, second] = parts.map(|part| run(part, seed));
    let mut both = first;
    both.add(second);
    assert!(!both.is_bad(), "{both}");
    // The seed itself is no trace.
    both.to_string().replace(&format!("seed={seed}"), "")
}

fn same_for_the_same_seed(run: impl Fn(Range<u64>, u64) -> Outcome, count: u64) {
    let (first, second) = (count / 3, count / 2);
    let one = told(&run, [0..first, first..count], 1);
    assert!(one.contains("trace="), "{one}");
    assert_eq!(one, told(&run, [second..count, 0..second], 1), "in other parts, in another order");
    let trace = |told: &str| told.split("trace=").nth(1).map(str::to_owned);
    assert_ne!(trace(&one), trace(&told(&run, [0..first, first..count], 2)), "another seed");
}

#[test]
fn schedules_have_the_same_trace_for_the_same_seed() {
    same_for_the_same_seed(|numbers, seed| schedules::run(numbers, seed).unwrap(), 60);
}

#[test]
fn models_have_the_same_trace_for_the_same_seed() {
    same_for_the_same_seed(|runs, seed| models::run(Store::Log, runs, seed).unwrap(), 6);
}

#[test]
fn simulated_crashes_have_the_same_trace_for_the_same_seed() {
    same_for_the_same_seed(crash_sim::files::run, 2);
    let one_in = |parts: Range<u64>, seed| {
        let first = usize::try_from(parts.start).unwrap();
        crash_sim::Part { ground: Ground::Memory, every: 20_000, first, seed }.run().unwrap()
    };
    let trace = |seed| told(one_in, [1..2, 2..3], seed);
    assert_eq!(trace(1), trace(1));
    assert_ne!(trace(1), trace(2));
}

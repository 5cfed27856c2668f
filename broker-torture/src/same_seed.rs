//! The same seed twice gives the same trace, in whatever order the parts run; another seed gives another one.

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

fn same_for_the_same_seed(run: impl Fn(Range<u64>, u64) -> Outcome, parts: [Range<u64>; 2]) {
    let [first, second] = parts.clone();
    let one = told(&run, parts.clone(), 1);
    assert_eq!(one, told(&run, [second, first], 1), "in another order");
    let trace = |told: &str| told.split_once("trace=").map(|(_, trace)| trace.to_owned());
    assert!(trace(&one).is_some(), "{one}");
    assert_ne!(trace(&one), trace(&told(&run, parts, 2)), "another seed");
}

#[test]
fn schedules_have_the_same_trace_for_the_same_seed() {
    same_for_the_same_seed(
        |numbers, seed| schedules::run(numbers, seed).expect("it goes on"),
        [0..20, 20..60],
    );
}

#[test]
fn models_have_the_same_trace_for_the_same_seed() {
    same_for_the_same_seed(
        |runs, seed| models::run(Store::Log, runs, seed).expect("it goes on"),
        [0..2, 2..5],
    );
}

#[test]
fn simulated_crashes_have_the_same_trace_for_the_same_seed() {
    let one_in = |parts: Range<u64>, seed| {
        let first = usize::try_from(parts.start).expect("a small number");
        crash_sim::Part { ground: Ground::Memory, every: 20_000, first, seed }.run().expect("it goes on")
    };
    same_for_the_same_seed(one_in, [1..2, 2..3]);
}

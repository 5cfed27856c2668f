//! The same steps leave the same bytes: nothing that a broker stores is decided by chance, by an address or by the order of a
//! hash map. IG9.

use std::collections::BTreeSet;

use proptest::{
    collection::vec,
    prelude::*,
    strategy::ValueTree,
    test_runner::{TestRng, TestRunner},
};

use crate::{
    block_on, cases,
    driver::{Run, TINY, step},
    grounds::Crashing,
    pairs::{driver::Run as PairRun, steps as pair_steps},
};

const HISTORIES: usize = 100;

/// Always the same histories.
fn histories<S: Strategy>(of: &S) -> Vec<S::Value> {
    let config = cases(0);
    let rng = TestRng::deterministic_rng(config.rng_algorithm);
    let mut runner = TestRunner::new_with_rng(config, rng);
    (0..HISTORIES).map(|_| of.new_tree(&mut runner).unwrap().current()).collect()
}

/// Runs each history twice.
fn assert_repeats<H: std::fmt::Debug>(histories: &[H], trace: impl Fn(&H) -> u64) {
    let mut seen = BTreeSet::new();
    for history in histories {
        let (first, second) = (trace(history), trace(history));
        assert_eq!(first, second, "{history:?} has gone another way");
        seen.insert(first);
    }
    assert!(seen.len() > histories.len() * 9 / 10, "a trace tells histories apart");
}

#[test]
fn the_same_history_twice_leaves_the_same_trace() {
    let all = histories(&vec(step(), 1..70));
    assert_repeats(&all, |steps| {
        block_on(async { Run::new(Crashing::new(false), TINY).await.run(steps).await.trace() })
    });
}

#[test]
fn the_same_history_of_a_pair_twice_leaves_the_same_trace() {
    let all = histories(&(pair_steps::setup(), vec(pair_steps::step(), 1..70)));
    assert_repeats(&all, |(setup, steps)| {
        block_on(async { PairRun::new(Crashing::new(false), TINY, setup).await.run(steps).await.trace() })
    });
}

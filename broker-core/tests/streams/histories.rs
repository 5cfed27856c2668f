//! Random histories of a stream against a naive model: puts, reads from every position and of kept iterators, splits,
//! merges, other numbers of shards, time that passes, restarts. IS1, IS2, IS3, IS5, IS6, IS9, IS10.
//!
//! A failing history is printed in its shortest form with its seed.

mod driver;
mod model;
mod step;

use broker_core::MemoryBounds;
use driver::Run;
use proptest::{collection::vec, prelude::*};
use step::{Step, step};

use crate::support::{World, on_paused_time};

fn run(world: World, steps: Vec<Step>) {
    on_paused_time(Box::pin(async move {
        let mut run = Run::new(world).await;
        for step in steps {
            run.step(step).await;
        }
        run.finish().await;
    }));
}

/// So many cases, unless `PROPTEST_CASES` asks for another number. What fails is made shorter, unless
/// `PROPTEST_MAX_SHRINK_ITERS` says how often that may be tried.
fn cases(cases: u32) -> ProptestConfig {
    let default = ProptestConfig::default();
    let given = |variable| std::env::var_os(variable).is_some();
    let cases = if given("PROPTEST_CASES") { default.cases } else { cases };
    let shortened = if given("PROPTEST_MAX_SHRINK_ITERS") { default.max_shrink_iters } else { 5_000 };
    ProptestConfig { cases, max_shrink_iters: shortened, ..default }
}

/// A handful of records stay in memory.
const LITTLE: MemoryBounds =
    MemoryBounds { ready: 2, delayed: 1, staged: 4, staged_bytes: 200, searched: 40 };

proptest! {
    #![proptest_config(cases(600))]
    #[test]
    fn histories_with_little_memory_agree_with_the_model(steps in vec(step(), 1..60)) {
        run(World::in_memory().bounds(LITTLE), steps);
    }
}

proptest! {
    #![proptest_config(cases(200))]
    #[test]
    fn histories_with_default_memory_agree_with_the_model(steps in vec(step(), 1..60)) {
        run(World::in_memory(), steps);
    }
}

proptest! {
    #![proptest_config(cases(100))]
    #[test]
    fn histories_on_a_store_that_blocks_agree_with_the_model(steps in vec(step(), 1..50)) {
        run(World::threaded().bounds(LITTLE), steps);
    }
}

proptest! {
    #![proptest_config(cases(10))]
    #[test]
    fn histories_on_sled_agree_with_the_model(steps in vec(step(), 1..40)) {
        run(World::on_sled().bounds(LITTLE), steps);
    }
}

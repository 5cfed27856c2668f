//! Random histories of a topic, three queues and a handler against a naive model: subscriptions and queues come and go,
//! filters change, time passes, ids repeat, the archive is replayed, the broker is opened again.

mod driver;
mod model;
mod steps;

use broker_core::MemoryBounds;
use driver::Run;
use proptest::{collection::vec, prelude::*};
use steps::{Setup, Step, setup, step};

use crate::support::{World, on_paused_time};

fn run(world: World, setup: Setup, steps: Vec<Step>) {
    on_paused_time(Box::pin(async move { Run::new(world, setup).await.run(&steps).await }));
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

proptest! {
    #![proptest_config(cases(600))]
    #[test]
    fn topics_with_little_memory_agree_with_the_model(setup in setup(), steps in vec(step(), 1..60)) {
        run(World::in_memory().with_little_memory(), setup, steps);
    }
}

proptest! {
    #![proptest_config(cases(200))]
    #[test]
    fn topics_with_default_bounds_agree_with_the_model(setup in setup(), steps in vec(step(), 1..60)) {
        run(World::in_memory().bounds(MemoryBounds::default()), setup, steps);
    }
}

proptest! {
    #![proptest_config(cases(150))]
    #[test]
    fn topics_on_a_store_that_blocks_agree_with_the_model(setup in setup(), steps in vec(step(), 1..50)) {
        run(World::threaded().with_little_memory(), setup, steps);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 200, ..cases(15) })]
    #[test]
    fn topics_on_sled_agree_with_the_model(setup in setup(), steps in vec(step(), 1..40)) {
        run(World::on_sled().with_little_memory(), setup, steps);
    }
}

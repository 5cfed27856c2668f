//! Random histories of a whole queue against a naive model: sends, receives, deletes, visibility changes, time,
//! purges, clean ends and crashes, on memory and on sled, with memory bounds so small that paging never rests.
//!
//! A failing history is printed in its shortest form with its seed; a bug found this way becomes a named history in
//! `found.rs`.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "../rules/disk.rs"]
mod disk;
mod driver;
mod found;
mod grounds;
mod model;
mod pairs;
mod traces;

use broker_core::MemoryBounds;
use disk::Disk;
use driver::{Run, Step, TINY, step};
use grounds::{Crashing, OnDisk};
use proptest::{collection::vec, prelude::*};

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
}

fn on_memory(steps: &[Step], can_block: bool, bounds: MemoryBounds) {
    block_on(async { drop(Run::new(Crashing::new(can_block), bounds).await.run(steps).await) });
}

fn on_disk(disk: Disk, steps: &[Step], bounds: MemoryBounds) {
    block_on(async { drop(Run::new(OnDisk::new(disk), bounds).await.run(steps).await) });
}

/// The same on each durable store.
fn on_disks(steps: &[Step], bounds: MemoryBounds) {
    for disk in [Disk::Sled, Disk::Log] {
        on_disk(disk, steps, bounds);
    }
}

/// So many cases, unless `PROPTEST_CASES` asks for another number. What fails is made shorter, unless
/// `PROPTEST_MAX_SHRINK_ITERS` says how often that may be tried.
fn cases(cases: u32) -> ProptestConfig {
    let default = ProptestConfig::default();
    let given = |variable| std::env::var_os(variable).is_some();
    let cases = if given("PROPTEST_CASES") { default.cases } else { cases };
    let shortened = if given("PROPTEST_MAX_SHRINK_ITERS") { default.max_shrink_iters } else { 20_000 };
    ProptestConfig { cases, max_shrink_iters: shortened, ..default }
}

proptest! {
    #![proptest_config(cases(2_500))]
    #[test]
    fn histories_with_tiny_bounds_agree_with_the_model(steps in vec(step(), 1..70)) {
        on_memory(&steps, false, TINY);
    }
}

proptest! {
    #![proptest_config(cases(1_000))]
    #[test]
    fn histories_with_default_bounds_agree_with_the_model(steps in vec(step(), 1..50)) {
        on_memory(&steps, false, MemoryBounds::default());
    }
}

proptest! {
    #![proptest_config(cases(500))]
    #[test]
    fn histories_on_a_store_that_blocks_agree_with_the_model(steps in vec(step(), 1..60)) {
        on_memory(&steps, true, TINY);
    }
}

proptest! {
    #![proptest_config(cases(60))]
    #[test]
    fn histories_on_sled_agree_with_the_model(steps in vec(step(), 1..40)) {
        on_disk(Disk::Sled, &steps, TINY);
    }

    #[test]
    fn histories_on_the_log_agree_with_the_model(steps in vec(step(), 1..60)) {
        on_disk(Disk::Log, &steps, TINY);
    }
}

//! Random histories of a queue with a dead-letter queue, FIFO or standard, against a naive model: groups,
//! deduplication, moves and whatever else a queue can do, with clean ends and crashes.
//!
//! Among groups the order is up to the queue, so the model checks what the broker chose instead of choosing itself.

mod attempts;
mod calls;
pub(crate) mod driver;
mod line;
mod pair;
mod receive;
mod seen;
pub(crate) mod steps;
mod world;

use broker_core::MemoryBounds;
use driver::Run;
pub(crate) use pair::{Setup, Side};
use proptest::{collection::vec, prelude::*};
use steps::{Step, setup, step};

use crate::{
    block_on, cases,
    disk::Disk,
    driver::TINY,
    grounds::{Crashing, OnDisk},
};

pub(crate) fn on_memory(setup: &Setup, steps: &[Step], can_block: bool, bounds: MemoryBounds) {
    block_on(async { drop(Run::new(Crashing::new(can_block), bounds, setup).await.run(steps).await) });
}

pub(crate) fn on_disk(disk: Disk, setup: &Setup, steps: &[Step], bounds: MemoryBounds) {
    block_on(async { drop(Run::new(OnDisk::new(disk), bounds, setup).await.run(steps).await) });
}

/// The same on each durable store.
pub(crate) fn on_disks(setup: &Setup, steps: &[Step], bounds: MemoryBounds) {
    for disk in [Disk::Sled, Disk::Log] {
        on_disk(disk, setup, steps, bounds);
    }
}

proptest! {
    #![proptest_config(cases(2_000))]
    #[test]
    fn pairs_with_tiny_bounds_agree_with_the_model(setup in setup(), steps in vec(step(), 1..70)) {
        on_memory(&setup, &steps, false, TINY);
    }
}

proptest! {
    #![proptest_config(cases(1_000))]
    #[test]
    fn pairs_with_default_bounds_agree_with_the_model(setup in setup(), steps in vec(step(), 1..50)) {
        on_memory(&setup, &steps, false, MemoryBounds::default());
    }
}

proptest! {
    #![proptest_config(cases(400))]
    #[test]
    fn pairs_on_a_store_that_blocks_agree_with_the_model(setup in setup(), steps in vec(step(), 1..60)) {
        on_memory(&setup, &steps, true, TINY);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 500, ..cases(50) })]
    #[test]
    fn pairs_on_sled_agree_with_the_model(setup in setup(), steps in vec(step(), 1..40)) {
        on_disk(Disk::Sled, &setup, &steps, TINY);
    }

    #[test]
    fn pairs_on_the_log_agree_with_the_model(setup in setup(), steps in vec(step(), 1..40)) {
        on_disk(Disk::Log, &setup, &steps, TINY);
    }
}

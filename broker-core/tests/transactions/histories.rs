//! Random histories with transactions on every kind of store, closed and opened again on the way: what is there at the end
//! is what the naive model says.

use crate::{
    contents::{START, World},
    script::Script,
    support::{Ground, KINDS, Kind, block_on},
};

async fn history(kind: Kind, seed: u64) -> (usize, usize) {
    let ground = Ground::new(kind);
    let (mut script, mut now) = (Script::new(seed), START);
    for _ in 0..3 {
        let mut world = World::open(ground.store(), now).await.unwrap();
        script.reopened();
        script.run(&mut world, 40).await.unwrap();
        now = world.millis();
        world.broker.close().await.unwrap();
    }
    let world = World::open(ground.store(), now).await.unwrap();
    assert_eq!(world.drain().await, *script.now(), "seed {seed} on {kind:?}");
    (script.committed, script.rejected)
}

// T2
#[test]
fn random_histories_leave_what_the_model_says() {
    for kind in KINDS {
        let seeds = if matches!(kind, Kind::Disk(_)) { 1..=6 } else { 1..=60 };
        let (mut committed, mut rejected) = (0, 0);
        for seed in seeds.clone() {
            let done = block_on(history(kind, seed));
            (committed, rejected) = (committed + done.0, rejected + done.1);
        }
        let runs = usize::try_from(*seeds.end()).unwrap();
        assert!(committed > 40 * runs && rejected > 4 * runs, "{committed} and {rejected} of {runs} runs");
    }
}

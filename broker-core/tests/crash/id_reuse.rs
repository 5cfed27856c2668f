//! A power cut while messages go back from a dead-letter queue: what was seen of them is not given out again.

use std::sync::Arc;

use broker_core::{
    MoveTask, ReceiveOptions,
    storage::faults::{CrashStorage, Survive},
};
use broker_mem::MemStorage;

use crate::{
    cancel::{START, block_on},
    world::{Kind, World},
};

/// Two dead letters, of which a slow task has sent one back when the power goes.
#[test]
fn a_power_cut_gives_no_id_of_a_redriven_message_to_another() {
    for kind in [Kind::DeadLetters, Kind::Fifo] {
        block_on(async {
            let store = Arc::new(CrashStorage::new(Arc::new(MemStorage::new())));
            let world = World::open(kind, store.clone(), START).await.unwrap();
            for body in ["first", "second"] {
                world.queue.send(world.message(body, 0)).await.unwrap();
                let got = world.queue.receive(ReceiveOptions::default()).await.unwrap();
                world.queue.dead_letter(got[0].receipt, "it failed").await.unwrap();
            }
            let dead = world.dead.as_ref().unwrap().name();
            let task = MoveTask::from(dead).to(world.queue.name()).max_per_second(1);
            world.broker.start_move_task(task).await.unwrap();
            let back = loop {
                let got = world.queue.receive(ReceiveOptions::default()).await.unwrap();
                match got.into_iter().next() {
                    Some(back) => break back,
                    None => tokio::task::yield_now().await,
                }
            };
            let after = store.restart(Survive::PowerCut { unsynced: 0 }, Arc::new(MemStorage::new()));
            let world = World::open(kind, Arc::new(after.unwrap()), START).await.unwrap();
            let sent = world.queue.send(world.message("third", 0)).await.unwrap();
            assert_ne!(sent.id, back.id, "an id is given out once");
        });
    }
}

//! Move tasks in stores whose bytes are not what was written: they say where, and move nothing wrong (IG1, Q88).

use std::sync::Arc;

use broker_core::{
    Broker, Certainty, Error, MoveTask, MoveTaskStatus, QueueExt,
    storage::{Batch, Durability, Page, Storage, faults::SlowStorage},
};
use broker_mem::MemStorage;

use crate::moves::{ended, fail_all};

async fn open(store: &MemStorage, can_block: bool) -> Result<Broker, Error> {
    let store = Arc::new(store.clone());
    let store: Arc<dyn Storage> = if can_block { Arc::new(SlowStorage::new(store)) } else { store };
    Broker::builder_on(store).seed(5).open().await
}

/// A closed store with three dead letters in its first queue, of whose first partition this is the number.
async fn store() -> MemStorage {
    let store = MemStorage::new();
    let broker = open(&store, false).await.unwrap();
    broker.queue("dead").await.unwrap();
    let orders = broker.queue("orders").dead_letter("dead", 1).await.unwrap();
    for body in ["a", "b", "c"] {
        orders.send(body).await.unwrap();
    }
    fail_all(&orders).await;
    broker.close().await.unwrap();
    store
}

const DEAD: u64 = 1;
const PARTITION: u64 = 2;

fn damage(store: &MemStorage, write: impl FnOnce(&mut Batch)) {
    let mut batch = Batch::new();
    write(&mut batch);
    store.commit(&batch, Durability::Synced).unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_task_fails_at_a_damaged_message_and_names_it() {
    for can_block in [false, true] {
        let store = store().await;
        let rows = store.rows(PARTITION, 0..10, Page { entries: 10, bytes: 10_000 }).unwrap();
        assert_eq!(rows.len(), 3);
        damage(&store, |batch| {
            batch.delete_row(PARTITION, 1);
            batch.put_row(PARTITION, 1, rows[1].1.slice(..30));
        });
        let broker = open(&store, can_block).await.unwrap();
        let plan = broker.plan_move(&MoveTask::from("dead")).await.unwrap_err();
        assert_eq!(plan.certainty(), Certainty::Corrupt);
        assert!(plan.to_string().contains("row 1 of partition 2"), "{plan}");
        broker.start_move_task(MoveTask::from("dead")).await.unwrap();
        let task = ended(&broker, "dead").await;
        assert_eq!(task.failure(), Some(plan.to_string().as_str()));
        let orders = broker.queue("orders").await.unwrap();
        let dead = broker.queue("dead").await.unwrap();
        let counted = orders.counters().await.unwrap().visible + dead.counters().await.unwrap().visible;
        assert_eq!(counted, 3);
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_counts_too_few_messages_loses_none_by_a_task() {
    for can_block in [false, true] {
        let store = store().await;
        let key = [&[b'r'][..], &DEAD.to_be_bytes()].concat();
        let mut record = store.meta(&key).unwrap().unwrap().to_vec();
        record[24..32].copy_from_slice(&1_u64.to_le_bytes());
        damage(&store, |batch| batch.put_meta(&key, &record));
        let broker = open(&store, can_block).await.unwrap();
        broker.start_move_task(MoveTask::from("dead")).await.unwrap();
        let task = ended(&broker, "dead").await;
        assert!(task.failure().unwrap().contains("the record of queue 1"), "{task:?}");
        assert_eq!(task.moved, 0);
        let rows = store.rows(PARTITION, 0..10, Page { entries: 10, bytes: 10_000 }).unwrap();
        assert_eq!(rows.len(), 3);
    }
}

#[tokio::test(start_paused = true)]
async fn a_damaged_task_is_named_when_the_store_is_opened() {
    let store = store().await;
    let key = [&[b'm'][..], &DEAD.to_be_bytes(), &7_u64.to_be_bytes()].concat();
    for (key, value) in [(&key[..], &b"{"[..]), (&key[..9], b"{}"), (&key[..], b"{\"position\":-1}")] {
        damage(&store, |batch| batch.put_meta(key, value));
        let error = open(&store, false).await.map(drop).unwrap_err();
        assert_eq!(error.certainty(), Certainty::Corrupt);
        assert!(error.to_string().contains("meta key b\"m"), "{error}");
        damage(&store, |batch| batch.delete_meta(key));
    }
    let broker = open(&store, false).await.unwrap();
    broker.start_move_task(MoveTask::from("dead")).await.unwrap();
    assert_eq!(ended(&broker, "dead").await.status, MoveTaskStatus::Completed);
    assert_eq!(broker.queue("orders").await.unwrap().recv().await.unwrap().text(), Ok("a"));
}

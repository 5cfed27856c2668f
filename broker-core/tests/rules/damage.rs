//! Stores whose bytes are not what was written: an error that names the place, never a panic, a hang or a wrong count,
//! and what is behind the damage is still delivered. IG1, IG3, IG10, IQ12.

use std::time::Duration;

use broker_core::{
    Broker, Certainty, Error, LocalQueue, MemoryBounds, ReceiveOptions, SendMessage,
    storage::{Batch, Durability, Page, Storage, faults::SlowStorage},
};
use broker_mem::MemStorage;

use crate::support::{poll, secs, send_all, texts};

/// The first queue of a store and its partition.
const QUEUE: u64 = 1;
const PARTITION: u64 = 2;

fn key(tag: u8, numbers: &[u64]) -> Vec<u8> {
    let mut key = vec![tag];
    for number in numbers {
        key.extend(number.to_be_bytes());
    }
    key
}

/// Damages a store: what a batch can do.
fn damage(store: &MemStorage, write: impl FnOnce(&mut Batch)) {
    let mut batch = Batch::new();
    write(&mut batch);
    store.commit(&batch, Durability::Synced).unwrap();
}

/// The record: partition, head, tail, stored, cold, delayed, as of.
fn change_record(store: &MemStorage, change: impl FnOnce(&mut [u64; 7])) {
    let place = key(b'r', &[QUEUE]);
    let stored = store.meta(&place).unwrap().unwrap();
    let mut fields = [0; 7];
    for (field, bytes) in fields.iter_mut().zip(stored.chunks_exact(8)) {
        *field = u64::from_le_bytes(bytes.try_into().unwrap());
    }
    change(&mut fields);
    let bytes: Vec<u8> = fields.iter().flat_map(|field| field.to_le_bytes()).collect();
    damage(store, |batch| batch.put_meta(&place, &bytes));
}

const ONE_OF_EACH: MemoryBounds =
    MemoryBounds { ready: 1, delayed: 1, staged: 1, staged_bytes: 1, searched: 1 };

async fn open(store: &MemStorage, can_block: bool) -> Result<(Broker, LocalQueue), Error> {
    open_with(store, can_block, ONE_OF_EACH).await
}

async fn open_with(
    store: &MemStorage,
    can_block: bool,
    memory: MemoryBounds,
) -> Result<(Broker, LocalQueue), Error> {
    let builder = if can_block {
        Broker::builder(SlowStorage::new(std::sync::Arc::new(store.clone())))
    } else {
        Broker::builder(store.clone())
    };
    let broker = builder.memory(memory).seed(5).open().await?;
    let queue = broker.queue("orders").await?;
    Ok((broker, queue))
}

/// A closed store: one message in flight, two that were received before, four delayed, two untouched.
async fn store() -> MemStorage {
    let store = MemStorage::new();
    let (broker, queue) = open(&store, false).await.unwrap();
    send_all(&queue, &["a", "b", "c", "d", "e"]).await;
    for delay in 1..=4 {
        queue.send(SendMessage::from("late").delay(secs(delay))).await.unwrap();
    }
    let got = queue.receive(ReceiveOptions::up_to(3)).await.unwrap();
    for message in &got[..2] {
        queue.change_visibility(message.receipt, Duration::ZERO).await.unwrap();
    }
    queue.counters().await.unwrap();
    broker.close().await.unwrap();
    store
}

fn assert_corrupt<T: std::fmt::Debug>(result: Result<T, Error>, place: &str) {
    let error = result.unwrap_err();
    assert_eq!(error.certainty(), Certainty::Corrupt, "{error}");
    assert!(error.to_string().contains(place), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_record_that_contradicts_itself_or_the_leases_is_refused() {
    let changes: [fn(&mut [u64; 7]); 9] = [
        |record| record[1] = record[2] + 1,
        |record| record[2] = u64::MAX,
        |record| record[3] = record[2] + 1,
        |record| record[3] = 0,
        |record| record[4] = record[3] + 1,
        |record| record[4] = u64::MAX,
        |record| record[5] = record[3] + 1,
        |record| (record[4], record[5]) = (u64::MAX, u64::MAX),
        |record| record[0] = 77,
    ];
    for change in changes {
        let store = store().await;
        change_record(&store, change);
        assert_corrupt(open(&store, false).await.map(drop), "queue");
    }
}

/// Each count too low or too high by one: found when it is met, and nothing underflows.
#[tokio::test(start_paused = true)]
async fn counts_that_are_wrong_by_one_never_underflow() {
    for can_block in [false, true] {
        for field in 3..=5 {
            for up in [false, true] {
                let store = store().await;
                change_record(&store, |record| {
                    record[field] = if up { record[field] + 1 } else { record[field] - 1 }
                });
                let Ok((broker, queue)) = open(&store, can_block).await else { continue };
                for _ in 0..12 {
                    tokio::time::advance(secs(10)).await;
                    match queue.receive(ReceiveOptions::up_to(10)).await {
                        Ok(got) => {
                            for message in got {
                                queue.delete(message.receipt).await.unwrap();
                            }
                        }
                        Err(error) => assert_eq!(error.certainty(), Certainty::Corrupt, "{error}"),
                    }
                }
                let counters = queue.counters().await;
                assert!(counters.is_err() || counters.unwrap().total() < 10);
                broker.close().await.unwrap();
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_index_entry_of_a_message_that_is_in_memory_is_refused() {
    let store = store().await;
    // "c" is in flight.
    let lease = [0; 44];
    damage(&store, |batch| batch.put_meta(&key(b't', &[PARTITION, 1, 2]), &lease));
    let (_broker, queue) = open(&store, false).await.unwrap();
    assert_corrupt(queue.receive(ReceiveOptions::up_to(10)).await, "record of queue 1");
}

#[tokio::test(start_paused = true)]
async fn two_index_entries_of_one_message_are_refused() {
    let store = store().await;
    // The third delayed message waits in storage only.
    for time in [1, 2] {
        damage(&store, |batch| batch.put_meta(&key(b't', &[PARTITION, time, 7]), &[0; 44]));
    }
    let (_broker, queue) = open(&store, false).await.unwrap();
    assert_corrupt(queue.receive(ReceiveOptions::up_to(10)).await, "record of queue 1");
}

#[tokio::test(start_paused = true)]
async fn ids_that_were_given_out_twice_are_refused() {
    for (at, value) in [(b"i".to_vec(), PARTITION), (b"i".to_vec(), u64::MAX)] {
        let store = store().await;
        damage(&store, |batch| batch.put_meta(&at, &value.to_le_bytes()));
        assert_corrupt(open(&store, false).await.map(drop), "id");
    }
    let store = store().await;
    damage(&store, |batch| batch.put_meta(&key(b'g', &[PARTITION]), &[0; 16]));
    assert_corrupt(open(&store, false).await.map(drop), "partition 2");
    let page = Page { entries: 100, bytes: usize::MAX };
    assert!(!store.rows(PARTITION, 0..100, page).unwrap().is_empty(), "nothing was cleared");
}

/// Damage is reported, and does not hide what is behind it; nor does a receive that keeps nothing invisible go on for
/// ever.
#[tokio::test(start_paused = true)]
async fn a_lost_or_unreadable_row_is_reported_and_does_not_hide_the_others() {
    for can_block in [false, true] {
        for lost in [false, true] {
            let store = MemStorage::new();
            let (broker, queue) = open_with(&store, can_block, MemoryBounds::default()).await.unwrap();
            send_all(&queue, &["damaged", "b", "c"]).await;
            let got = poll(&queue, 1).await;
            queue.change_visibility(got[0].receipt, Duration::ZERO).await.unwrap();
            damage(&store, |batch| {
                if lost {
                    batch.delete_row(PARTITION, 0);
                } else {
                    // A flag that no build knows.
                    batch.put_row(PARTITION, 0, [&[1, 0x80], [0; 16].as_slice()].concat());
                }
            });
            let at_once = ReceiveOptions::up_to(10).visibility_timeout(Duration::ZERO);
            assert_corrupt(queue.receive(at_once).await, "row 0 of partition 2");
            assert_corrupt(queue.receive(ReceiveOptions::up_to(10)).await, "row 0 of partition 2");
            let behind = poll(&queue, 10).await;
            assert_eq!(texts(&behind), ["b", "c"]);
            assert_eq!(behind[0].receive_count, 1, "what was not handed out does not count");
            broker.close().await.unwrap();
        }
    }
}

/// One in flight and one delayed message have leases that are read at opening. IG10.
#[tokio::test(start_paused = true)]
async fn leases_that_the_record_leaves_no_room_for_are_refused() {
    let store = store().await;
    // Five of six messages are counted elsewhere.
    change_record(&store, |record| record[3] = record[4] + record[5] + 1);
    assert_corrupt(open(&store, false).await.map(drop), "meta key");
    let store = self::store().await;
    // Nine sequences were given out.
    damage(&store, |batch| batch.put_meta(&key(b's', &[PARTITION, 9]), &[0; 44]));
    assert_corrupt(open(&store, false).await.map(drop), "meta key");
}

/// What is spent and has no row cannot be moved (Q80). That is said once; the others are moved.
#[tokio::test(start_paused = true)]
async fn a_spent_message_without_a_row_is_reported_and_the_others_are_moved() {
    for can_block in [false, true] {
        let store = MemStorage::new();
        let (broker, _) = open_with(&store, can_block, MemoryBounds::default()).await.unwrap();
        let dead = broker.queue("dead").await.unwrap();
        // The third queue, with the sixth id as its partition.
        let queue = broker.queue("work").dead_letter("dead", 1).await.unwrap();
        send_all(&queue, &["lost", "b", "c"]).await;
        for message in poll(&queue, 10).await {
            queue.change_visibility(message.receipt, Duration::ZERO).await.unwrap();
        }
        damage(&store, |batch| batch.delete_row(6, 0));
        assert_corrupt(queue.receive(ReceiveOptions::up_to(10)).await, "row 0 of partition 6");
        assert!(poll(&queue, 10).await.is_empty());
        assert_eq!(texts(&poll(&dead, 10).await), ["b", "c"]);
        broker.close().await.unwrap();
    }
}

//! Reads that meet commits on their way, and commits that come while a read is under way: what is read is not old.

use std::{
    ops::Range,
    sync::{Arc, Condvar, Mutex},
};

use broker_core::{
    Broker, Outcome, SendMessage,
    storage::{
        Batch, Durability, Page, Profile, Storage, StorageError,
        faults::{Gate, SlowStorage},
    },
};
use broker_mem::MemStorage;
use bytes::Bytes;

use crate::support::{block_on, count, rejection};

/// Lets the other tasks get as far as they can.
async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

/// A value that is on its way to the store is waited for, in a transaction and outside.
// T6, T12
#[test]
fn a_read_waits_for_the_commit_that_changes_what_it_reads() {
    block_on(async {
        let gate = Gate::new();
        let store = SlowStorage::new(Arc::new(MemStorage::new())).gated(&gate);
        let broker = Broker::builder(store).open().await.unwrap();
        let space = broker.space("s").await.unwrap();
        space.put("k", "old").await.unwrap();
        space.put("other", "there").await.unwrap();
        gate.hold();
        let writer = tokio::spawn({
            let space = space.clone();
            async move { space.put("k", "new").await }
        });
        settle().await;
        let reader = tokio::spawn({
            let (broker, space) = (broker.clone(), space.clone());
            async move {
                let mut tx = broker.transaction();
                let found = tx.get(&space, "k").await.unwrap();
                tx.commit().await.unwrap();
                found
            }
        });
        let plain = tokio::spawn({
            let space = space.clone();
            async move { space.get("k").await.unwrap() }
        });
        assert_eq!(space.get("other").await.unwrap().as_deref(), Some(&b"there"[..]), "others do not wait");
        settle().await;
        assert!(!reader.is_finished() && !plain.is_finished());
        gate.open();
        writer.await.unwrap().unwrap();
        assert_eq!(reader.await.unwrap().as_deref(), Some(&b"new"[..]));
        assert_eq!(plain.await.unwrap().as_deref(), Some(&b"new"[..]));
    });
}

/// A store whose reads of single keys have read, and do not come back while they are held.
#[derive(Clone, Default)]
struct HeldReads {
    store: MemStorage,
    held: Arc<(Mutex<Held>, Condvar)>,
}

#[derive(Default)]
struct Held {
    /// Whether reads to come are held, and whether those may go that are.
    holds: bool,
    released: bool,
    /// How many are held.
    reads: usize,
}

impl HeldReads {
    fn hold(&self) {
        self.set(true, false);
    }

    /// Holds no more reads than are held already.
    fn hold_no_more(&self) {
        self.set(false, false);
    }

    fn release(&self) {
        self.set(false, true);
    }

    fn set(&self, holds: bool, released: bool) {
        let mut state = self.held.0.lock().unwrap();
        (state.holds, state.released) = (holds, released);
        self.held.1.notify_all();
    }

    fn until_held(&self) {
        let state = self.held.0.lock().unwrap();
        drop(self.held.1.wait_while(state, |state| state.reads == 0).unwrap());
    }
}

impl Storage for HeldReads {
    fn commit(&self, batch: &Batch, durability: Durability) -> Result<(), StorageError> {
        self.store.commit(batch, durability)
    }

    fn row(&self, partition: u64, seq: u64) -> Result<Option<Bytes>, StorageError> {
        self.store.row(partition, seq)
    }

    fn rows(&self, partition: u64, range: Range<u64>, page: Page) -> Result<Vec<(u64, Bytes)>, StorageError> {
        self.store.rows(partition, range, page)
    }

    fn meta(&self, key: &[u8]) -> Result<Option<Bytes>, StorageError> {
        let found = self.store.meta(key);
        let mut state = self.held.0.lock().unwrap();
        if state.holds {
            state.reads += 1;
            self.held.1.notify_all();
            state = self.held.1.wait_while(state, |state| !state.released).unwrap();
            state.reads -= 1;
        }
        drop(state);
        found
    }

    fn meta_range(&self, from: &[u8], to: &[u8], page: Page) -> Result<Vec<(Bytes, Bytes)>, StorageError> {
        self.store.meta_range(from, to, page)
    }

    fn room(&self, bytes: usize) -> Result<(), StorageError> {
        self.store.room(bytes)
    }

    fn profile(&self) -> Profile {
        Profile { can_block: true, ..self.store.profile() }
    }
}

/// The key is changed after the store was asked and before it has answered: the answer is read once more; and what
/// was read before that does not fit any more.
// T6, T7
#[test]
fn a_change_while_it_is_read_is_seen() {
    for read_before in [false, true] {
        block_on(async {
            let store = HeldReads::default();
            let broker = Broker::builder(store.clone()).open().await.unwrap();
            let space = broker.space("s").await.unwrap();
            space.put("k", "old").await.unwrap();
            let mut tx = broker.transaction();
            if read_before {
                tx.get(&space, "k").await.unwrap();
            }
            store.hold();
            let reading = tokio::spawn({
                let space = space.clone();
                async move { (tx.get(&space, "k").await, tx) }
            });
            settle().await;
            store.until_held();
            space.put("k", "new").await.unwrap();
            store.release();
            let (found, tx) = reading.await.unwrap();
            if read_before {
                rejection(found);
                rejection(tx.commit().await);
            } else {
                assert_eq!(found.unwrap().as_deref(), Some(&b"new"[..]));
                tx.commit().await.unwrap();
            }
        });
    }
}

/// While a transaction looks an id up in the store, nobody else sends with it: whoever tries waits, and is the duplicate.
// T9, F20
#[test]
fn an_id_that_a_transaction_looks_up_is_sent_once() {
    block_on(async {
        let store = HeldReads::default();
        let broker = Broker::builder(store.clone()).open().await.unwrap();
        for name in ["q.fifo", "other.fifo"] {
            drop(broker.queue(name).fifo().await.unwrap());
        }
        broker.close().await.unwrap();
        drop(broker);
        // Opened again it does not know which ids are in the store.
        let broker = Broker::builder(store.clone()).open().await.unwrap();
        let queue = broker.queue("q.fifo").fifo().await.unwrap();
        let other = broker.queue("other.fifo").fifo().await.unwrap();
        let message = || SendMessage::new("m").group_id("g").deduplication_id("id");
        let mut tx = broker.transaction();
        tx.send(&queue, message()).unwrap();
        store.hold();
        let transaction = tokio::spawn(tx.commit());
        settle().await;
        store.until_held();
        store.hold_no_more();
        let plain = tokio::spawn({
            let queue = queue.clone();
            async move { queue.send(message()).await }
        });
        // Others look their ids up and are sent meanwhile.
        for id in 0..10 {
            other.send(message().deduplication_id(id.to_string())).await.unwrap();
        }
        let waits = !plain.is_finished();
        store.release();
        assert!(waits, "it was sent while the id was looked up");
        let committed = transaction.await.unwrap().unwrap();
        assert!(matches!(&committed.outcomes[..], [Outcome::Sent(sent)] if !sent.duplicate));
        assert!(plain.await.unwrap().unwrap().duplicate);
        assert_eq!(count(&queue).await, (1, 0, 0));
    });
}

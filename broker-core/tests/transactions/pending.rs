//! Reads that meet commits on their way, and commits that come while a read is under way: what is read is not old.

use std::{
    ops::Range,
    sync::{Arc, Condvar, Mutex},
};

use broker_core::{
    Broker,
    storage::{
        Batch, Durability, Page, Profile, Storage, StorageError,
        faults::{Gate, SlowStorage},
    },
};
use broker_mem::MemStorage;
use bytes::Bytes;

use crate::support::{block_on, rejection};

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
    /// Whether reads are held, and how many are.
    held: Arc<(Mutex<(bool, usize)>, Condvar)>,
}

impl HeldReads {
    fn hold(&self, hold: bool) {
        self.held.0.lock().unwrap().0 = hold;
        self.held.1.notify_all();
    }

    fn until_held(&self) {
        let state = self.held.0.lock().unwrap();
        drop(self.held.1.wait_while(state, |(_, reads)| *reads == 0).unwrap());
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
        if state.0 {
            state.1 += 1;
            self.held.1.notify_all();
            state = self.held.1.wait_while(state, |(held, _)| *held).unwrap();
            state.1 -= 1;
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
            store.hold(true);
            let reading = tokio::spawn({
                let space = space.clone();
                async move { (tx.get(&space, "k").await, tx) }
            });
            settle().await;
            store.until_held();
            space.put("k", "new").await.unwrap();
            store.hold(false);
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

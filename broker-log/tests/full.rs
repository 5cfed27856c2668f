//! A device that is full: what is new is refused, what is there is received and deleted, and when there is room everything
//! goes on, without opening the store again. IQ15.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{
    collections::BTreeMap,
    io::{ErrorKind, IoSlice, Result},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use broker_core::{
    Broker, Certainty, Deleted, Error, LocalQueue, ReceiveOptions,
    storage::{Durability, Storage, StorageError},
};
use broker_log::{
    LogOptions, LogStorage,
    files::{Directory, File, Files},
};
use parking_lot::Mutex;
use tempfile::TempDir;

const OPTIONS: LogOptions = LogOptions {
    segment_bytes: 256 << 10,
    prewrite_bytes: 16 << 10,
    reserve_bytes: 128 << 10,
    cached_blocks: 16,
};
const CAPACITY: u64 = 2 << 20;

/// What the files of a device may take together, and what each takes.
struct Space {
    capacity: AtomicU64,
    taken: Mutex<BTreeMap<String, Arc<AtomicU64>>>,
}

/// A directory on a device of that size.
struct Small {
    directory: Directory,
    space: Arc<Space>,
}

struct SmallFile {
    file: Arc<dyn File>,
    space: Arc<Space>,
    taken: Arc<AtomicU64>,
}

impl Small {
    fn new(path: &Path) -> Self {
        let space = Space { capacity: AtomicU64::new(CAPACITY), taken: Mutex::default() };
        Self { directory: Directory::lock(path).unwrap(), space: Arc::new(space) }
    }

    fn file(&self, name: &str, file: Arc<dyn File>) -> Arc<dyn File> {
        let taken = self.space.taken.lock().entry(name.to_owned()).or_default().clone();
        Arc::new(SmallFile { file, space: self.space.clone(), taken })
    }
}

impl Files for Small {
    fn list(&self) -> Result<Vec<String>> {
        self.directory.list()
    }

    fn open(&self, name: &str) -> Result<Arc<dyn File>> {
        Ok(self.file(name, self.directory.open(name)?))
    }

    fn create(&self, name: &str) -> Result<Arc<dyn File>> {
        Ok(self.file(name, self.directory.create(name)?))
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        let mut taken = self.space.taken.lock();
        let moved = taken.remove(from).unwrap_or_default();
        taken.insert(to.to_owned(), moved);
        self.directory.rename(from, to)
    }

    fn remove(&self, name: &str) -> Result<()> {
        self.space.taken.lock().remove(name);
        self.directory.remove(name)
    }

    fn sync_dir(&self) -> Result<()> {
        self.directory.sync_dir()
    }

    fn salt(&self) -> Result<u64> {
        self.directory.salt()
    }

    fn place(&self, name: &str) -> String {
        self.directory.place(name)
    }
}

impl File for SmallFile {
    fn size(&self) -> Result<u64> {
        self.file.size()
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<()> {
        self.file.read_at(buffer, offset)
    }

    fn write_at(&self, slices: &[IoSlice<'_>], offset: u64) -> Result<()> {
        let end = offset + slices.iter().map(|slice| slice.len() as u64).sum::<u64>();
        let all = self.space.taken.lock();
        let others: u64 = all.values().map(|file| file.load(Ordering::SeqCst)).sum();
        let more = end.saturating_sub(self.taken.load(Ordering::SeqCst));
        if others + more > self.space.capacity.load(Ordering::SeqCst) {
            return Err(ErrorKind::StorageFull.into());
        }
        self.taken.fetch_max(end, Ordering::SeqCst);
        drop(all);
        self.file.write_at(slices, offset)
    }

    fn set_len(&self, bytes: u64) -> Result<()> {
        self.taken.store(bytes, Ordering::SeqCst);
        self.file.set_len(bytes)
    }

    fn sync(&self) -> Result<()> {
        self.file.sync()
    }

    fn sync_all(&self) -> Result<()> {
        self.file.sync_all()
    }
}

/// Sends until there is no room, and returns how many messages were taken.
async fn fill(queue: &LocalQueue, body: &str) -> usize {
    for sent in 0.. {
        match queue.send(body).await {
            Ok(_) => {}
            Err(error) => {
                assert_eq!(error.certainty(), Certainty::Rejected);
                let full =
                    matches!(&error, Error::Storage(why) if matches!(**why, StorageError::Full { .. }));
                assert!(full, "{error}");
                return sent;
            }
        }
    }
    unreachable!("the device is small")
}

async fn drain(queue: &LocalQueue, count: usize) -> usize {
    let mut drained = 0;
    while drained < count {
        let options = ReceiveOptions::up_to(10).wait_time(Duration::ZERO);
        let messages = queue.receive(options).await.unwrap();
        if messages.is_empty() {
            break;
        }
        for message in messages {
            assert_eq!(message.receive_count, 1);
            assert_eq!(queue.delete(message.receipt).await.unwrap(), Deleted::Gone);
            drained += 1;
        }
    }
    drained
}

#[tokio::test]
async fn iq15_a_full_disk_refuses_what_is_new_until_there_is_room() {
    let home = TempDir::new().unwrap();
    let small = Small::new(home.path());
    let space = small.space.clone();
    let store = LogStorage::open_on(Arc::new(small), &OPTIONS).unwrap();
    let broker = Broker::builder(store).open().await.unwrap();
    let queue = broker.queue("q").durability(Durability::Buffered).await.unwrap();
    let body = "x".repeat(1_000);
    let first = fill(&queue, &body).await;
    assert!(first > 1_000, "{first} messages fit");
    assert_eq!(fill(&queue, &body).await, 0, "still");
    // Part of it consumed, there is room for new ones: the same store all the while.
    let drained = drain(&queue, first / 2).await;
    assert!(drained >= first / 2);
    let second = fill(&queue, &body).await;
    assert!(second > first / 4, "{second} messages fit after {first}");
    // Room on the device serves as well.
    space.capacity.store(2 * CAPACITY, Ordering::SeqCst);
    let third = fill(&queue, &body).await;
    assert!(third > 1_000, "{third} more messages fit");
    let left = first - drained + second + third;
    assert_eq!(drain(&queue, usize::MAX).await, left, "each that was taken is delivered");
    // Nothing is wrong with what is on the disk either.
    fill(&queue, &body).await;
    broker.close().await.unwrap();
    drop((broker, queue));
    let store = LogStorage::open_with(home.path(), &OPTIONS).unwrap();
    store.room(1).unwrap();
    let broker = Broker::builder(store).open().await.unwrap();
    let queue = broker.open_queue("q").await.unwrap();
    assert!(drain(&queue, usize::MAX).await > 1_000);
}

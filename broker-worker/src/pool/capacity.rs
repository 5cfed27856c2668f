//! How many workers this process can bear.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

/// Slots for workers that several pools share. Cheap to clone; all clones are the same slots.
///
/// ```
/// use broker_worker::pool::Capacity;
///
/// let capacity = Capacity::new(8);
/// assert_eq!(capacity.free(), 8);
/// ```
#[derive(Debug, Clone)]
pub struct Capacity {
    slots: Arc<Slots>,
}

#[derive(Debug)]
struct Slots {
    all: u32,
    free: AtomicU32,
}

impl Capacity {
    /// So many slots.
    pub fn new(workers: u32) -> Self {
        Self { slots: Arc::new(Slots { all: workers, free: AtomicU32::new(workers) }) }
    }

    /// Slots in all.
    pub fn all(&self) -> u32 {
        self.slots.all
    }

    /// Slots that nobody has.
    pub fn free(&self) -> u32 {
        self.slots.free.load(Ordering::Acquire)
    }

    /// Takes up to so many.
    fn take(&self, wanted: u32) -> u32 {
        let take = |free: u32| free.checked_sub(wanted.min(free));
        let before = self.slots.free.fetch_update(Ordering::AcqRel, Ordering::Acquire, take);
        before.map_or(0, |free| wanted.min(free))
    }

    fn give_back(&self, slots: u32) {
        self.slots.free.fetch_add(slots, Ordering::AcqRel);
    }
}

/// The slots that one pool has. Dropped, they are free.
#[derive(Debug)]
pub(super) struct Share {
    capacity: Option<Capacity>,
    held: u32,
}

impl Share {
    /// None so far. Without a capacity there is no limit.
    pub(super) fn of(capacity: Option<Capacity>) -> Self {
        Self { capacity, held: 0 }
    }

    /// Tries to have so many slots, gives back what is too much, and says how many there are.
    pub(super) fn have(&mut self, wanted: u32) -> u32 {
        let Some(capacity) = &self.capacity else { return wanted };
        if wanted > self.held {
            self.held += capacity.take(wanted - self.held);
        } else {
            capacity.give_back(self.held - wanted);
            self.held = wanted;
        }
        self.held
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.have(0);
    }
}

//! Opening queues: from what is stored to the state in memory. Costs one small read per queue and one per message that
//! was in memory before, whatever the backlog.

use super::{
    fetch::{lease_in, seq_in},
    record::Record,
    settings::Settings,
    state::{Fetched, Need, QueueState},
};
use crate::{
    keys,
    limits::MemoryBounds,
    storage::{Page, Storage, StorageError},
};

/// Leases read at once.
const LEASE_PAGE: Page = Page { entries: 1_000, bytes: usize::MAX };

/// A queue's record.
pub(crate) fn read_record(store: &dyn Storage, id: u64) -> Result<Record, StorageError> {
    let place = || format!("the record of queue {id}");
    let stored = store.meta(&keys::record(id))?;
    let stored = stored.ok_or_else(|| StorageError::corrupt(place(), "is missing"))?;
    Record::decode(&stored).map_err(|what| StorageError::corrupt(place(), what.0))
}

/// A queue's state, with the leases that were in memory when it was last open.
pub(crate) fn load(
    store: &dyn Storage,
    id: u64,
    settings: Settings,
    bounds: MemoryBounds,
    record: &Record,
    now: u64,
) -> Result<QueueState, StorageError> {
    let mut state = QueueState::new(id, settings, bounds, record);
    state.reopened(now);
    let partition = record.partition;
    let (mut from, to) = (keys::hot(partition, 0).to_vec(), keys::hot(partition, u64::MAX));
    // Those with a hot lease are neither cold nor in the time index.
    let leases_max = record.stored.saturating_sub(record.in_storage().unwrap_or(u64::MAX));
    let mut leases = 0;
    loop {
        let page = store.meta_range(&from, &to, LEASE_PAGE)?;
        let Some((last, _)) = page.last() else { break };
        from = [last, [0].as_slice()].concat();
        for (key, value) in &page {
            let (seq, (lease, group)) = (seq_in(key)?, lease_in(key, value)?);
            leases += 1;
            if seq >= record.tail || leases > leases_max {
                return Err(StorageError::corrupt(
                    format!("meta key {key:?}"),
                    "a lease without its message",
                ));
            }
            state.restore(seq, lease, group);
        }
    }
    if record.delayed > 0 {
        // Nothing is due at time zero: this only asks where the index begins.
        let first = Need::Delayed { partition, now: 0, epoch: 0 }.fetch(store)?;
        if let Fetched::Delayed { next, .. } = first {
            state.set_index_start(next);
        }
    }
    Ok(state)
}

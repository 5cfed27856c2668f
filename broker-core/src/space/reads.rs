//! What a transaction has read: as of which version it holds, and whether it still does.

use std::sync::Arc;

use super::{History, KeyRange, SpaceCell};
use crate::{
    engine::Engine,
    error::{Result, shown},
    keys,
    storage::{Storage, StorageError},
    transaction::Reason,
};

/// A read of a key that changes while it is read is begun again, at most so often: each time somebody else has got on.
const BEGUN_MAX: usize = 100;

/// Something that was read.
struct Read {
    space: Arc<SpaceCell>,
    range: KeyRange,
    operation: usize,
}

/// All that a transaction has read. It holds as of one version.
pub(crate) struct ReadSet {
    engine: Arc<Engine>,
    /// Noted with the readers of the history until this is dropped.
    as_of: Option<u64>,
    reads: Vec<Read>,
}

/// What was read does not hold any more: by which operation, and what.
pub(crate) struct Overtaken {
    pub(crate) operation: usize,
    pub(crate) reason: Reason,
}

impl ReadSet {
    pub(crate) fn new(engine: Arc<Engine>) -> Self {
        Self { engine, as_of: None, reads: Vec::new() }
    }

    /// Reads in a range of a space, and remembers what it has read: `read` says what that covers. All that was read
    /// holds at this moment, when this returns; if something does not, that is said inside. Cancel safe.
    pub(crate) async fn read<T: Send + 'static>(
        &mut self,
        space: &Arc<SpaceCell>,
        within: &KeyRange,
        operation: usize,
        read: impl Fn(&dyn Storage) -> Result<(T, KeyRange), StorageError> + Clone + Send + 'static,
    ) -> Result<std::result::Result<T, Overtaken>> {
        let engine = self.engine.clone();
        let pipeline = &engine.pipeline;
        let mut covered = within.clone();
        for _ in 0..BEGUN_MAX {
            let (version, pending) = {
                let mut history = engine.user_keys.lock();
                space.exists()?;
                let version = history.version();
                if self.as_of.is_none() {
                    history.join(version);
                    self.as_of = Some(version);
                }
                (version, history.pending(within, pipeline.completed()))
            };
            if let Some(pending) = pending {
                pending.wait().await?;
            }
            let found;
            (found, covered) = pipeline.read(read.clone()).await?;
            let mut history = engine.user_keys.lock();
            if !history.is_unchanged(&covered, version) {
                continue;
            }
            if let Some(overtaken) = self.overtaken(&history) {
                return Ok(Err(overtaken));
            }
            self.reads.push(Read { space: space.clone(), range: covered, operation });
            if let Some(before) = self.as_of.replace(history.version()) {
                let now = history.version();
                history.join(now);
                history.leave(before, pipeline.completed());
            }
            return Ok(Ok(found));
        }
        let read = Read { space: space.clone(), range: covered, operation };
        Ok(Err(read.overtaken()))
    }

    /// Whether nothing was read.
    pub(crate) fn is_empty(&self) -> bool {
        self.reads.is_empty()
    }

    /// The first thing that was read and has changed since, if there is one.
    pub(crate) fn overtaken(&self, history: &History) -> Option<Overtaken> {
        let as_of = self.as_of?;
        let changed = |read: &&Read| !history.is_unchanged(&read.range, as_of);
        self.reads.iter().find(changed).map(Read::overtaken)
    }

    /// The first space that was read from and is gone, if there is one.
    pub(crate) fn gone(&self) -> Option<Overtaken> {
        let gone = |read: &Read| {
            let reason = read.space.exists().err()?.into();
            Some(Overtaken { operation: read.operation, reason })
        };
        self.reads.iter().find_map(gone)
    }
}

impl Read {
    fn overtaken(&self) -> Overtaken {
        let key = keys::user_key_of(&self.range.from);
        let (space, key) = (self.space.name.clone(), shown(&key.escape_ascii().to_string()));
        Overtaken { operation: self.operation, reason: Reason::KeyChanged { space, key } }
    }
}

impl Drop for ReadSet {
    fn drop(&mut self) {
        if let Some(as_of) = self.as_of {
            self.engine.user_keys.lock().leave(as_of, self.engine.pipeline.completed());
        }
    }
}

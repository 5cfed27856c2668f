//! Notes: small values that a program keeps in the store beside its queues, topics and streams. The broker does not read them.

use bytes::Bytes;

use super::Broker;
use crate::{
    clock::Timestamp,
    error::{Error, Result},
    keys,
    limits::Limits,
    storage::{Batch, Durability, Page},
};

/// The longest name of a note: a key of the store has at most 1,024 bytes.
const NAME_BYTES_MAX: usize = 1_000;
/// The largest note: half of what a store must take as a value beside its keys, so that a note is never the largest there is.
const VALUE_BYTES_MAX: usize = 32 * 1024;
/// The most notes that are listed at once: with the largest values, 32 MB.
const LISTED_MAX: usize = 1_000;

impl Broker {
    /// The note of this name, if there is one; one that is being committed does not show yet. Cancel safe.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// # let broker = broker_core::Broker::open(broker_mem::MemStorage::new()).await?;
    /// broker.set_note("imports/last", "2026-11-25").await?;
    /// assert_eq!(broker.note("imports/last").await?.as_deref(), Some(&b"2026-11-25"[..]));
    /// broker.remove_note("imports/last").await?;
    /// assert_eq!(broker.note("imports/last").await?, None);
    /// # Ok::<(), broker_core::Error>(()) }).unwrap();
    /// ```
    pub async fn note(&self, name: &str) -> Result<Option<Bytes>> {
        let key = checked_key(name)?;
        self.engine.pipeline.read(move |store| store.meta(&key)).await
    }

    /// The notes whose names start with `prefix` and come after `after`, in the order of names: at most `max`, 1 to 1,000.
    /// Cancel safe.
    pub async fn notes(&self, prefix: &str, after: Option<&str>, max: usize) -> Result<Vec<(String, Bytes)>> {
        if !(1..=LISTED_MAX).contains(&max) {
            return Err(Error::invalid("max", max, format!("must be between 1 and {LISTED_MAX}")));
        }
        let first = keys::note(prefix);
        // A name has no byte 0xff, and 0 is the least byte that can follow one.
        let from = after.map_or_else(|| first.clone(), |after| [&keys::note(after), &[0][..]].concat());
        let (from, to) = (from.max(first.clone()), [&first, &[0xff][..]].concat());
        if from >= to {
            return Ok(Vec::new());
        }
        let page = Page { entries: max, bytes: usize::MAX };
        let found = self.engine.pipeline.read(move |store| store.meta_range(&from, &to, page)).await?;
        let named = |(key, value): (Bytes, Bytes)| Some((keys::name_of(&key)?.to_owned(), value));
        Ok(found.into_iter().filter_map(named).collect())
    }

    /// Keeps a note, in place of an older one of this name: up to 1,000 bytes of name and 32 KiB of value. On the disk when this
    /// returns, if the store has one. Cancel safe in this sense: a dropped call has kept the note or not.
    pub async fn set_note(&self, name: &str, value: impl Into<Bytes>) -> Result<()> {
        let (key, value) = (checked_key(name)?, value.into());
        if value.len() > VALUE_BYTES_MAX {
            let reason = format!("at most {VALUE_BYTES_MAX} bytes are allowed");
            return Err(Error::invalid("note", format!("{} bytes", value.len()), reason));
        }
        let mut batch = Batch::new();
        batch.put_meta(&key, &value);
        self.engine.pipeline.submit(&mut batch, Durability::Synced, None)?.wait().await
    }

    /// Removes a note; a missing one is no error. Cancel safe as [`set_note`](Self::set_note) is.
    pub async fn remove_note(&self, name: &str) -> Result<()> {
        let mut batch = Batch::new();
        batch.delete_meta(&checked_key(name)?);
        self.engine.pipeline.submit(&mut batch, Durability::Synced, None)?.wait().await
    }

    /// The broker's time: that of its clock, and never earlier than what it has stored.
    pub fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.engine.timeline.now())
    }

    /// What this broker refuses.
    pub fn limits(&self) -> &Limits {
        &self.engine.limits
    }
}

fn checked_key(name: &str) -> Result<Vec<u8>> {
    if name.is_empty() || name.len() > NAME_BYTES_MAX {
        return Err(Error::invalid("note name", name, format!("must have 1 to {NAME_BYTES_MAX} bytes")));
    }
    Ok(keys::note(name))
}

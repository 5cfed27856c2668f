//! A look at everything that a store holds of a broker, without one: what is damaged, and what belongs to nothing.

use std::{collections::HashSet, fmt};

use bytes::Bytes;

use crate::{
    catalog::{self, Stored},
    keys,
    queue::{record::Record, recovery, row::RowContent},
    reclaim, space,
    storage::{Page, Storage, StorageError},
    stream, topic,
};

/// What [`verify`] found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoreReport {
    /// Queues.
    pub queues: u64,
    /// Topics.
    pub topics: u64,
    /// Streams.
    pub streams: u64,
    /// Spaces of user keys.
    pub spaces: u64,
    /// Messages in queues, in the backlogs of handlers and in queues on streams.
    pub messages: u64,
    /// Records in streams, and messages in the archives of topics.
    pub records: u64,
    /// User keys.
    pub user_keys: u64,
    /// What is damaged or belongs to nothing, the first 1,000.
    pub problems: Vec<StoreProblem>,
    /// How many problems there are beyond those.
    pub problems_more: u64,
}

/// Something that is not as it was written, or that belongs to nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreProblem {
    /// The partition and the sequence, or the key, or the name.
    pub place: String,
    /// What is wrong with it.
    pub detail: String,
}

impl fmt::Display for StoreProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.detail)
    }
}

/// A report is for people: who has more problems than this does not read them one by one.
const PROBLEMS_MAX: usize = 1_000;
/// Read at once: enough to be quick, and little memory.
const PAGE: Page = Page { entries: 1_000, bytes: 4 << 20 };
/// To find the next owner of keys, one key is enough.
const ONE: Page = Page { entries: 1, bytes: 0 };

/// Reads everything that a broker has in this store and reports what is damaged: rows that cannot be read, counts that do not
/// fit, keys that belong to nothing. Changes nothing.
///
/// This is the layer above the store. Whether its files are whole is for the store to say (`broker_log::verify`). No broker may
/// be open on it meanwhile. Blocks: it reads as long as that takes, in small pages. An error if the store cannot be read; damage
/// is no error.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let store = broker_mem::MemStorage::new();
/// let broker = broker_core::Broker::open(store.clone()).await?;
/// broker.queue("orders").await?.send("socks").await?;
/// broker.close().await?;
///
/// let report = broker_core::storage::verify(&store)?;
/// assert_eq!((report.queues, report.messages, report.problems.len()), (1, 1, 0));
/// # Ok::<(), broker_core::Error>(()) }).unwrap();
/// ```
pub fn verify(store: &dyn Storage) -> Result<StoreReport, StorageError> {
    let mut verifier = Verifier { store, report: StoreReport::default(), ids: HashSet::new(), whole: true };
    let Some(stored) = verifier.note(catalog::read(store))?.flatten() else { return Ok(verifier.report) };
    verifier.queues(&stored)?;
    verifier.topics()?;
    verifier.streams()?;
    verifier.spaces()?;
    if let Some(leftovers) = verifier.note(reclaim::noted(store))? {
        verifier.ids.extend(leftovers.iter().map(|left| left.partition));
    }
    // If a definition is damaged, it is not known what belongs to it.
    if verifier.whole {
        verifier.orphans()?;
    }
    Ok(verifier.report)
}

struct Verifier<'a> {
    store: &'a dyn Storage,
    report: StoreReport,
    /// Everything that keys can belong to.
    ids: HashSet<u64>,
    /// Whether every definition and record could be read.
    whole: bool,
}

impl Verifier<'_> {
    fn problem(&mut self, place: String, detail: impl Into<String>) {
        if self.report.problems.len() < PROBLEMS_MAX {
            self.report.problems.push(StoreProblem { place, detail: detail.into() });
        } else {
            self.report.problems_more += 1;
        }
    }

    /// Damage is a finding; anything else ends the search.
    fn note<T>(&mut self, read: Result<T, StorageError>) -> Result<Option<T>, StorageError> {
        match read {
            Ok(found) => Ok(Some(found)),
            Err(StorageError::Corrupt { place, detail }) => {
                self.whole = false;
                self.problem(place, detail);
                Ok(None)
            }
            Err(other) => Err(other),
        }
    }

    fn queues(&mut self, stored: &Stored) -> Result<(), StorageError> {
        for (name, definition) in &stored.queues {
            self.report.queues += 1;
            if let Some(record) = self.note(recovery::read_record(self.store, definition.id))? {
                self.queue(&format!("queue {name:?}"), definition.id, &record)?;
            }
        }
        Ok(())
    }

    fn topics(&mut self) -> Result<(), StorageError> {
        for topic in self.note(topic::recovery::read(self.store))?.unwrap_or_default() {
            self.report.topics += 1;
            self.ids.extend(topic.ids());
            let Record { partition, head, tail, .. } = topic.record;
            self.report.records += self.rows(partition, head, tail)?;
            for one in &topic.subscriptions {
                if let (Some((_, id)), Some((record, _))) = (one.definition.push, &one.backlog) {
                    self.queue(&format!("a backlog of topic {:?}", topic.name), id, record)?;
                }
            }
        }
        Ok(())
    }

    fn streams(&mut self) -> Result<(), StorageError> {
        for stream in self.note(stream::recovery::read(self.store))?.unwrap_or_default() {
            self.report.streams += 1;
            self.ids.extend(stream.ids());
            for (shard, record) in &stream.shards {
                let records = self.rows(shard.partition, record.head, record.tail)?;
                self.report.records += records;
                if records != record.tail - record.head {
                    let place = format!("shard {} of stream {:?}", shard.number, stream.name);
                    self.problem(place, format!("has {records} records of {}", record.tail - record.head));
                }
            }
            for queue in &stream.queues {
                let ids = [queue.definition.id, queue.definition.dead_id];
                for (id, record) in ids.into_iter().zip(&queue.records) {
                    self.queue(&format!("queue {:?} on stream {:?}", queue.name, stream.name), id, record)?;
                }
            }
        }
        Ok(())
    }

    fn spaces(&mut self) -> Result<(), StorageError> {
        for (_, definition) in self.note(space::stored(self.store))?.unwrap_or_default() {
            self.report.spaces += 1;
            self.ids.insert(definition.id);
            let mut from = keys::user_key(definition.id, b"");
            let to = keys::after_user_keys(definition.id, b"");
            loop {
                let page = self.store.meta_range(&from, &to, PAGE)?;
                let Some((last, _)) = page.last() else { break };
                from = [last, [0].as_slice()].concat();
                self.report.user_keys += page.len() as u64;
            }
        }
        Ok(())
    }

    /// A queue has as many messages as it counts, and all of them can be read.
    fn queue(&mut self, place: &str, id: u64, record: &Record) -> Result<(), StorageError> {
        self.ids.extend([id, record.partition]);
        let messages = self.rows(record.partition, 0, record.tail)?;
        self.report.messages += messages;
        if messages != record.stored {
            self.problem(place.to_owned(), format!("counts {} messages and has {messages}", record.stored));
        }
        if !self.store.rows(record.partition, record.tail..u64::MAX, ONE)?.is_empty() {
            self.problem(place.to_owned(), "has messages behind its end");
        }
        Ok(())
    }

    /// How many rows there are; those that cannot be read are problems.
    fn rows(&mut self, partition: u64, from: u64, to: u64) -> Result<u64, StorageError> {
        let (mut from, mut count) = (from, 0);
        loop {
            let page = match self.store.rows(partition, from..to, PAGE) {
                Err(StorageError::Corrupt { place, detail }) => {
                    // The store says no more of this partition.
                    self.problem(place, detail);
                    return Ok(count);
                }
                page => page?,
            };
            let Some((last, _)) = page.last() else { return Ok(count) };
            from = last + 1;
            for (seq, row) in &page {
                count += 1;
                if let Err(what) = RowContent::read(row) {
                    self.problem(format!("row {seq} of partition {partition}"), what.0);
                }
            }
        }
    }

    /// What belongs to nothing that there is.
    fn orphans(&mut self) -> Result<(), StorageError> {
        for &tag in keys::OWNED {
            let (mut from, to) = (vec![tag], keys::after_tag(tag));
            while let Some((key, _)) = self.store.meta_range(&from, &to, ONE)?.pop() {
                let Some(owner) = owner_of(&key) else {
                    self.problem(format!("meta key {key:?}"), "is too short");
                    from = [&key, [0].as_slice()].concat();
                    continue;
                };
                if !self.ids.contains(&owner) {
                    self.problem(
                        format!("meta key {key:?}"),
                        format!("belongs to {owner}, which is not there"),
                    );
                }
                // One key of each owner is enough.
                match owner.checked_add(1) {
                    Some(next) => from = [&[tag], &next.to_be_bytes()[..]].concat(),
                    None => break,
                }
            }
        }
        Ok(())
    }
}

/// The number behind the tag.
fn owner_of(key: &Bytes) -> Option<u64> {
    Some(u64::from_be_bytes(key.get(1..9)?.try_into().ok()?))
}

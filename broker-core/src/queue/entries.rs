//! Batches of a queue's calls: entries, each with an id and an outcome of its own (rules Q40 to Q46).

use std::{collections::HashSet, fmt};

use crate::{
    error::{Error, Result, shown},
    limits::Limits,
    storage::Durability,
};

/// What identifies an entry within its batch.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum EntryId {
    /// Its place in the batch, from zero.
    Position(usize),
    /// The caller's own id: 1 to 80 letters, digits, hyphens and underscores, distinct within the batch.
    Named(String),
}

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Position(position) => write!(f, "{position}"),
            Self::Named(id) => f.write_str(id),
        }
    }
}

/// Several requests in one call, committed together: after a crash, all accepted entries are there or none.
///
/// ```
/// use broker_core::{Entries, SendMessage};
///
/// let mut entries: Entries<SendMessage> = ["a", "b"].into_iter().map(SendMessage::from).collect();
/// entries.push_named("last", SendMessage::from("c"));
/// assert_eq!(entries.len(), 3);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entries<T> {
    pub(crate) entries: Vec<(EntryId, T)>,
    pub(crate) durability: Option<Durability>,
}

impl<T> Entries<T> {
    /// A batch without entries.
    pub fn new() -> Self {
        Self { entries: Vec::new(), durability: None }
    }

    /// A batch of one.
    pub fn one(request: T) -> Self {
        Self::from_iter([request])
    }

    /// Adds an entry that is identified by its position.
    pub fn push(&mut self, request: T) {
        let position = self.entries.len();
        self.entries.push((EntryId::Position(position), request));
    }

    /// Adds an entry with an id of the caller's own.
    pub fn push_named(&mut self, id: impl Into<String>, request: T) {
        self.entries.push((EntryId::Named(id.into()), request));
    }

    /// Answers after the commit has this durability, whatever the queue's setting.
    pub fn durability(self, durability: Durability) -> Self {
        Self { durability: Some(durability), ..self }
    }

    /// The requests, to be changed before they are sent: for whoever wraps a queue.
    pub fn requests_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.entries.iter_mut().map(|(_, request)| request)
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The checks that refuse the whole call, in the order of rule Q45; the total size comes after them.
    pub(crate) fn check(&self, limits: &Limits) -> Result<()> {
        if self.is_empty() {
            return Err(Error::EmptyBatch);
        }
        if self.len() > limits.batch_entries_max {
            return Err(Error::TooManyEntriesInBatch { count: self.len(), max: limits.batch_entries_max });
        }
        let names = || {
            self.entries.iter().filter_map(|(id, _)| match id {
                EntryId::Named(id) => Some(id.as_str()),
                EntryId::Position(_) => None,
            })
        };
        for id in names() {
            let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
            if id.is_empty() || id.len() > ENTRY_ID_CHARS_MAX || !id.bytes().all(allowed) {
                return Err(Error::InvalidBatchEntryId { id: shown(id) });
            }
        }
        let mut seen = HashSet::new();
        match names().find(|id| !seen.insert(*id)) {
            Some(id) => Err(Error::BatchEntryIdsNotDistinct { id: id.to_owned() }),
            None => Ok(()),
        }
    }
}

/// The longest id of a batch entry, in characters.
const ENTRY_ID_CHARS_MAX: usize = 80;

impl<T> Default for Entries<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> FromIterator<T> for Entries<T> {
    fn from_iter<I: IntoIterator<Item = T>>(requests: I) -> Self {
        let position = |(position, request)| (EntryId::Position(position), request);
        Self { entries: requests.into_iter().enumerate().map(position).collect(), durability: None }
    }
}

/// What became of each entry of a batch, in the order of the entries.
#[derive(Debug, Clone)]
#[must_use = "an entry may have failed although the call succeeded"]
pub struct Outcomes<T>(pub Vec<(EntryId, Result<T>)>);

impl<T> Outcomes<T> {
    /// The entries that succeeded.
    pub fn successful(&self) -> impl Iterator<Item = (&EntryId, &T)> {
        self.0.iter().filter_map(|(id, outcome)| outcome.as_ref().ok().map(|done| (id, done)))
    }

    /// The entries that failed, each with its reason; nothing happened to them.
    pub fn failed(&self) -> impl Iterator<Item = (&EntryId, &Error)> {
        self.0.iter().filter_map(|(id, outcome)| outcome.as_ref().err().map(|error| (id, error)))
    }

    /// All outcomes, or the first failure.
    pub fn all(self) -> Result<Vec<T>> {
        self.0.into_iter().map(|(_, outcome)| outcome).collect()
    }
}

//! Reading rows: a plan is taken under the lock, and carried out without it.
//!
//! The plan has what was there at one instant: the parts of sealed segments as they were, and a page of the active
//! segment's index. What it names stays readable, since files are kept open, and none is written over that a
//! plan has open.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, binary_heap::PeekMut},
    ops::Range,
    sync::Arc,
};

use broker_core::storage::{Page, StorageError};
use bytes::Bytes;

use crate::{
    blocks::Blocks,
    files::Handle,
    format::size,
    index::{BLOCK_ROWS, Block, Entry},
    part::{self, Part},
    state::State,
};

/// Neighbours in a file are read together, up to so many bytes.
const READ_BYTES: u64 = 256 << 10;
/// Bytes between two neighbours that are cheaper read than skipped.
const GAP_BYTES: u64 = 16 << 10;

/// A row that was found, in one of the plan's files.
struct Found {
    seq: u64,
    file: usize,
    entry: Entry,
}

/// A part of a sealed segment, and how far it was read.
struct Source {
    segment: u64,
    file: Handle,
    part: Arc<Part>,
    /// The block that is being read, and the place in it.
    at: Option<(u64, Arc<Block>, usize)>,
}

/// See the module.
pub(crate) struct Plan {
    range: Range<u64>,
    page: Page,
    sources: Vec<Source>,
    active: std::vec::IntoIter<(u64, Entry)>,
    active_file: Handle,
}

impl Plan {
    pub(crate) fn new(state: &State, partition: u64, range: Range<u64>, page: Page) -> Self {
        let active_file = state.active.file.clone();
        if range.start >= range.end {
            return Self { range, page, sources: Vec::new(), active: Vec::new().into_iter(), active_file };
        }
        let (mut active, mut bytes) = (Vec::new(), 0_usize);
        for ((_, seq), entry) in state.active.rows.range((partition, range.start)..(partition, range.end)) {
            active.push((*seq, *entry));
            bytes = bytes.saturating_add(size(u64::from(entry.bytes)));
            if active.len() >= page.entries || bytes >= page.bytes {
                break;
            }
        }
        let sources = sources(state, partition, &range, page);
        Self { range, page, sources, active: active.into_iter(), active_file }
    }

    /// Carries it out.
    pub(crate) fn read(mut self, blocks: &Blocks) -> Result<Vec<(u64, Bytes)>, StorageError> {
        let found = self.find(blocks)?;
        let mut rows = Vec::with_capacity(found.len());
        let mut rest = &found[..];
        while !rest.is_empty() {
            let (run, after) = rest.split_at(neighbours(rest));
            let file = self.sources.get(run[0].file).map_or(&self.active_file, |source| &source.file);
            read_run(file, run, &mut rows)?;
            rest = after;
        }
        Ok(rows)
    }

    /// Merges what the sources and the active segment have, up to a page.
    fn find(&mut self, blocks: &Blocks) -> Result<Vec<Found>, StorageError> {
        let mut heap = BinaryHeap::new();
        for (file, source) in self.sources.iter().enumerate() {
            // A bound below its next row: it is opened when its turn comes.
            heap.push(Reverse((source.part.first().max(self.range.start), file, None)));
        }
        let active = self.sources.len();
        heap.extend(self.active.next().map(|(seq, entry)| Reverse((seq, active, Some(Place(entry))))));
        let (mut found, mut bytes) = (Vec::new(), 0_usize);
        while let Some(mut first) = heap.peek_mut() {
            let Reverse((seq, file, place)) = *first;
            if let Some(Place(entry)) = place {
                found.push(Found { seq, file, entry });
                bytes = bytes.saturating_add(size(u64::from(entry.bytes)));
                if found.len() >= self.page.entries || bytes >= self.page.bytes {
                    break;
                }
            }
            let next = match self.sources.get_mut(file) {
                Some(source) => source.next(&self.range, blocks)?,
                None => self.active.next(),
            };
            match next {
                // In its place, as it is mostly the first again.
                Some((seq, entry)) => *first = Reverse((seq, file, Some(Place(entry)))),
                None => drop(PeekMut::pop(first)),
            }
        }
        Ok(found)
    }
}

/// An entry in the heap. Rows are ordered by sequence and source alone.
#[derive(Clone, Copy)]
struct Place(Entry);

impl PartialEq for Place {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Place {}

impl PartialOrd for Place {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Place {
    fn cmp(&self, _: &Self) -> std::cmp::Ordering {
        std::cmp::Ordering::Equal
    }
}

/// The parts that can have a row of the page.
fn sources(state: &State, partition: u64, range: &Range<u64>, page: Page) -> Vec<Source> {
    let (mut sources, mut sure, mut last) = (Vec::new(), 0_u64, 0);
    let extents = state.extents.get(&partition).into_iter();
    for extent in extents.flat_map(|extents| extents.reaching(range.start)) {
        // Those before have a page of rows, all of them before this one's.
        if extent.first >= range.end || (sure >= page.entries.max(1) as u64 && extent.first > last) {
            break;
        }
        let sealed = &state.sealed[&extent.segment];
        let part = sealed.parts[&partition].clone();
        if extent.first >= range.start && extent.last < range.end {
            sure += part.live;
        }
        last = last.max(extent.last);
        sources.push(Source { segment: extent.segment, file: sealed.file.clone(), part, at: None });
    }
    sources
}

impl Source {
    /// The next row that lives, in the range.
    fn next(&mut self, range: &Range<u64>, blocks: &Blocks) -> Result<Option<(u64, Entry)>, StorageError> {
        loop {
            let (number, block, at) = match self.at.take() {
                Some((number, block, at)) if at < block.len() => (number, block, at),
                before => {
                    let number = match before {
                        Some((number, _, _)) => number + 1,
                        None => self.part.block_of(range.start).max(self.part.head_block()),
                    };
                    if number >= self.part.blocks() {
                        return Ok(None);
                    }
                    let block = blocks.get(self.segment, &self.file, &self.part, number)?;
                    let at = block.partition_point(|(seq, _)| *seq < range.start);
                    (number, block, at)
                }
            };
            let row = block.get(at).copied();
            let lives = !self.part.is_dead(number * BLOCK_ROWS + at as u64);
            self.at = Some((number, block, at + 1));
            match row {
                Some((seq, _)) if seq >= range.end => return Ok(None),
                Some(row) if lives => return Ok(Some(row)),
                _ => {}
            }
        }
    }
}

/// How many of the first rows are read at once.
fn neighbours(rows: &[Found]) -> usize {
    let first = &rows[0];
    let mut end = first.entry.offset + u64::from(first.entry.bytes);
    let more = rows[1..].iter().take_while(|row| {
        let near = row.file == first.file && row.entry.offset >= end && row.entry.offset - end <= GAP_BYTES;
        let reach = row.entry.offset + u64::from(row.entry.bytes);
        let taken = near && reach - first.entry.offset <= READ_BYTES;
        end = if taken { reach } else { end };
        taken
    });
    1 + more.count()
}

fn read_run(file: &Handle, run: &[Found], rows: &mut Vec<(u64, Bytes)>) -> Result<(), StorageError> {
    let (first, last) = (&run[0], &run[run.len() - 1]);
    let start = first.entry.offset;
    let span = last.entry.offset - start + u64::from(last.entry.bytes);
    if span > READ_BYTES && start + span > file.size()? {
        return Err(file.corrupt(start, "the file ends within a row"));
    }
    let buffer = file.read(start, size(span))?;
    if run.len() == 1 {
        rows.push((first.seq, file.checked(buffer.into(), first.entry.crc, start)?));
        return Ok(());
    }
    for Found { seq, entry, .. } in run {
        let at = size(entry.offset - start);
        // A copy, so that one row that is kept does not keep its neighbours' memory.
        let value = Bytes::copy_from_slice(&buffer[at..at + size(u64::from(entry.bytes))]);
        rows.push((*seq, file.checked(value, entry.crc, entry.offset)?));
    }
    Ok(())
}

/// Where one row is, as a plan that was taken under the lock.
pub(crate) enum Single {
    /// Its place is known.
    Found(Handle, Entry),
    /// One of these parts may have it.
    Sealed(Vec<(u64, Handle, Arc<Part>)>),
}

impl Single {
    pub(crate) fn new(state: &State, partition: u64, seq: u64) -> Self {
        match state.active.rows.get(&(partition, seq)) {
            Some(entry) => Self::Found(state.active.file.clone(), *entry),
            None => Self::Sealed(
                state
                    .holders(partition, seq)
                    .map(|(number, file, part)| (number, file.clone(), part.clone()))
                    .collect(),
            ),
        }
    }

    pub(crate) fn read(self, seq: u64, blocks: &Blocks) -> Result<Option<Bytes>, StorageError> {
        let one = |file: &Handle, entry| {
            let mut rows = Vec::new();
            read_run(file, &[Found { seq, file: 0, entry }], &mut rows)?;
            Ok(rows.pop().map(|(_, value)| value))
        };
        match self {
            Self::Found(file, entry) => one(&file, entry),
            Self::Sealed(holders) => {
                for (segment, file, part) in holders {
                    let number = part.block_of(seq);
                    let block = blocks.get(segment, &file, &part, number)?;
                    if let Some((ordinal, _)) = part::find(&block, number, seq)
                        && !part.is_dead(ordinal)
                    {
                        return one(&file, block[size(ordinal % BLOCK_ROWS)].1);
                    }
                }
                Ok(None)
            }
        }
    }
}

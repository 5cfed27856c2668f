//! From one segment to the next, and the end of a store's life.
//!
//! A segment is sealed, with its index behind its frames, and synced. Then the next one is made under a temporary name: a
//! header and a checkpoint. It is synced, gets its name, and the directory is synced. So the newest segment that has
//! its name always begins with a whole checkpoint, and all older ones are sealed.

use std::collections::{BTreeMap, BTreeSet};

use broker_core::storage::StorageError;

use crate::{
    LogStorage, checkpoint,
    files::{Files, Handle},
    format::{HEADER_BYTES, Header, Trailer},
    index, names,
    ops::Frame,
    seeded::seeded,
    state::{Active, Dead, Sealed, State},
    writer::Writer,
};

/// Makes the first segment of a new store.
pub(crate) fn create(files: &dyn Files, segment_bytes: u64) -> Result<(State, Writer), StorageError> {
    let (header, file, _) = begin(files, 1, None)?;
    let state = State::new(Active { file: file.clone(), rows: BTreeMap::new() });
    let base = finish(files, header, &file, &state, 0)?;
    let limit = Writer::limit(segment_bytes, base, 0);
    Ok((state, Writer::new(header, file, base, 0, limit)))
}

/// A file for a segment, under its temporary name, and its length: a new one, or a spare one that is written over. That one
/// has its blocks already, which makes syncs cheaper.
fn begin(files: &dyn Files, number: u64, spare: Option<Dead>) -> Result<(Header, Handle, u64), StorageError> {
    let salt = files.salt().map_err(|error| StorageError::io("asking for random numbers", error))?;
    let (header, unfinished, later) = (Header { number, salt }, names::unfinished(number), names::of(number));
    let Some(spare) = spare else { return Ok((header, Handle::create(files, &unfinished, &later)?, 0)) };
    let renamed = files.rename(names::SPARE, &unfinished);
    renamed.map_err(|error| StorageError::io(format!("naming {}", files.place(&later)), error))?;
    Ok((header, Handle::reopen(files, &unfinished, &later)?, spare.file_bytes))
}

/// Writes what a segment begins with, and gives it its name. Returns where its frames begin.
fn finish(
    files: &dyn Files,
    header: Header,
    file: &Handle,
    state: &State,
    number: u64,
) -> Result<u64, StorageError> {
    let mut bytes = header.encode();
    bytes.append(&mut checkpoint::encode(state, header, HEADER_BYTES, number, 0));
    file.write(&bytes, 0)?;
    file.sync_all()?;
    let (from, to) = (names::unfinished(header.number), names::of(header.number));
    files.rename(&from, &to).map_err(|error| StorageError::io(format!("naming {}", file.place()), error))?;
    if !seeded("log-name-not-synced") {
        sync_dir(files)?;
    }
    Ok(bytes.len() as u64)
}

pub(crate) fn sync_dir(files: &dyn Files) -> Result<(), StorageError> {
    files.sync_dir().map_err(|error| StorageError::io(format!("syncing {}", files.place("")), error))
}

impl Writer {
    /// A writer to a segment whose frames begin at `base` and that has none.
    pub(crate) fn new(header: Header, file: Handle, base: u64, number: u64, limit: u64) -> Self {
        Self {
            header,
            file,
            end: base,
            file_bytes: base,
            cut: false,
            synced: base,
            number,
            base,
            limit,
            frame: Frame::default(),
            budget: 0,
            pinned: BTreeSet::new(),
            spare: None,
        }
    }
}

impl LogStorage {
    /// Seals the active segment and goes on to the next.
    pub(crate) fn roll(&self, writer: &mut Writer) -> Result<(), StorageError> {
        let files = self.files.as_ref();
        let old = writer.header;
        let (header, file, spare_bytes) = begin(files, old.number + 1, writer.spare.take())?;
        let (mut bytes, parts) =
            index::encode(&self.state.read().active.rows, old, writer.end, writer.number, writer.synced);
        let file_bytes = writer.seal(&mut bytes, 0)?;
        let next = Active { file: file.clone(), rows: BTreeMap::new() };
        let sealed = {
            let mut state = self.state.write();
            let sealed = std::mem::replace(&mut state.active, next);
            state.add_sealed(old.number, Sealed::new(sealed.file.clone(), file_bytes, parts));
            sealed
        };
        // Its rows are many, and freed when readers need not wait.
        drop(sealed);
        let base = finish(files, header, &file, &self.state.read(), writer.number)?;
        let limit = Writer::limit(self.options.segment_bytes, base, self.state.read().sealed_bytes);
        let mut next = Writer::new(header, file, base, writer.number, limit);
        next.file_bytes = next.file_bytes.max(spare_bytes);
        let last = std::mem::replace(writer, next);
        (writer.frame, writer.budget, writer.pinned) = (last.frame, last.budget, last.pinned);
        writer.spare = last.spare;
        // The checkpoint that is durable now does not list them.
        let dead = std::mem::take(&mut self.state.write().dead);
        self.retire(writer, dead)
    }

    /// Removes the files of segments that nothing refers to any more, but for one that the next segment is to be written over.
    pub(crate) fn retire(&self, writer: &mut Writer, dead: BTreeMap<u64, Dead>) -> Result<(), StorageError> {
        for (number, dead) in dead {
            let most = self.options.segment_bytes.saturating_mul(2);
            let fits = (self.options.segment_bytes / 2..=most).contains(&dead.file_bytes);
            if writer.spare.is_some() || !fits || !dead.file.is_exclusive() {
                // If that fails, opening tries again.
                drop(self.files.remove(&names::of(number)));
                continue;
            }
            let renamed = self.files.rename(&names::of(number), names::SPARE);
            renamed.map_err(|error| StorageError::io(format!("renaming {}", dead.file.place()), error))?;
            // Before it is written over: under its old name it would be taken for what it was.
            sync_dir(self.files.as_ref())?;
            writer.spare = Some(dead);
        }
        Ok(())
    }

    /// Leaves an index and a checkpoint behind the frames, so that the next opening reads no frame.
    pub(crate) fn close(&self, writer: &mut Writer) -> Result<(), StorageError> {
        if writer.cut {
            // Nothing was written since the store was closed before.
            return Ok(());
        }
        // Whoever finds what is written here does not look at the frames any more: they must be durable before.
        Self::sync(writer)?;
        let state = self.state.read();
        let (mut bytes, _) =
            index::encode(&state.active.rows, writer.header, writer.end, writer.number, writer.synced);
        let at = writer.end + bytes.len() as u64;
        bytes.append(&mut checkpoint::encode(&state, writer.header, at, writer.number, writer.synced));
        writer.seal(&mut bytes, at).map(drop)
    }
}

impl Writer {
    /// Writes the end of the file: `bytes`, which begin with the index, and a trailer. Returns the file's length.
    fn seal(&mut self, bytes: &mut Vec<u8>, checkpoint: u64) -> Result<u64, StorageError> {
        let file_bytes = self.end + bytes.len() as u64 + crate::format::TRAILER_BYTES as u64;
        let trailer = Trailer { index: self.end, checkpoint, file_bytes };
        bytes.append(&mut trailer.encode(self.header));
        if self.cut || self.file_bytes > file_bytes {
            self.file.set_len(self.end)?;
        }
        self.file.write(bytes, self.end)?;
        if !seeded("log-seal-not-synced") {
            self.file.sync_all()?;
        }
        Ok(file_bytes)
    }
}

#[cfg(test)]
mod tests {
    use broker_core::storage::{Batch, Durability, Page, Storage};

    use super::*;
    use crate::{LogOptions, scan::Plan};

    fn put(store: &LogStorage, seqs: std::ops::Range<u64>) {
        for seq in seqs {
            let mut batch = Batch::new();
            batch.put_row(1, seq, seq.to_le_bytes().repeat(25));
            store.commit(&batch, Durability::Buffered).unwrap();
        }
    }

    #[test]
    fn a_file_that_a_reader_has_open_is_not_written_over() {
        let home = tempfile::tempdir().unwrap();
        let options = LogOptions { segment_bytes: 4_000, ..LogOptions::default() };
        let store = LogStorage::open_with(home.path(), &options).unwrap();
        put(&store, 0..40);
        let reader = Plan::new(&store.state.read(), 1, 0..5, Page { entries: 5, bytes: usize::MAX });
        let mut batch = Batch::new();
        batch.trim_rows(1, 40);
        store.commit(&batch, Durability::Buffered).unwrap();
        assert!(store.writer.lock().spare.is_some(), "the files of the others are good for that");
        put(&store, 40..200);
        let rows = reader.read(&store.blocks).unwrap();
        assert!(rows.iter().map(|(seq, _)| *seq).eq(0..5));
        assert!(rows.iter().all(|(seq, value)| value[..8] == seq.to_le_bytes()));
    }
}

//! Opening: the newest segment's checkpoint, and the frames behind it.
//!
//! A store that was closed has a checkpoint at its end, and no frame is read. Otherwise the frames are replayed up to the
//! first that is not whole. That one was being written when the power went, or is damaged. It was durable, and so it is
//! damaged, if a later frame says so; then opening fails, and nothing is cut. If none does, it is the torn tail.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use broker_core::storage::StorageError;

use crate::{
    blocks::Blocks,
    checkpoint::{Checkpoint, Listed},
    files::{Files, Handle},
    format::{FRAME_HEADER_BYTES, FrameHeader, HEADER_BYTES, Header, TRAILER_BYTES, Trailer},
    frames::{Frames, Next},
    index, names,
    ops::{Logged, Ops},
    roll,
    seeded::seeded,
    state::{Active, Dead, Sealed, State},
    writer::Writer,
};

/// Opens what is there, or creates a store where there is no segment.
pub(crate) fn open(
    files: &Arc<dyn Files>,
    segment_bytes: u64,
    blocks: &Blocks,
) -> Result<(State, Writer), StorageError> {
    let files = files.as_ref();
    let listed =
        files.list().map_err(|error| StorageError::io(format!("listing {}", files.place("")), error))?;
    for name in listed.iter().filter(|name| names::is_unfinished(name)) {
        files
            .remove(name)
            .map_err(|error| StorageError::io(format!("removing {}", files.place(name)), error))?;
    }
    let there: BTreeSet<u64> = listed.iter().filter_map(|name| names::segment(name)).collect();
    let Some(newest) = there.last().copied() else { return roll::create(files, segment_bytes) };
    let file = Handle::open(files, &names::of(newest))?;
    let header = Header::read(&file, newest)?;
    let mut opening = Opening { files, header, file, file_bytes: 0, there, absent: BTreeSet::new() };
    opening.file_bytes = opening.file.size()?;
    let (state, mut writer) = match opening.closed(segment_bytes)? {
        Some(opened) => opened,
        None => opening.replayed(segment_bytes, blocks)?,
    };
    // What was written by a process that was killed is not durable yet, and neither are its names.
    opening.file.sync_all()?;
    roll::sync_dir(files)?;
    opening.remove_leftovers(&state);
    if listed.iter().any(|name| name == names::SPARE) {
        let file = Handle::open(files, names::SPARE)?;
        writer.spare = Some(Dead { file_bytes: file.size()?, file });
    }
    Ok((state, writer))
}

struct Opening<'a> {
    files: &'a dyn Files,
    /// The newest segment.
    header: Header,
    file: Handle,
    file_bytes: u64,
    /// The segments that have files.
    there: BTreeSet<u64>,
    /// Those that the checkpoint lists and that have none.
    absent: BTreeSet<u64>,
}

impl Opening<'_> {
    /// The state that a closed store left at the end of its file; `None` if it left none that is whole.
    fn closed(&mut self, segment_bytes: u64) -> Result<Option<(State, Writer)>, StorageError> {
        let Some(trailer) = Trailer::read(&self.file, self.header, self.file_bytes)? else { return Ok(None) };
        if trailer.checkpoint <= trailer.index || trailer.checkpoint > self.file_bytes {
            return Ok(None);
        }
        let room = |from: u64| self.file_bytes.saturating_sub(from).saturating_sub(TRAILER_BYTES as u64);
        let read = || {
            let checkpoint =
                Checkpoint::read(&self.file, self.header, trailer.checkpoint, room(trailer.checkpoint))?;
            let parts = index::read(&self.file, self.header, trailer.index, room(trailer.index))?;
            Ok((checkpoint, index::read_rows(&self.file, &parts)?))
        };
        let (checkpoint, rows) = match read() {
            // The frames say the same.
            Err(StorageError::Corrupt { .. }) => return Ok(None),
            read => read?,
        };
        let bytes = self.file.read(HEADER_BYTES, FRAME_HEADER_BYTES)?;
        let first = FrameHeader::decode(&bytes, self.header, HEADER_BYTES);
        let base = HEADER_BYTES + first.and_then(|frame| frame.length(trailer.index)).unwrap_or(0);
        let number = checkpoint.number;
        let mut state = self.state(checkpoint)?;
        state.active.rows = rows;
        self.refuse_absent()?;
        let limit = Writer::limit(segment_bytes, base, state.sealed_bytes);
        let mut writer = Writer::new(self.header, self.file.clone(), base, number, limit);
        (writer.end, writer.synced) = (trailer.index, trailer.index);
        (writer.file_bytes, writer.cut) = (self.file_bytes, true);
        Ok(Some((state, writer)))
    }

    /// The state after the last whole frame.
    fn replayed(&mut self, segment_bytes: u64, blocks: &Blocks) -> Result<(State, Writer), StorageError> {
        let room = self.file_bytes.saturating_sub(HEADER_BYTES);
        let checkpoint = Checkpoint::read(&self.file, self.header, HEADER_BYTES, room)?;
        let (base, mut at, mut number) = (checkpoint.end, checkpoint.end, checkpoint.number);
        let mut state = self.state(checkpoint)?;
        let mut frames = Frames::new(&self.file, self.header, self.file_bytes);
        loop {
            match frames.next(at, number)? {
                Next::Writes { ops, values_at, end } => {
                    for op in Ops::new(&ops).flatten() {
                        if let Logged::Forget { segment } = op {
                            self.absent.remove(&segment);
                        }
                    }
                    let prefetched = state.prefetch(&ops, blocks)?;
                    state.apply(&ops, values_at, &prefetched);
                    (at, number) = (end, number + 1);
                }
                Next::Index => break,
                Next::Broken { detail } => {
                    let damaged = frames.was_durable(at)? && !seeded("log-damage-is-a-torn-tail");
                    if damaged || seeded("log-torn-tail-is-damage") {
                        return Err(self.file.corrupt(at, &format!("{detail}, and valid frames follow")));
                    }
                    break;
                }
            }
        }
        self.refuse_absent()?;
        if at < self.file_bytes {
            self.file.set_len(at)?;
        }
        let limit = Writer::limit(segment_bytes, base, state.sealed_bytes);
        let mut writer = Writer::new(self.header, self.file.clone(), base, number, limit);
        (writer.end, writer.synced, writer.file_bytes) = (at, at, at);
        Ok((state, writer))
    }

    /// The state that a checkpoint describes, without the rows of the newest segment.
    fn state(&mut self, checkpoint: Checkpoint) -> Result<State, StorageError> {
        let rows = BTreeMap::new();
        let mut state = State::new(Active { file: self.file.clone(), rows });
        state.meta = checkpoint.meta;
        self.absent.clear();
        for listed in checkpoint.sealed {
            if self.there.contains(&listed.number) {
                state.add_sealed(listed.number, self.sealed(&listed)?);
            } else {
                self.absent.insert(listed.number);
            }
        }
        Ok(state)
    }

    fn sealed(&self, listed: &Listed) -> Result<Sealed, StorageError> {
        let file = Handle::open(self.files, &names::of(listed.number))?;
        let file_bytes = file.size()?;
        if file_bytes != listed.file_bytes {
            return Err(
                file.corrupt(file_bytes, &format!("it had {} bytes when it was sealed", listed.file_bytes))
            );
        }
        let header = Header::read(&file, listed.number)?;
        let trailer = Trailer::read(&file, header, file_bytes)?.filter(|trailer| trailer.index < file_bytes);
        let trailer =
            trailer.ok_or_else(|| file.corrupt(file_bytes, "its end does not match its checksum"))?;
        let parts = index::read(&file, header, trailer.index, file_bytes - trailer.index)?;
        let parts = listed.living(parts, &file)?;
        Ok(Sealed::new(file, file_bytes, parts))
    }

    fn refuse_absent(&self) -> Result<(), StorageError> {
        match self.absent.first() {
            Some(number) => {
                let place = self.files.place(&names::of(*number));
                Err(StorageError::corrupt(place, "the file is missing, and rows are in it"))
            }
            None => Ok(()),
        }
    }

    /// Removes what is older than the newest segment, and neither listed nor dead: its removal was interrupted.
    fn remove_leftovers(&self, state: &State) {
        for number in self.there.range(..self.header.number) {
            if !state.sealed.contains_key(number) && !state.dead.contains_key(number) {
                drop(self.files.remove(&names::of(*number)));
            }
        }
    }
}

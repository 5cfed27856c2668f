//! A look at every byte of a store that nobody has open. Nothing is changed.

use std::{collections::BTreeSet, fmt, path::Path};

use broker_core::storage::StorageError;

use crate::{
    checkpoint::Checkpoint,
    files::{Directory, Files, Handle},
    format::{HEADER_BYTES, Header, TRAILER_BYTES, Trailer, size},
    frames::{Frames, Next},
    index, names,
    ops::{Logged, Ops},
};

/// What [`verify`] found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Segment files.
    pub segments: u64,
    /// Whole frames of writes, in all segments.
    pub frames: u64,
    /// Rows in those frames, dead ones included.
    pub rows: u64,
    /// What is damaged, in the order of the files.
    pub problems: Vec<Problem>,
}

/// Something that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file and the place in it.
    pub place: String,
    /// What is wrong with it.
    pub detail: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.detail)
    }
}

/// Reads the whole store in the directory `path` and reports what is damaged; what lies behind damage is read too.
///
/// A frame that was being written when the power went is no damage. An error if the directory is in use, is no directory,
/// or cannot be read.
pub fn verify(path: impl AsRef<Path>) -> Result<Report, StorageError> {
    let path = path.as_ref();
    if !path.is_dir() {
        let error = std::io::ErrorKind::NotADirectory.into();
        return Err(StorageError::io(format!("verifying {}", path.display()), error));
    }
    verify_on(&Directory::lock(path)?)
}

/// [`verify`], for the store in these files.
pub fn verify_on(files: &dyn Files) -> Result<Report, StorageError> {
    let listed =
        files.list().map_err(|error| StorageError::io(format!("listing {}", files.place("")), error))?;
    let there: BTreeSet<u64> = listed.iter().filter_map(|name| names::segment(name)).collect();
    let mut report = Report { segments: there.len() as u64, ..Report::default() };
    for number in &there {
        let is_newest = there.last() == Some(number);
        let mut needed = BTreeSet::new();
        let found = segment(files, *number, is_newest, &mut report, &mut needed);
        report.note(found)?;
        if is_newest {
            for missing in needed.difference(&there) {
                report.add(files.place(&names::of(*missing)), "the file is missing, and rows are in it");
            }
        }
    }
    Ok(report)
}

impl Report {
    fn add(&mut self, place: String, detail: impl Into<String>) {
        self.problems.push(Problem { place, detail: detail.into() });
    }

    /// Damage is a finding; anything else ends the search. Says whether there was none.
    fn note<T>(&mut self, result: Result<T, StorageError>) -> Result<Option<T>, StorageError> {
        match result {
            Ok(found) => Ok(Some(found)),
            Err(StorageError::Corrupt { place, detail }) => {
                self.add(place, detail);
                Ok(None)
            }
            Err(other) => Err(other),
        }
    }
}

fn segment(
    files: &dyn Files,
    number: u64,
    is_newest: bool,
    report: &mut Report,
    needed: &mut BTreeSet<u64>,
) -> Result<(), StorageError> {
    let file = Handle::open(files, &names::of(number))?;
    let header = Header::read(&file, number)?;
    let file_bytes = file.size()?;
    let room = file_bytes.saturating_sub(HEADER_BYTES);
    let checkpoint = report.note(Checkpoint::read(&file, header, HEADER_BYTES, room))?;
    let mut frames = Frames::new(&file, header, file_bytes);
    let (mut at, mut last) = match checkpoint {
        Some(checkpoint) => {
            needed.extend(checkpoint.sealed.iter().map(|listed| listed.number));
            (checkpoint.end, checkpoint.number)
        }
        None => match frames.find(HEADER_BYTES + 1, |_| true)? {
            Some((at, frame)) => (at, frame.before()),
            None => return Ok(()),
        },
    };
    loop {
        match frames.next(at, last)? {
            Next::Writes { ops, end, .. } => {
                count(&ops, report, needed);
                (at, last) = (end, last + 1);
            }
            Next::Index => break,
            Next::Broken { detail } => {
                let durable = !is_newest || frames.find(at + 1, |frame| frame.synced > at)?.is_some();
                if durable {
                    report.note::<()>(Err(file.corrupt(at, detail)))?;
                }
                match frames.find(at + 1, |frame| frame.number > last)? {
                    Some((found, frame)) if durable => (at, last) = (found, frame.before()),
                    _ => break,
                }
            }
        }
    }
    end(&file, header, file_bytes, is_newest, report)
}

fn count(ops: &[u8], report: &mut Report, needed: &mut BTreeSet<u64>) {
    report.frames += 1;
    for op in Ops::new(ops).flatten() {
        match op {
            Logged::PutRow { .. } => report.rows += 1,
            Logged::Forget { segment } => drop(needed.remove(&segment)),
            _ => {}
        }
    }
}

/// What a segment ends with, if it was sealed or closed: the rows are read as the index says.
fn end(
    file: &Handle,
    header: Header,
    file_bytes: u64,
    is_newest: bool,
    report: &mut Report,
) -> Result<(), StorageError> {
    let trailer = Trailer::read(file, header, file_bytes)?.filter(|trailer| trailer.index < file_bytes);
    let Some(trailer) = trailer else {
        // The newest segment has no such end while its store is open.
        return if is_newest {
            Ok(())
        } else {
            Err(file.corrupt(file_bytes, "its end does not match its checksum"))
        };
    };
    if trailer.checkpoint != 0 {
        let room = file_bytes.saturating_sub(trailer.checkpoint).saturating_sub(TRAILER_BYTES as u64);
        report.note(Checkpoint::read(file, header, trailer.checkpoint, room))?;
    }
    let parts = index::read(file, header, trailer.index, file_bytes - trailer.index)?;
    for entry in index::read_rows(file, &parts)?.into_values() {
        if entry.offset.saturating_add(u64::from(entry.bytes)) > file_bytes {
            return Err(file.corrupt(entry.offset, "the file ends within a row"));
        }
        let value = file.read(entry.offset, size(u64::from(entry.bytes)))?;
        report.note(file.checked(value.into(), entry.crc, entry.offset))?;
    }
    Ok(())
}

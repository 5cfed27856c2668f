//! The journal: a file of results that only grows, on the disk before the message that they came from is deleted.
//!
//! A line is a checksum and a record: `1c291ca3 row 17 UA 4`. Whoever appends waits for the sync; appends that wait
//! share one. What a crash has torn fails its checksum, was promised to nobody, and is cut off at the next start.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufRead as _, BufReader, Seek as _, SeekFrom, Write as _},
    path::Path,
    sync::{Arc, mpsc},
    thread,
};

use anyhow::{Context as _, Result, anyhow};
use tokio::sync::oneshot;

use super::{row::Departure, tally::Tally};

/// What the journal can say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Record {
    /// What a row came to.
    Row { row: u64, departure: Departure },
    /// The row did not parse: the redrive policy of the queue sets it aside.
    Rejected { row: u64 },
    /// The broker has acknowledged every row below this one.
    Sent { below: u64 },
}

impl Record {
    fn write(&self, lines: &mut Vec<u8>) {
        let text = match self {
            Self::Row { row, departure: Departure { carrier, delay: Some(delay) } } => {
                format!("row {row} {carrier} {delay}")
            }
            Self::Row { row, departure: Departure { carrier, delay: None } } => {
                format!("row {row} {carrier} cancelled")
            }
            Self::Rejected { row } => format!("rejected {row}"),
            Self::Sent { below } => format!("sent {below}"),
        };
        let checksum = crc32fast::hash(text.as_bytes());
        lines.extend_from_slice(format!("{checksum:08x} {text}\n").as_bytes());
    }

    /// Reads a line, its end included. `None` if it is not what [`Self::write`] wrote.
    fn read(line: &[u8]) -> Option<Self> {
        let line = std::str::from_utf8(line).ok()?.strip_suffix('\n')?;
        let (checksum, text) = line.split_once(' ')?;
        if checksum != format!("{:08x}", crc32fast::hash(text.as_bytes())) {
            return None;
        }
        let words: Vec<&str> = text.split(' ').collect();
        match words[..] {
            ["row", row, carrier, delay] => {
                let delay = if delay == "cancelled" { None } else { Some(delay.parse().ok()?) };
                let departure = Departure { carrier: carrier.to_owned(), delay };
                Some(Self::Row { row: row.parse().ok()?, departure })
            }
            ["rejected", row] => Some(Self::Rejected { row: row.parse().ok()? }),
            ["sent", below] => Some(Self::Sent { below: below.parse().ok()? }),
            _ => None,
        }
    }
}

/// The way to the journal, for any number of tasks.
#[derive(Debug, Clone)]
pub(super) struct Journal(mpsc::Sender<Append>);

/// Lines to append, and whom to tell when they are on the disk.
struct Append {
    lines: Vec<u8>,
    done: oneshot::Sender<Result<(), Arc<io::Error>>>,
}

impl Journal {
    /// Opens the journal, adds what it says to `tally`, and cuts off what a crash has torn.
    pub(super) fn open(path: &Path, tally: &mut Tally) -> Result<Self> {
        let failed = |action| move || format!("{action} the journal {}", path.display());
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(path)
            .with_context(failed("opening"))?;
        let whole = replay(&file, tally).with_context(failed("reading"))?;
        file.set_len(whole).with_context(failed("shortening"))?;
        file.seek(SeekFrom::End(0)).with_context(failed("reading"))?;
        file.sync_all().with_context(failed("syncing"))?;
        let (appends, waiting) = mpsc::channel();
        // A thread of its own: it does nothing but wait for the disk. It ends when the last `Journal` is gone.
        thread::Builder::new()
            .name("journal".into())
            .spawn(move || write_all(&file, &waiting))
            .with_context(failed("starting the thread of"))?;
        Ok(Self(appends))
    }

    /// Appends the records and returns when they are on the disk.
    pub(super) async fn append(&self, records: &[Record]) -> Result<()> {
        let done = self.append_later(records);
        let outcome = done.await.map_err(|_| anyhow!("the journal stopped after an earlier failure"))?;
        outcome.map_err(|error| anyhow!(error).context("appending to the journal"))
    }

    /// Appends the records, for a caller that does not need to know when they are on the disk.
    pub(super) fn append_later(&self, records: &[Record]) -> oneshot::Receiver<Result<(), Arc<io::Error>>> {
        let mut lines = Vec::with_capacity(32 * records.len());
        for record in records {
            record.write(&mut lines);
        }
        let (done, outcome) = oneshot::channel();
        // If the thread has stopped, `done` is dropped here, which is what the receiver then hears.
        drop(self.0.send(Append { lines, done }));
        outcome
    }
}

/// Adds the records to `tally` up to the first line that is not whole. Returns where that is.
fn replay(file: &File, tally: &mut Tally) -> Result<u64> {
    let mut reader = BufReader::new(file);
    let mut line = Vec::new();
    let mut whole = 0;
    loop {
        line.clear();
        let bytes = reader.read_until(b'\n', &mut line)?;
        let Some(record) = Record::read(&line) else { return Ok(whole) };
        tally.apply(&record)?;
        whole += bytes as u64;
    }
}

/// Writes what is waiting, syncs it, and tells whoever waits: over and over.
fn write_all(mut file: &File, waiting: &mpsc::Receiver<Append>) {
    while let Ok(first) = waiting.recv() {
        let mut lines = first.lines;
        let mut done = vec![first.done];
        for more in waiting.try_iter() {
            lines.extend_from_slice(&more.lines);
            done.push(more.done);
        }
        let outcome = file.write_all(&lines).and_then(|()| file.sync_data()).map_err(Arc::new);
        for done in done {
            // Whoever does not wait any more does not need to know.
            drop(done.send(outcome.clone()));
        }
        if outcome.is_err() {
            // What a failed sync has left on the disk is unknown. The next start reads it and finds out.
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn records() -> Vec<Record> {
        let departure = |delay| Departure { carrier: "9E".into(), delay };
        vec![
            Record::Sent { below: 3 },
            Record::Row { row: 0, departure: departure(Some(-2)) },
            Record::Row { row: 1, departure: departure(None) },
            Record::Rejected { row: 2 },
        ]
    }

    #[test]
    fn a_record_comes_back_as_it_was_written() {
        for record in records() {
            let mut line = Vec::new();
            record.write(&mut line);
            assert_eq!(Record::read(&line), Some(record));
            assert_eq!(Record::read(&line[..line.len() - 1]), None);
        }
    }

    #[tokio::test]
    async fn a_journal_cut_anywhere_reads_as_its_whole_lines_and_goes_on() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("journal");
        Journal::open(&path, &mut Tally::new(3)).unwrap().append(&records()).await.unwrap();
        let whole = fs::read(&path).unwrap();
        for end in 0..=whole.len() {
            fs::write(&path, &whole[..end]).unwrap();
            let mut tally = Tally::new(3);
            let journal = Journal::open(&path, &mut tally).unwrap();
            let lines = whole[..end]
                .split_inclusive(|byte| *byte == b'\n')
                .filter(|line| line.ends_with(b"\n"))
                .count();
            assert_eq!(tally.done_count(), lines.saturating_sub(1) as u64);
            journal.append(&records()).await.unwrap();
            let mut again = Tally::new(3);
            drop(Journal::open(&path, &mut again).unwrap());
            assert!(again.is_complete() && again.sent_below == 3, "cut at {end}");
        }
    }
}

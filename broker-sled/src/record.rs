//! How many commits the disk holds at least: what tells a cut log from a short one.
//!
//! sled takes the first bad record for the end of its log, and everything after it for never written: one flipped bit
//! silently undoes acknowledged commits. So each batch also stores its number in the tree, and after each synced commit
//! that number goes to a file of its own. If the tree comes back with a smaller one, the store is damaged.
//!
//! The file is not synced, and need not be: it is written after the commit that it counts is on the disk, so what a
//! power cut leaves of it is an earlier count, never a later one.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use broker_core::storage::StorageError;

use crate::directory;

/// The key of the number in the tree: below every row and meta key.
pub(crate) const KEY: [u8; 1] = [0];

/// The count and its complement: 16 bytes at the start of a sector, which a disk writes whole.
const BYTES: usize = 16;

pub(crate) struct Record {
    file: File,
    path: PathBuf,
}

impl Record {
    /// Creates the file, for a store without commits.
    pub(crate) fn create(path: &Path) -> Result<(), StorageError> {
        let created = File::create_new(path).and_then(|mut file| file.write_all(&encode(0)));
        created.map_err(|error| directory::io("creating", path, error))
    }

    pub(crate) fn open(path: PathBuf) -> Result<Self, StorageError> {
        match OpenOptions::new().read(true).write(true).open(&path) {
            Ok(file) => Ok(Self { file, path }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(StorageError::corrupt(path.display().to_string(), "the file is missing"))
            }
            Err(error) => Err(directory::io("opening", &path, error)),
        }
    }

    pub(crate) fn write(&mut self, commits: u64) -> Result<(), StorageError> {
        let written = self.file.seek(SeekFrom::Start(0)).and_then(|_| self.file.write_all(&encode(commits)));
        written.map_err(|error| directory::io("writing", &self.path, error))
    }

    /// The number of the tree's newest commit, once it is known that none is missing.
    pub(crate) fn check(&mut self, stored: Option<&[u8]>, tree: &Path) -> Result<u64, StorageError> {
        let mut bytes = [0; BYTES];
        let read = self.file.seek(SeekFrom::Start(0)).and_then(|_| self.file.read_exact(&mut bytes));
        let damaged = |path: &Path, detail: String| StorageError::corrupt(path.display().to_string(), detail);
        read.map_err(|error| damaged(&self.path, error.to_string()))?;
        let synced = decode(&bytes).ok_or_else(|| damaged(&self.path, "it is not a count".into()))?;
        let found = match stored.map(<[u8; 8]>::try_from) {
            None => 0,
            Some(Ok(number)) => u64::from_be_bytes(number),
            Some(Err(_)) => return Err(damaged(tree, "its commit number has a wrong length".into())),
        };
        if found < synced {
            let detail = format!("it ends at commit {found}, but commit {synced} had been synced");
            return Err(damaged(tree, detail));
        }
        Ok(found)
    }
}

fn encode(commits: u64) -> [u8; BYTES] {
    ((u128::from(!commits) << 64) | u128::from(commits)).to_le_bytes()
}

fn decode(bytes: &[u8; BYTES]) -> Option<u64> {
    let (commits, complement) = bytes.split_at(BYTES / 2);
    let commits = u64::from_le_bytes(commits.try_into().ok()?);
    let complement = u64::from_le_bytes(complement.try_into().ok()?);
    (commits == !complement).then_some(commits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(home: &tempfile::TempDir) -> Record {
        let path = home.path().join("synced");
        Record::create(&path).unwrap();
        Record::open(path).unwrap()
    }

    #[test]
    fn a_tree_that_lacks_a_synced_commit_is_damaged_and_one_that_has_more_is_not() {
        let home = tempfile::TempDir::new().unwrap();
        let mut record = record(&home);
        assert_eq!(record.check(None, Path::new("db")).unwrap(), 0);
        record.write(7).unwrap();
        for (found, whole) in [(0, false), (6, false), (7, true), (8, true)] {
            let stored = u64::to_be_bytes(found);
            assert_eq!(record.check(Some(&stored), Path::new("db")).is_ok(), whole, "{found}");
        }
        let error = record.check(None, Path::new("db")).unwrap_err().to_string();
        assert!(error.contains("db is damaged") && error.contains("commit 7"), "{error}");
    }

    #[test]
    fn a_record_that_is_damaged_itself_is_reported() {
        let home = tempfile::TempDir::new().unwrap();
        let mut record = record(&home);
        for bytes in [&[0; BYTES][..], &[], &[1; 3]] {
            std::fs::write(&record.path, bytes).unwrap();
            let error = record.check(None, Path::new("db")).unwrap_err().to_string();
            assert!(error.contains("synced is damaged"), "{error}");
        }
    }
}

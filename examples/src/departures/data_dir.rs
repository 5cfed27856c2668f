//! The data directory: whose it is, which input it belongs to, and what may be removed from it.
//!
//! | name | what |
//! |---|---|
//! | `lock` | empty; locked while the program runs |
//! | `departures` | the marker: this program's directory, and the input and the kind of store that it belongs to |
//! | `broker/` | the store of the broker |
//! | `journal` | the results |
//! | `stdin.csv` | what came from standard input, kept so that it can be read twice |
//! | `*.new`, `broker.old/` | being made or removed when a crash came |

use std::{
    ffi::OsStr,
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, ErrorKind, Write as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};

use super::{input::Identity, options::Backend};

/// What the marker begins with: program and version of the layout.
const MARKER_TITLE: &str = "broker example departures, layout 3";

/// What may be there before the marker is: leftovers of a start that was killed early.
const BEFORE_MARKER: [&str; 4] = ["lock", "departures.new", "stdin.csv", "stdin.csv.new"];

/// What broker-sled makes in its directory. broker-log says itself what it makes.
const IN_SLED: [&str; 3] = ["lock", "store", "store.new"];

/// Whether a store makes something of this name in its directory.
fn is_in_store(name: &OsStr) -> bool {
    name.to_str().is_some_and(|name| IN_SLED.contains(&name) || broker_log::is_store_file(name))
}

/// A directory that is this program's, locked until this is dropped.
#[derive(Debug)]
pub(super) struct DataDir {
    path: PathBuf,
    _lock: File,
}

impl DataDir {
    /// Makes or takes the directory. One that holds anything else is refused, and left as it is.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let shown = path.display();
        fs::create_dir_all(path).with_context(|| format!("making the data directory {shown}"))?;
        if !path.join("departures").is_file() {
            for entry in fs::read_dir(path).with_context(|| format!("reading {shown}"))? {
                let name = entry.with_context(|| format!("reading {shown}"))?.file_name();
                if !BEFORE_MARKER.iter().any(|ours| name == *ours) {
                    bail!("{shown} is not a data directory of this program: it holds {}", name.display());
                }
            }
        }
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let synced = File::open(parent).and_then(|parent| parent.sync_all());
        synced.with_context(|| format!("syncing {}", parent.display()))?;
        let lock = path.join("lock");
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(lock);
        let lock = lock.with_context(|| format!("opening the lock of {shown}"))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => bail!("{shown} is in use by another run of this program"),
            Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("locking {shown}")),
        }
    }

    /// Removes what this program has made, so that it can begin anew.
    ///
    /// The journal goes first: without it everything is sent again. The store goes under another name, so that a crash
    /// leaves no half of it. The marker goes last.
    pub(super) fn start_over(&self) -> Result<()> {
        let (store, old) = (self.store(), self.path.join("broker.old"));
        for entry in store.read_dir().into_iter().flatten() {
            let name = entry.with_context(|| format!("reading {}", store.display()))?.file_name();
            if !is_in_store(&name) {
                bail!("{} holds {}, which this program did not make", store.display(), name.display());
            }
        }
        self.remove("journal", |path| fs::remove_file(path))?;
        self.remove("broker.old", |path| fs::remove_dir_all(path))?;
        self.remove("broker", |_| fs::rename(&store, &old))?;
        self.remove("broker.old", |path| fs::remove_dir_all(path))?;
        for name in ["stdin.csv", "stdin.csv.new", "departures.new", "departures"] {
            self.remove(name, |path| fs::remove_file(path))?;
        }
        Ok(())
    }

    fn remove(&self, name: &str, how: impl FnOnce(&Path) -> io::Result<()>) -> Result<()> {
        let path = self.path.join(name);
        match how(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            done => done.and_then(|()| self.sync()).with_context(|| format!("removing {}", path.display())),
        }
    }

    /// Binds the directory to an input and a store. One that is bound to another is refused.
    pub(super) fn claim(&self, input: &str, identity: &Identity, backend: Backend) -> Result<()> {
        let marker = self.path.join("departures");
        let wanted = format!("{MARKER_TITLE}\n{identity}, store {backend}\n");
        match fs::read_to_string(&marker) {
            Ok(found) if found == wanted => Ok(()),
            Ok(found) => match found.strip_prefix(MARKER_TITLE) {
                Some(other) => bail!(
                    "{} belongs to another input or store ({}), and {input} has {identity}, store {backend}: give \
                     another --data-dir, or --fresh to start over",
                    self.path.display(),
                    other.trim()
                ),
                None => bail!(
                    "{} is not a marker that this version reads: give another --data-dir, or --fresh to start over",
                    marker.display()
                ),
            },
            Err(error) if error.kind() == ErrorKind::NotFound => {
                self.create("departures", |file| file.write_all(wanted.as_bytes()))
            }
            Err(error) => Err(error).with_context(|| format!("reading {}", marker.display())),
        }
    }

    /// Keeps what comes from `reader`, and returns where.
    pub(super) fn keep_stdin(&self, reader: &mut impl io::Read) -> Result<PathBuf> {
        self.create("stdin.csv", |file| io::copy(reader, file).map(drop))?;
        Ok(self.path.join("stdin.csv"))
    }

    /// Writes a file that is there as a whole or not at all, whatever happens.
    fn create(&self, name: &str, write: impl FnOnce(&mut File) -> io::Result<()>) -> Result<()> {
        let (path, new) = (self.path.join(name), self.path.join(format!("{name}.new")));
        let create = || {
            let mut file = File::create(&new)?;
            write(&mut file)?;
            file.sync_all()?;
            fs::rename(&new, &path)?;
            self.sync()
        };
        create().with_context(|| format!("writing {}", path.display()))
    }

    /// Makes the names in the directory durable.
    pub(super) fn sync(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }

    /// Where the broker keeps its store.
    pub(super) fn store(&self) -> PathBuf {
        self.path.join("broker")
    }

    /// Where the results are.
    pub(super) fn journal(&self) -> PathBuf {
        self.path.join("journal")
    }
}

#[cfg(test)]
mod tests {
    use broker_core::storage::{Batch, Durability, Storage as _};
    use broker_log::{LogOptions, LogStorage};

    use super::*;
    use crate::departures::input::Input;

    #[test]
    fn a_directory_with_other_files_is_refused_and_left_alone() {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("thesis.txt"), "years of work").unwrap();
        let error = DataDir::open(home.path()).unwrap_err().to_string();
        assert!(error.contains("thesis.txt"), "{error}");
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1);
    }

    #[test]
    fn starting_over_removes_what_is_ours_and_nothing_else() {
        let home = tempfile::tempdir().unwrap();
        let identity = Input::shipped(Some(10)).survey().unwrap().identity;
        let other = Input::shipped(Some(11)).survey().unwrap().identity;
        let dir = DataDir::open(home.path()).unwrap();
        dir.claim("ten", &identity, Backend::Log).unwrap();
        dir.claim("ten", &identity, Backend::Log).unwrap();
        assert!(dir.claim("ten", &identity, Backend::Sled).unwrap_err().to_string().contains("store sled"));
        assert!(dir.claim("eleven", &other, Backend::Log).unwrap_err().to_string().contains("11 rows"));
        fs::create_dir(dir.store()).unwrap();
        fs::write(dir.store().join("diary"), "").unwrap();
        fs::write(dir.journal(), "").unwrap();
        fs::write(home.path().join("notes"), "").unwrap();
        assert!(dir.start_over().unwrap_err().to_string().contains("diary"));
        fs::rename(dir.store().join("diary"), dir.store().join("lock")).unwrap();
        dir.start_over().unwrap();
        let left = fs::read_dir(home.path()).unwrap().map(|entry| entry.unwrap().file_name());
        let mut left: Vec<_> = left.collect();
        left.sort();
        assert_eq!(left, ["lock", "notes"]);
    }

    /// A store that has grown has more than segments.
    #[test]
    fn starting_over_removes_whatever_the_log_has_made() {
        let home = tempfile::tempdir().unwrap();
        let dir = DataDir::open(home.path()).unwrap();
        let options = LogOptions { segment_bytes: 4_000, reserve_bytes: 800, ..LogOptions::default() };
        let store = LogStorage::open_with(dir.store(), &options).unwrap();
        for seq in 0..100 {
            let mut batch = Batch::new();
            batch.put_row(1, seq, vec![0; 200]);
            batch.trim_rows(1, seq);
            store.commit(&batch, Durability::Buffered).unwrap();
        }
        drop(store);
        assert!(["reserve", "spare"].iter().all(|name| dir.store().join(name).exists()), "it has grown");
        dir.start_over().unwrap();
        assert!(!dir.store().exists());
    }

    #[test]
    fn a_directory_is_for_one_run_at_a_time() {
        let home = tempfile::tempdir().unwrap();
        let first = DataDir::open(home.path()).unwrap();
        assert!(DataDir::open(home.path()).unwrap_err().to_string().contains("in use"));
        drop(first);
        DataDir::open(home.path()).unwrap();
    }
}

//! A simulated disk: it records every call, and says what a power cut after any of them may leave.
//!
//! A write that was not synced may be there, be lost, or be there in parts, whatever became of the writes before it. The
//! same goes for lengths and names. What it may not do is written in [`crate::files`].

mod open;

use std::{
    collections::BTreeMap,
    io::{ErrorKind, Result},
    sync::Arc,
};

use open::Open;
use parking_lot::Mutex;

use super::{history::Numbers, luck::Luck};
use crate::files::{File, Files};

/// What is on a disk: the files by name.
pub type Image = BTreeMap<String, Vec<u8>>;

/// How a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failure {
    /// The call that fails.
    pub call: usize,
    /// With which error.
    pub kind: ErrorKind,
    /// Whether the calls after it fail too.
    pub lasting: bool,
}

#[derive(Debug, Clone)]
enum Call {
    Write { inode: usize, offset: usize, bytes: Vec<u8> },
    SetLen { inode: usize, bytes: usize },
    Sync { inode: usize, all: bool },
    Create { inode: usize, name: String },
    Rename { from: String, to: String },
    Remove { name: String },
    SyncDir,
    Failed,
}

#[derive(Default)]
struct State {
    inodes: Vec<Vec<u8>>,
    names: BTreeMap<String, usize>,
    /// The files that were there at first: all of it durable.
    first: Vec<Vec<u8>>,
    first_names: BTreeMap<String, usize>,
    calls: Vec<Call>,
    failure: Option<Failure>,
    salts: u64,
    written: usize,
}

/// See the module. Clones are the same disk.
#[derive(Clone, Default)]
pub struct Disk(Arc<Mutex<State>>);

impl Disk {
    /// A disk with these files on it.
    pub fn with(image: &Image) -> Self {
        let disk = Self::default();
        let mut state = disk.0.lock();
        for (name, bytes) in image {
            let inode = state.inodes.len();
            state.inodes.push(bytes.clone());
            state.names.insert(name.clone(), inode);
        }
        (state.first, state.first_names) = (state.inodes.clone(), state.names.clone());
        drop(state);
        disk
    }

    /// This disk as a process finds it that starts after the first `calls` calls, with what is not durable still not
    /// durable.
    pub fn after_kill(&self, calls: usize) -> Self {
        let (before, disk) = (self.0.lock(), Self::default());
        let mut state = disk.0.lock();
        (state.first, state.first_names) = (before.first.clone(), before.first_names.clone());
        (state.inodes, state.names) = (before.first.clone(), before.first_names.clone());
        for call in &before.calls[..calls] {
            if let Call::Create { .. } = call {
                state.inodes.push(Vec::new());
            }
            state.call(call.clone()).expect("it does not fail");
        }
        drop(state);
        disk
    }

    /// From now on a call fails.
    pub fn fail(&self, failure: Failure) {
        self.0.lock().failure = Some(failure);
    }

    /// How many calls were made that change anything or make it durable.
    pub fn calls(&self) -> usize {
        self.0.lock().calls.len()
    }

    /// How many bytes were written, ever.
    pub fn written(&self) -> usize {
        self.0.lock().written
    }

    /// How many bytes its files take.
    pub fn bytes(&self) -> usize {
        let state = self.0.lock();
        state.names.values().map(|inode| state.inodes[*inode].len()).sum()
    }

    /// How many files were renamed and removed.
    pub fn named(&self) -> (usize, usize) {
        let state = self.0.lock();
        let count = |is: fn(&Call) -> bool| state.calls.iter().filter(|call| is(call)).count();
        (count(|call| matches!(call, Call::Rename { .. })), count(|call| matches!(call, Call::Remove { .. })))
    }

    /// What a process finds that starts now.
    pub fn now(&self) -> Image {
        let state = self.0.lock();
        state.names.iter().map(|(name, inode)| (name.clone(), state.inodes[*inode].clone())).collect()
    }

    /// What a power cut after the first `calls` calls may leave.
    pub fn after_cut(&self, calls: usize, luck: &mut Luck) -> Image {
        let state = self.0.lock();
        let calls = &state.calls[..calls];
        let mut files = state.first.clone();
        files.resize(state.inodes.len(), Vec::new());
        // From which call on a file's writes, its lengths and the names are not durable.
        let (mut synced, mut synced_all, mut synced_dir) = (BTreeMap::new(), BTreeMap::new(), 0);
        for (at, call) in calls.iter().enumerate() {
            match call {
                Call::Sync { inode, all } => {
                    synced.insert(*inode, at);
                    if *all {
                        synced_all.insert(*inode, at);
                    }
                }
                Call::SyncDir => synced_dir = at,
                _ => {}
            }
        }
        let mut names = state.first_names.clone();
        for (at, call) in calls.iter().enumerate() {
            let durable =
                |since: &BTreeMap<usize, usize>, inode| since.get(inode).is_some_and(|since| at < *since);
            match call {
                Call::Write { inode, offset, bytes } => {
                    luck.write(&mut files[*inode], *offset, bytes, durable(&synced, inode));
                }
                Call::SetLen { inode, bytes } if durable(&synced_all, inode) || luck.holds() => {
                    files[*inode].resize(*bytes, 0);
                }
                Call::Create { inode, name } if at < synced_dir || luck.holds() => {
                    names.insert(name.clone(), *inode);
                }
                Call::Rename { from, to } if at < synced_dir || luck.holds() => {
                    // The file has its new name even if the old one never got there.
                    names.remove(from);
                    names.insert(to.clone(), inode_of(calls, &state.first_names, from, at));
                }
                Call::Remove { name } if at < synced_dir || luck.holds() => drop(names.remove(name)),
                _ => {}
            }
        }
        names.into_iter().map(|(name, inode)| (name, files[inode].clone())).collect()
    }
}

/// The file that had that name when the call `before` was made.
fn inode_of(calls: &[Call], first: &BTreeMap<String, usize>, name: &str, before: usize) -> usize {
    let named = calls[..before].iter().enumerate().rev().find_map(|(at, call)| match call {
        Call::Create { inode, name: created } if created == name => Some(*inode),
        Call::Rename { from, to } if to == name => Some(inode_of(calls, first, from, at)),
        _ => None,
    });
    named.or_else(|| first.get(name).copied()).expect("a file that is renamed was created")
}

impl State {
    /// Counts a call, and fails it if it is to fail.
    fn call(&mut self, call: Call) -> Result<()> {
        let at = self.calls.len();
        let failure =
            self.failure.filter(|failure| at == failure.call || failure.lasting && at > failure.call);
        if let Some(failure) = failure {
            // A part of a failed write may be there.
            if let Call::Write { inode, offset, bytes } = call {
                let bytes = bytes[..bytes.len() / 2].to_vec();
                self.apply(&Call::Write { inode, offset, bytes: bytes.clone() });
                self.calls.push(Call::Write { inode, offset, bytes });
            } else {
                self.calls.push(Call::Failed);
            }
            return Err(failure.kind.into());
        }
        if let Call::Write { bytes, .. } = &call {
            self.written += bytes.len();
        }
        self.apply(&call);
        self.calls.push(call);
        Ok(())
    }

    fn apply(&mut self, call: &Call) {
        match call {
            Call::Write { inode, offset, bytes } => {
                Luck::Good.write(&mut self.inodes[*inode], *offset, bytes, true);
            }
            Call::SetLen { inode, bytes } => self.inodes[*inode].resize(*bytes, 0),
            Call::Create { inode, name } => drop(self.names.insert(name.clone(), *inode)),
            Call::Rename { from, to } => {
                let inode = self.names.remove(from).expect("renamed files are there");
                self.names.insert(to.clone(), inode);
            }
            Call::Remove { name } => drop(self.names.remove(name)),
            Call::Sync { .. } | Call::SyncDir | Call::Failed => {}
        }
    }
}

impl Files for Disk {
    fn list(&self) -> Result<Vec<String>> {
        Ok(self.0.lock().names.keys().cloned().collect())
    }

    fn open(&self, name: &str) -> Result<Arc<dyn File>> {
        let inode = self.0.lock().names.get(name).copied().ok_or(ErrorKind::NotFound)?;
        Ok(Arc::new(Open { disk: self.clone(), inode }))
    }

    fn create(&self, name: &str) -> Result<Arc<dyn File>> {
        let mut state = self.0.lock();
        if state.names.contains_key(name) {
            return Err(ErrorKind::AlreadyExists.into());
        }
        let inode = state.inodes.len();
        state.call(Call::Create { inode, name: name.to_owned() })?;
        state.inodes.push(Vec::new());
        Ok(Arc::new(Open { disk: self.clone(), inode }))
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        assert!(!self.0.lock().names.contains_key(to), "{to} has a file");
        self.0.lock().call(Call::Rename { from: from.to_owned(), to: to.to_owned() })
    }

    fn remove(&self, name: &str) -> Result<()> {
        self.0.lock().call(Call::Remove { name: name.to_owned() })
    }

    fn sync_dir(&self) -> Result<()> {
        self.0.lock().call(Call::SyncDir)
    }

    fn salt(&self) -> Result<u64> {
        let mut state = self.0.lock();
        state.salts += 1;
        Ok(Numbers::new(state.salts).below(u64::MAX))
    }

    fn place(&self, name: &str) -> String {
        name.to_owned()
    }
}

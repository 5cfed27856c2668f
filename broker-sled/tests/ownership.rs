//! One owner per directory, wherever the other one is, and no lock that outlives its process.

mod common;

use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, Stdio},
};

use broker_core::storage::{Batch, Durability, Storage, StorageError};
use broker_sled::SledStorage;
use common::{child, childs_home};
use tempfile::TempDir;

fn in_use(path: &Path) -> bool {
    match SledStorage::open(path) {
        Err(StorageError::InUse { path: named }) => named == path,
        Err(other) => panic!("another error: {other}"),
        Ok(_) => false,
    }
}

#[test]
fn a_second_store_in_this_process_is_refused_until_the_first_is_dropped() {
    let home = TempDir::new().unwrap();
    let first = SledStorage::open(home.path()).unwrap();
    assert!(in_use(home.path()));
    drop(first);
    assert!(!in_use(home.path()));
}

#[cfg(unix)]
#[test]
fn a_path_through_a_symbolic_link_is_the_same_directory() {
    let home = TempDir::new().unwrap();
    let (real, link) = (home.path().join("real"), home.path().join("link"));
    let first = SledStorage::open(&real).unwrap();
    std::os::unix::fs::symlink(&real, &link).unwrap();
    assert!(in_use(&link));
    drop(first);
    assert!(!in_use(&link), "the link itself is no reason to refuse");
}

/// Not a test by itself: commits a row, says so, and holds the store until it is killed.
#[test]
fn child_that_holds_the_store() {
    let Some(home) = childs_home() else { return };
    let store = SledStorage::open(home).unwrap();
    let mut batch = Batch::new();
    batch.put_row(1, 1, "buffered, not synced");
    store.commit(&batch, Durability::Buffered).unwrap();
    writeln!(std::io::stderr(), "held").unwrap();
    // Ends when the parent closes the pipe, should it die before it kills.
    std::io::stdin().read_line(&mut String::new()).unwrap();
}

/// A child that holds the store in `home`.
fn holder(home: &Path) -> Child {
    let mut holder = child("child_that_holds_the_store", home)
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("this program can run again");
    let said = BufReader::new(holder.stderr.take().expect("piped")).lines();
    let held = said.map_while(Result::ok).any(|line| line == "held");
    assert!(held, "the child did not open the store");
    holder
}

#[test]
fn a_store_open_in_another_process_is_refused() {
    let home = TempDir::new().unwrap();
    let mut holder = holder(home.path());
    assert!(in_use(home.path()));
    holder.kill().unwrap();
    holder.wait().unwrap();
}

#[test]
fn a_killed_process_leaves_no_lock_and_every_buffered_commit() {
    let home = TempDir::new().unwrap();
    let mut holder = holder(home.path());
    holder.kill().unwrap();
    holder.wait().unwrap();
    let store = SledStorage::open(home.path()).unwrap();
    assert_eq!(store.row(1, 1).unwrap().as_deref(), Some(&b"buffered, not synced"[..]));
}

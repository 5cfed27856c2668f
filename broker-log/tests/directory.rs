//! One owner per directory, nobody else's eyes on it, and nothing outside of it.

use std::{
    env, fs,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use broker_core::storage::{Batch, Durability, Storage, StorageError};
use broker_log::{LogStorage, verify};
use tempfile::TempDir;

const HOME: &str = "BROKER_LOG_TEST_HOME";

fn commit(store: &LogStorage, seq: u64) {
    let mut batch = Batch::new();
    batch.put_row(1, seq, "buffered, not synced");
    store.commit(&batch, Durability::Buffered).expect("a lawful batch");
}

fn in_use(path: &Path) -> bool {
    match LogStorage::open(path) {
        Err(StorageError::InUse { path: named }) => named == path,
        Err(other) => panic!("another error: {other}"),
        Ok(_) => false,
    }
}

fn files(home: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(home).expect("a readable directory");
    entries.map(|entry| entry.expect("an entry").path()).collect()
}

fn segment(home: &Path) -> PathBuf {
    let mut segments = files(home);
    segments.retain(|path| path.extension().is_some_and(|extension| extension == "log"));
    segments.pop().expect("a segment")
}

#[test]
fn a_second_store_in_this_process_is_refused_until_the_first_is_dropped() {
    let home = TempDir::new().unwrap();
    let first = LogStorage::open(home.path()).unwrap();
    assert!(in_use(home.path()));
    assert!(matches!(verify(home.path()), Err(StorageError::InUse { .. })));
    drop(first);
    assert!(!in_use(home.path()));
    assert!(verify(home.path()).unwrap().problems.is_empty());
}

/// Not a test by itself: commits rows, says so, and holds the store until it is killed.
#[test]
fn child_that_holds_the_store() {
    let Some(home) = env::var_os(HOME) else { return };
    let store = LogStorage::open(home).unwrap();
    (0..10).for_each(|seq| commit(&store, seq));
    writeln!(std::io::stderr(), "held").unwrap();
    // Ends when the parent closes the pipe, should it die before it kills.
    std::io::stdin().read_line(&mut String::new()).unwrap();
}

/// A child that holds the store in `home`.
fn holder(home: &Path) -> Child {
    let mut holder = Command::new(env::current_exe().expect("this program has a path"))
        .args(["--exact", "child_that_holds_the_store", "--nocapture"])
        .env(HOME, home)
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
fn a_store_open_in_another_process_is_refused_and_a_killed_one_leaves_no_lock_and_every_buffered_commit() {
    let home = TempDir::new().unwrap();
    let mut holder = holder(home.path());
    assert!(in_use(home.path()));
    holder.kill().unwrap();
    holder.wait().unwrap();
    let store = LogStorage::open(home.path()).unwrap();
    for seq in 0..10 {
        assert_eq!(store.row(1, seq).unwrap().as_deref(), Some(&b"buffered, not synced"[..]));
    }
}

#[cfg(unix)]
#[test]
fn files_and_directories_are_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt;

    let home = TempDir::new().unwrap();
    let path = home.path().join("a/b");
    let store = LogStorage::open(&path).unwrap();
    commit(&store, 1);
    drop(store);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o700);
    for file in files(&path) {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
}

#[cfg(unix)]
#[test]
fn a_symbolic_link_under_the_name_of_a_file_is_refused_and_its_target_left_alone() {
    let home = TempDir::new().unwrap();
    let (store, outside) = (home.path().join("store"), home.path().join("outside"));
    drop(LogStorage::open(&store).unwrap());
    for name in [segment(&store), store.join("lock"), store.join("00000000000000ff.new")] {
        let kept = fs::read(&name).ok();
        fs::write(&outside, kept.as_deref().unwrap_or(b"precious")).unwrap();
        let before = fs::read(&outside).unwrap();
        fs::remove_file(&name).ok();
        std::os::unix::fs::symlink(&outside, &name).unwrap();
        let refused = LogStorage::open(&store);
        assert!(matches!(refused, Err(StorageError::Corrupt { .. })), "{}", name.display());
        assert_eq!(fs::read(&outside).unwrap(), before, "{}", name.display());
        fs::remove_file(&name).unwrap();
        if let Some(kept) = kept {
            fs::write(&name, kept).unwrap();
        }
    }
    LogStorage::open(&store).unwrap();
}

#[test]
fn a_directory_with_other_files_is_not_taken_over() {
    let home = TempDir::new().unwrap();
    fs::write(home.path().join("thesis.txt"), "years of work").unwrap();
    let refused = LogStorage::open(home.path());
    assert!(matches!(refused, Err(StorageError::Io { .. })));
    assert_eq!(files(home.path()).len(), 1, "something was created");
    assert!(matches!(verify(home.path().join("thesis.txt")), Err(StorageError::Io { .. })));
    assert!(matches!(verify(home.path().join("nothing")), Err(StorageError::Io { .. })));
    assert_eq!(files(home.path()).len(), 1, "verifying created something");
}

#[test]
fn a_store_half_created_by_a_crash_is_created_again() {
    let home = TempDir::new().unwrap();
    fs::write(home.path().join("0000000000000001.new"), "half of a head").unwrap();
    let store = LogStorage::open(home.path()).unwrap();
    commit(&store, 1);
    assert_eq!(files(home.path()).len(), 2, "the lock and one segment");
}

#[test]
fn a_thread_with_a_small_stack_opens_writes_and_reads() {
    let home = TempDir::new().unwrap();
    let path = home.path().to_owned();
    let small = std::thread::Builder::new().stack_size(256 << 10).spawn(move || {
        for round in 0..3 {
            let store = LogStorage::open(&path).unwrap();
            (0..50).for_each(|seq| commit(&store, round * 50 + seq));
            let mut batch = Batch::new();
            batch.put_row(2, round, vec![7; 1 << 20]);
            store.commit(&batch, Durability::Synced).unwrap();
            assert_eq!(store.row(2, round).unwrap().unwrap().len(), 1 << 20);
        }
    });
    small.unwrap().join().unwrap();
}

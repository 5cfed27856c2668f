//! A synced commit is on the disk when it returns: what a test that only kills the process cannot see.

mod common;

use std::{
    fs,
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use broker_core::storage::{Batch, Durability, Storage};
use broker_sled::SledStorage;
use common::{childs_home, only, tell_home};
use tempfile::TempDir;

const COMMITS: u64 = 20;

/// Not a test by itself: commits, and says after each commit that it has returned.
#[test]
fn child_that_commits_and_says_so() {
    let Some(home) = childs_home() else { return };
    let store = SledStorage::open(home).unwrap();
    for number in 0..COMMITS {
        let mut batch = Batch::new();
        batch.put_row(1, number, vec![7; if number % 5 == 0 { 100_000 } else { 200 }]);
        batch.put_meta(b"tail", &number.to_be_bytes());
        batch.delete_row(1, number.saturating_sub(3));
        store.commit(&batch, Durability::Synced).unwrap();
        // In one write, so that it is one line of the trace.
        std::io::stderr().write_all(format!("commit {number} done\n").as_bytes()).unwrap();
    }
}

/// The system calls of a child that commits, one a line, with the path of each file; `None` if strace is missing or may not
/// trace.
fn traced(home: &Path) -> Option<String> {
    let trace = home.join("trace");
    let mut strace = Command::new("strace");
    strace
        .args(["-f", "-y", "-s", "40", "-o"])
        .arg(&trace)
        .args(["-e", "trace=write,pwrite64,pwritev,pwritev2,ftruncate,fsync,fdatasync,sync_file_range"])
        .arg(std::env::current_exe().expect("this program has a path"))
        .args(only("child_that_commits_and_says_so"))
        .stdout(Stdio::null());
    let ended = tell_home(&mut strace, &home.join("data")).output().ok()?;
    let said = String::from_utf8_lossy(&ended.stderr);
    // Some containers have strace and do not let it trace.
    if !ended.status.success() && said.contains("ptrace") {
        return None;
    }
    assert!(ended.status.success(), "the traced child failed: {said}");
    Some(fs::read_to_string(trace).expect("strace has written what it saw"))
}

#[test]
fn after_the_last_write_of_a_synced_commit_comes_a_sync_of_the_same_file() {
    let home = TempDir::new().unwrap();
    let Some(trace) = traced(home.path()) else {
        writeln!(std::io::stderr(), "SKIPPED: strace not found or not allowed to trace").unwrap();
        return;
    };
    let db = "/store/sled/db>";
    let (mut unsynced, mut written, mut commits) = (false, 0, 0);
    // A call that another thread interrupts is split: its start carries the arguments, and is what counts for a write.
    // A sync counts from its start too: the commit returns after its end, on the same thread.
    for line in trace.lines() {
        let call = line.split_whitespace().nth(1).unwrap_or_default();
        if line.contains(db) && (call.starts_with("pwrite") || call.starts_with("write(")) {
            (unsynced, written) = (true, written + 1);
        } else if line.contains(db) && (call.starts_with("fdatasync(") || call.starts_with("fsync(")) {
            unsynced = false;
        } else if line.contains("\"commit ") && line.contains(" done") {
            assert!(!unsynced, "{line}\ncame before a sync of the writes of its commit");
            assert!(written > commits, "{line}\ncame before anything was written");
            commits += 1;
        }
    }
    assert_eq!(commits, COMMITS, "each commit was seen");
    assert!(written >= COMMITS, "{written} writes of sled's file were seen");
}

#[test]
fn opening_syncs_every_file_and_the_directories_up_to_the_parent() {
    let home = TempDir::new().unwrap();
    let Some(trace) = traced(home.path()) else {
        writeln!(std::io::stderr(), "SKIPPED: strace not found or not allowed to trace").unwrap();
        return;
    };
    let opening: Vec<_> = trace.lines().take_while(|line| !line.contains("\"commit ")).collect();
    let root = home.path().canonicalize().unwrap();
    for name in [
        "",
        "/data",
        "/data/store",
        "/data/store/format",
        "/data/store/sled",
        "/data/store/sled/db",
        "/data/store/sled/conf",
    ] {
        let file = format!("<{}{name}>", root.display());
        let synced = opening.iter().any(|line| line.contains("sync(") && line.contains(&file));
        assert!(synced, "{file} was not synced");
    }
}

//! Power cuts, simulated: a traced program commits, and a model of a disk says what a cut at any moment may leave.
//!
//! A test that only kills a process cannot see a missing sync: the system still has what was written. Here `strace`
//! records each change of a file and each sync of a child, `disk.rs` knows what was synced when, and `cuts.rs` opens what
//! is left: nothing of what was not synced, all of it, or any part of it. Each store must open, twice, with a prefix of
//! the commits that has all that were acknowledged.
//!
//! Measured on sled 0.34.7, with 4 MiB segments and chunks of 16 KiB: see `src/lib.rs`.
//!
//! By default a sample of the moments is tried. All of them, on a disk in memory
//! (`POWER_CUT_SEED` gives other images, `POWER_CUT_IMAGES` more of each moment):
//!
//! ```text
//! TMPDIR=/dev/shm POWER_CUTS=all cargo test --release -p broker-sled --test power_cut -- --nocapture
//! ```

#[path = "../common/mod.rs"]
mod common;
mod cuts;
mod disk;
mod rng;
mod trace;
mod workload;

use std::{
    env,
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use common::{childs_home, only, tell_home};
use cuts::{Effort, Run, Tally, restore};
use disk::{Image, Left, Names};
use tempfile::TempDir;
use trace::Event;
use workload::Mix;

const LAST: &str = "BROKER_SLED_TEST_LAST";
const MIX: &str = "BROKER_SLED_TEST_MIX";

/// Not a test by itself: the traced program.
#[test]
fn child_that_commits() {
    let (Some(home), Ok(last), Ok(mix)) = (childs_home(), env::var(LAST), env::var(MIX)) else { return };
    workload::run(Mix::named(&mix), &home, last.parse().expect("a number"));
}

/// What a child does that commits up to `last` in the store below `root`; `None` if strace is missing or may not trace.
fn traced(mix: Mix, root: &Path, last: u64) -> Option<Vec<Event>> {
    let root = root.canonicalize().expect("a temporary directory");
    let elsewhere = TempDir::new().expect("a temporary directory");
    let trace = elsewhere.path().join("trace");
    let mut strace = Command::new("strace");
    strace
        .args(["-f", "-y", "-xx", "-s", "16777216", "-e", "signal=none", "-e", trace::CALLS, "-o"])
        .arg(&trace)
        .arg(env::current_exe().expect("this program has a path"))
        .args(only("child_that_commits"))
        .env(MIX, mix.name())
        .env(LAST, last.to_string())
        .stdout(Stdio::null());
    let Ok(ended) = tell_home(&mut strace, &root.join("data")).output() else {
        return skipped();
    };
    let said = String::from_utf8_lossy(&ended.stderr);
    // Some containers have strace and do not let it trace.
    if !ended.status.success() && said.contains("ptrace") {
        return skipped();
    }
    assert!(ended.status.success(), "the traced child failed: {said}");
    Some(trace::read(&trace, &root))
}

fn skipped<T>() -> Option<T> {
    say("SKIPPED: strace not found or not allowed to trace");
    None
}

/// Shown also without `--nocapture`.
fn say(line: &str) {
    writeln!(std::io::stderr(), "{line}").expect("stderr takes it");
}

/// A store is created, its process ends without closing it, and another one goes on.
fn two_processes(mix: Mix, commits: u64) -> Option<Run> {
    let root = TempDir::new().expect("a temporary directory");
    let mut events = traced(mix, root.path(), commits * 2 / 3)?;
    let first = events.len();
    for mut event in traced(mix, root.path(), commits)? {
        if let Event::Sync { began, .. } = &mut event {
            *began += first;
        }
        events.push(event);
    }
    Some(run(mix, events, commits))
}

fn run(mix: Mix, events: Vec<Event>, commits: u64) -> Run {
    Run { mix, before: Image::new(), events, acknowledged: 0, states: workload::states(mix, commits + 1) }
}

/// How much is tried, and with how many commits.
fn effort(cuts: usize) -> (Effort, u64) {
    let number = |name, default| env::var(name).map_or(default, |text| text.parse().expect("a number"));
    let (images, seed) = (number("POWER_CUT_IMAGES", 1), number("POWER_CUT_SEED", 1) as u64);
    if env::var_os("POWER_CUTS").is_some_and(|value| value == "all") {
        (Effort { cuts: usize::MAX, images, seed }, 150)
    } else {
        (Effort { cuts, images, seed }, 66)
    }
}

/// Cuts the power at the moments of a run.
fn cut_at_any_moment(mix: Mix) {
    let (effort, commits) = effort(20);
    let commits = if mix == Mix::Large { commits / 5 } else { commits };
    let Some(run) = two_processes(mix, commits) else { return };
    let (events, reused, most) = (run.events.len(), run.reused_segments(), run.most_unsynced());
    // The cuts find a missing bound in some runs only; this finds it in each. Without it, 38 MB are unsynced.
    assert!(mix != Mix::Bursts || most < 8 << 20, "{most} bytes were unsynced");
    for names in [Names::AtOnce, Names::Journaled] {
        let tally = run.cut(names, effort);
        say(&format!(
            "{mix:?}, {events} events, {reused} segments reused, at most {most} bytes unsynced, names {names:?}: {tally}"
        ));
        assert_eq!(tally.bad(), 0, "{tally}");
    }
}

#[test]
fn a_power_cut_at_any_moment_leaves_every_synced_commit_and_no_part_of_one() {
    cut_at_any_moment(Mix::Queue);
}

#[test]
fn a_power_cut_after_many_commits_that_were_not_synced_leaves_a_prefix_of_them() {
    cut_at_any_moment(Mix::Bursts);
}

#[test]
fn a_power_cut_after_batches_of_more_than_a_segment_leaves_each_whole_or_not_at_all() {
    cut_at_any_moment(Mix::Large);
}

/// What `Names::WhenSynced` does is said and not asserted: one run in about ten had a bad image there, which was not
/// caught in the act. See the next test for what sled leaves to the file system.
#[test]
fn a_power_cut_while_creating_leaves_a_store() {
    let (effort, _) = effort(40);
    let root = TempDir::new().unwrap();
    let Some(events) = traced(Mix::Queue, root.path(), 4) else { return };
    let run = run(Mix::Queue, events, 4);
    say(&format!("while creating, names in any order: {}", run.cut(Names::WhenSynced, effort)));
    let mut tally = Tally::default();
    for names in [Names::AtOnce, Names::Journaled] {
        tally.add(run.cut(names, effort));
    }
    say(&format!("while creating: {tally}"));
    assert_eq!(tally.bad(), 0, "{tally}");
}

/// Not with `Names::WhenSynced`: sled renames its snapshot, and without a sync of the directory clears the segments that
/// only the older snapshot needs. A file system that keeps the order of names is needed for that.
#[test]
fn a_power_cut_while_recovering_from_a_power_cut_loses_nothing_more() {
    let (effort, _) = effort(10);
    let (mix, commits) = (Mix::Large, 13);
    let Some(run) = two_processes(mix, commits) else { return };
    let mut tally = Tally::default();
    let rounds = if effort.cuts == usize::MAX { 8 } else { 2 };
    for round in 1..=rounds {
        let moment = run.events.len() * round / rounds - 1;
        let (before, acknowledged) = run.image_at(moment, Left::Some, effort.seed + round as u64);
        let root = TempDir::new().unwrap();
        restore(&before, root.path());
        let Some(events) = traced(mix, root.path(), 0) else { return };
        let recovery = Run { mix, before, events, acknowledged, states: workload::states(mix, commits + 1) };
        for names in [Names::AtOnce, Names::Journaled] {
            tally.add(recovery.cut(names, effort));
        }
    }
    say(&format!("while recovering: {tally}"));
    assert_eq!(tally.bad(), 0, "{tally}");
}

/// The recipe without the sync through our own handle, as if the disk had never heard of it.
#[test]
fn the_simulation_sees_a_missing_sync() {
    let Some(mut run) = two_processes(Mix::Queue, 66) else { return };
    let count = run.events.len();
    // Not removed: the numbers of the events count.
    for event in &mut run.events {
        let ours =
            matches!(event, Event::Sync { path, data_only: true, .. } if path.ends_with("/store/sled/db"));
        if ours {
            *event = Event::Sync { path: "nowhere".into(), began: 0, data_only: true };
        }
    }
    let tally = run.cut(Names::AtOnce, Effort { cuts: 12, images: 1, seed: 2 });
    say(&format!("without our sync, of {count} events: {tally}"));
    assert!(tally.bad() > 0, "a missing sync goes unnoticed: {tally}");
}

/// The same for the directories: sled and `fs::rename` sync none.
#[test]
fn the_simulation_sees_a_missing_sync_of_a_directory() {
    let Some(mut run) = two_processes(Mix::Queue, 10) else { return };
    for event in &mut run.events {
        if matches!(event, Event::Sync { path, .. } if path == "data" || path.is_empty()) {
            *event = Event::Sync { path: "nowhere".into(), began: 0, data_only: true };
        }
    }
    let tally = run.cut(Names::WhenSynced, Effort { cuts: 12, images: 1, seed: 3 });
    say(&format!("without syncs of directories: {tally}"));
    assert!(tally.bad() > 0, "a missing sync goes unnoticed: {tally}");
}

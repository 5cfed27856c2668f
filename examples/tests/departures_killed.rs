//! The main job killed with SIGKILL again and again, at moments all over its life: the totals are exact all the same.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::{
    fmt::Write as _,
    fs,
    io::{BufRead as _, BufReader, Read as _},
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use support::{example, text};

/// Enough for a run that is killed ten times, little enough for a build without optimisation.
const ROWS: usize = 20_000;

/// When each run is killed: so many progress lines after its start, and so much later. A line is a hundredth of the
/// work. A run prints the first when everything is open, so 0 lines hit the opening, the very first one included.
///
/// The waits are there to vary the moment within a step. Nothing depends on how long they really are.
const KILLS: [(usize, u64); 12] =
    [(0, 0), (0, 4), (0, 9), (1, 0), (2, 1), (9, 0), (1, 3), (0, 15), (13, 2), (5, 0), (17, 1), (3, 5)];

/// The shipped rows, every 50th of them cut short, so that rows are being set aside at any moment.
fn write_input(path: &Path) {
    let packed = fs::File::open(concat!(env!("CARGO_MANIFEST_DIR"), "/data/flights-2013-01.csv.gz")).unwrap();
    let mut plain = String::new();
    flate2::read::GzDecoder::new(packed).read_to_string(&mut plain).unwrap();
    let mut input = String::new();
    for (number, line) in plain.lines().take(ROWS + 1).enumerate() {
        let line = if number % 50 == 49 { &line[..20] } else { line };
        writeln!(input, "{line}").unwrap();
    }
    fs::write(path, input).unwrap();
}

fn departures(home: &Path) -> Command {
    let mut command = example("departures");
    command.arg("--data-dir").arg(home.join("data")).arg("--input").arg(home.join("input.csv"));
    command
}

/// Starts a run and kills it. Returns the last progress line that it printed, or `None` if it was through before.
fn run_and_kill(home: &Path, lines: usize, wait: Duration) -> Option<String> {
    let mut command = departures(home);
    command.args(["--progress", "lines"]).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut progress = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut last = String::new();
    for _ in 0..lines {
        if let Some(line) = progress.next() {
            last = line.unwrap();
        }
    }
    #[allow(
        clippy::disallowed_methods,
        reason = "the moment of the kill is to vary, and nothing waits for it"
    )]
    std::thread::sleep(wait);
    child.kill().unwrap();
    let status = child.wait().unwrap();
    // No exit code: ended by the signal.
    status.code().is_none().then_some(last)
}

#[test]
fn a_job_killed_again_and_again_counts_every_row_once() {
    let home = tempfile::tempdir().unwrap();
    write_input(&home.path().join("input.csv"));
    let mut killed = 0;
    for (lines, wait) in KILLS {
        match run_and_kill(home.path(), lines, Duration::from_millis(wait)) {
            Some(last) => killed += usize::from(!last.starts_with("departures:")),
            None => println!("the run was through before it could be killed, {wait} ms after line {lines}"),
        }
    }
    println!("killed {killed} times");
    assert!(killed >= 10, "only {killed} of {} kills hit a run at work", KILLS.len());

    let output = departures(home.path()).arg("--check").output().unwrap();
    let text = text(&output);
    println!("{text}");
    assert!(output.status.success(), "{text}");
    for part in [
        "check: equal to the straight computation",
        "rows that did not parse: 400 ",
        "queue departures: 0 visible, 0 in flight, 0 delayed",
    ] {
        assert!(text.contains(part), "{part:?} is missing in:\n{text}");
    }
}

//! The main job as a user runs it: good input and bad, wrong directories, and what it says when something is wrong.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Output, Stdio},
    time::Duration,
};

use broker_core::{AttributeValue, ReceiveOptions, SendMessage};
use support::{example, text};

const MALFORMED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data/malformed.csv");

/// Runs the job to its end. `code` is what it must exit with.
fn departures(dir: &Path, arguments: &[&str], code: i32) -> String {
    let output = example("departures").arg("--data-dir").arg(dir).args(arguments).output().unwrap();
    expect_code(&output, code)
}

fn expect_code(output: &Output, code: i32) -> String {
    let text = text(output);
    assert_eq!(output.status.code(), Some(code), "{text}");
    text
}

#[track_caller]
fn assert_has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is missing in:\n{text}");
    }
}

/// The totals that awk comes to.
const JANUARY: [&str; 4] = [
    "UA            4637         32    8.33 min",
    "OO               1          0   67.00 min",
    "total        27004        521   10.04 min",
    "check: equal to the straight computation",
];

#[test]
fn the_shipped_data_comes_to_known_totals() {
    let home = tempfile::tempdir().unwrap();
    let text = departures(&home.path().join("data"), &["--check", "--workers", "16"], 0);
    assert_has(&text, &JANUARY);
    assert_has(&text, &["sent:     27004 messages", "queue departures: 0 visible, 0 in flight, 0 delayed"]);
}

#[test]
fn rows_that_do_not_parse_become_dead_letters_across_runs() {
    let home = tempfile::tempdir().unwrap();
    let totals = [
        "9E               1          1           -",
        "AA               2          0    6.00 min",
        "UA               2          0   -1.00 min",
        "total            5          1    2.50 min",
        "rows that did not parse: 11 (kept in departures-rejected: 11)",
        "queue departures: 0 visible, 0 in flight, 0 delayed",
        "queue departures-rejected: 11 visible, 0 in flight, 0 delayed",
        "it has 7 fields, the header has 19 (moved from \"departures\" after 3 receives)",
    ];
    for done in ["done:     16 rows", "done:     0 rows"] {
        let text = departures(home.path(), &["--input", MALFORMED, "--check"], 0);
        assert_has(&text, &totals);
        assert_has(&text, &[done]);
    }
}

#[test]
fn an_input_without_rows_is_done_at_once() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("header.csv");
    fs::write(&file, "carrier,dep_time,dep_delay\n").unwrap();
    let file = file.to_str().unwrap();
    let text = departures(&home.path().join("data"), &["--input", file, "--check"], 0);
    assert_has(&text, &["total            0          0           -"]);
}

#[test]
fn standard_input_is_taken_plain_or_gzipped_and_is_the_same_input() {
    let home = tempfile::tempdir().unwrap();
    let packed = fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/data/flights-2013-01.csv.gz")).unwrap();
    let mut plain = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&packed[..]), &mut plain).unwrap();
    for (bytes, done) in [(packed, "done:     3000 rows"), (plain, "done:     0 rows")] {
        let mut child = example("departures")
            .args(["--input", "-", "--limit", "3000", "--check", "--data-dir"])
            .arg(home.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(&bytes).unwrap();
        let text = expect_code(&child.wait_with_output().unwrap(), 0);
        assert_has(&text, &[done, "check: equal to the straight computation over standard input"]);
    }
}

#[test]
fn a_directory_of_another_input_is_refused_until_told_to_start_over() {
    let home = tempfile::tempdir().unwrap();
    departures(home.path(), &["--limit", "20"], 0);
    let text = departures(home.path(), &["--input", MALFORMED], 2);
    assert_has(
        &text,
        &["belongs to another input or store (20 rows", "malformed.csv has 16 rows", "--fresh"],
    );
    let text = departures(home.path(), &["--input", MALFORMED, "--fresh", "--check"], 0);
    assert_has(&text, &["done:     16 rows", "kept in departures-rejected: 11"]);
}

#[test]
fn a_directory_with_other_files_is_refused_even_to_start_over() {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("thesis.txt"), "years of work").unwrap();
    let text = departures(home.path(), &["--fresh"], 2);
    assert_has(&text, &["not a data directory of this program", "thesis.txt"]);
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1);
}

#[test]
fn bad_arguments_and_bad_files_are_named() {
    let home = tempfile::tempdir().unwrap();
    assert_has(&departures(home.path(), &["--workers", "0"], 2), &["0 is not in 1..=256"]);
    assert_has(&departures(home.path(), &["--input", "no/such/file"], 2), &["opening no/such/file"]);
    let file = home.path().join("other.csv");
    fs::write(&file, "a,b\n1,2\n").unwrap();
    let dir = home.path().join("data");
    let text = departures(&dir, &["--input", file.to_str().unwrap()], 2);
    assert_has(&text, &["other.csv", "no column \"carrier\"", "a,b"]);
}

/// Rewrites the journal of a finished run.
fn edit_journal(dir: &Path, edit: impl Fn(&str) -> String) {
    let path = dir.join("journal");
    fs::write(&path, edit(&fs::read_to_string(&path).unwrap())).unwrap();
}

#[test]
fn the_check_notices_a_wrong_total() {
    let home = tempfile::tempdir().unwrap();
    departures(home.path(), &["--limit", "20"], 0);
    edit_journal(home.path(), |journal| {
        let rest = journal.split_inclusive('\n').filter(|line| !line.contains(" row 0 "));
        let wrong = "row 0 UA 3";
        format!("{:08x} {wrong}\n{}", crc32fast::hash(wrong.as_bytes()), rest.collect::<String>())
    });
    let text = departures(home.path(), &["--limit", "20", "--check"], 1);
    assert_has(&text, &["check: DIFFERENT"]);
}

#[test]
fn lost_rows_are_an_error_and_no_endless_wait() {
    let home = tempfile::tempdir().unwrap();
    departures(home.path(), &["--limit", "20"], 0);
    edit_journal(home.path(), |journal| {
        journal.split_inclusive('\n').filter(|line| !line.contains(" row 7 ")).collect()
    });
    let text = departures(home.path(), &["--limit", "20"], 2);
    assert_has(&text, &["rows were lost: all were sent, 19 have a result, and the queue is empty"]);
}

/// The shipped rows, without the header.
fn shipped_lines() -> Vec<String> {
    let packed = fs::File::open(concat!(env!("CARGO_MANIFEST_DIR"), "/data/flights-2013-01.csv.gz")).unwrap();
    let lines = BufReader::new(flate2::read::GzDecoder::new(packed)).split(b'\n').skip(1);
    lines.map(|line| String::from_utf8(line.unwrap()).unwrap() + "\n").collect()
}

#[tokio::test]
async fn a_good_row_among_the_dead_letters_is_moved_back() {
    let home = tempfile::tempdir().unwrap();
    departures(home.path(), &["--limit", "20"], 0);
    // Row 7 as three runs leave it that are killed with it in their hands.
    edit_journal(home.path(), |journal| {
        journal.split_inclusive('\n').filter(|line| !line.contains(" row 7 ")).collect()
    });
    let broker = broker_log::open(home.path().join("broker")).await.unwrap();
    let queue = broker.open_queue("departures").await.unwrap();
    let row = SendMessage::from(shipped_lines().swap_remove(7)).attribute("row", AttributeValue::number(7));
    queue.send(row).await.unwrap();
    let at_once = || ReceiveOptions::default().visibility_timeout(Duration::ZERO);
    for _ in 0..3 {
        assert_eq!(queue.receive(at_once()).await.unwrap().len(), 1);
    }
    assert_eq!(queue.receive(at_once()).await.unwrap(), []);
    broker.close().await.unwrap();
    drop((queue, broker));

    let text = departures(home.path(), &["--limit", "20", "--check"], 0);
    let parts =
        ["moved back, because rows were missing: 1", "kept in departures-rejected: 0", "done:     1 rows"];
    assert_has(&text, &parts);
    assert_has(&text, &["check: equal to the straight computation"]);
}

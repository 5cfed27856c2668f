//! The program as a whole: what it prints last, and how it ends.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::process::Command;

fn torture(arguments: &[&str]) -> (bool, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_torture")).args(arguments).output().unwrap();
    (output.status.success(), String::from_utf8(output.stdout).unwrap())
}

#[test]
fn a_suite_ends_with_one_line_of_figures() {
    let (ended_well, printed) = torture(&["--schedules", "200", "--seed", "3"]);
    let last = printed.trim_end().lines().last().unwrap();
    assert!(ended_well && last.starts_with("schedules: schedules=200 polls="), "{printed}");
    assert!(last.contains("seed=3") && last.contains("bad=0"), "{printed}");
}

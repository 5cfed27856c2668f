//! Runs every small example and looks for a line of its output: an example that does not work is worse than none.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use support::{example, text};

/// Runs an example to its end and expects these parts of its output.
#[track_caller]
fn assert_prints(name: &str, parts: &[&str]) {
    let output = example(name).output().unwrap();
    let text = text(&output);
    assert!(output.status.success(), "{name}: {}\n{text}", output.status);
    for part in parts {
        assert!(text.contains(part), "{name}: {part:?} is missing in:\n{text}");
    }
}

#[test]
fn work_queue() {
    let parts = [
        "sent 60 jobs: QueueCounters { visible: 60, in_flight: 0, delayed: 0 }",
        "worker 3 did",
        "done 60 jobs: QueueCounters { visible: 0, in_flight: 0, delayed: 0 }",
    ];
    assert_prints("work_queue", &parts);
}

#[test]
fn delayed_retries() {
    let parts = [
        "attempt 1: \"pay never\" failed (no such account), again in 50ms",
        "attempt 4: \"pay 3 times too early\" worked",
        "attempt 5: \"pay never\" is given up (no such account)",
    ];
    assert_prints("delayed_retries", &parts);
}

#[test]
fn long_poll() {
    assert_prints("long_poll", &["woken 20 times, from send to receive: median", "ms for 0 messages"]);
}

#[test]
fn virtual_time() {
    assert_prints("virtual_time", &["\"poison\" was set aside after 90 s of virtual time"]);
}

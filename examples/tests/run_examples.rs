//! Runs every small example and looks for a line of its output: an example that does not work is worse than none.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use support::{example, text};

/// Runs an example to its end and expects these parts of its output.
#[track_caller]
fn assert_prints(name: &str, parts: &[&str]) {
    assert_prints_given(name, &[], 0, parts);
}

/// The same with arguments, and with what it must exit with.
#[track_caller]
fn assert_prints_given(name: &str, arguments: &[&str], code: i32, parts: &[&str]) {
    let output = example(name).args(arguments).output().unwrap();
    let text = text(&output);
    assert_eq!(output.status.code(), Some(code), "{name}: {}\n{text}", output.status);
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
fn scaling_plot() {
    let home = tempfile::tempdir().unwrap();
    let drawing = home.path().join("scaling.svg");
    let parts = ["2000 at once and 16/s: up to", "up to 24 workers", " 0 leases lost"];
    assert_prints_given("scaling_plot", &[drawing.to_str().unwrap()], 0, &parts);
    assert!(std::fs::read_to_string(drawing).unwrap().starts_with("<svg "));
}

#[test]
fn orders_worker() {
    let home = tempfile::tempdir().unwrap();
    let drawing = home.path().join("orders.svg");
    let parts = [
        "16 workers instead of",
        "1 workers instead of",
        "version 2 gets 20 % of the batches",
        "version 2 is rolled back:",
        "version 3 is the version now",
        "1 receives: no such customer",
        "dead, at most 16 workers",
    ];
    assert_prints_given("orders_worker", &["--plot", drawing.to_str().unwrap()], 0, &parts);
    assert!(std::fs::read_to_string(drawing).unwrap().starts_with("<svg "));
}

#[test]
fn virtual_time() {
    assert_prints("virtual_time", &["\"poison\" was set aside after 90 s of virtual time"]);
}

#[test]
fn service_under_test() {
    let parts = ["shipped after 1 receive: two pairs of socks", "given up after 3 receives: a hat"];
    assert_prints("service_under_test", &parts);
}

/// What `fifo_orders` says when every aircraft had its flights in order.
const IN_ORDER: [&str; 2] = [
    "verified: 27004 departures of 3149 aircraft, each aircraft in the order of the file",
    "verified: none came before an earlier one of its aircraft, or after its delete",
];

#[test]
fn fifo_orders() {
    assert_prints_given("fifo_orders", &["--help"], 0, &["--dir <DIR>", "--fail <SEED>", "--standard"]);
    assert_prints("fifo_orders", &IN_ORDER);
    assert_prints_given("fifo_orders", &["--fail", "7"], 0, &IN_ORDER);
}

#[test]
fn fifo_orders_on_disk_and_again_in_the_same_directory() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().to_str().unwrap();
    assert_prints_given("fifo_orders", &["--dir", dir], 0, &IN_ORDER);
    assert_prints_given("fifo_orders", &["--dir", dir, "--fail", "8"], 0, &IN_ORDER);
}

#[test]
fn fifo_orders_notices_what_a_standard_queue_does() {
    let parts = ["Error: worker", "came, and"];
    assert_prints_given("fifo_orders", &["--standard", "--fail", "7"], 1, &parts);
}

/// What `dead_letters` says, in memory and on disk.
const REDRIVEN: [&str; 11] = [
    "departures sent: 27004",
    "given up at once: 155",
    "failed tries: 1098",
    "  366 moved from \"departures\" after 3 receives",
    "  155 moved from \"departures\" after 1 receives: the delay is \"NA\", and there is no aircraft to ask about it",
    "dead letters: 521",
    "a redrive would move: 155",
    "redriven: 155",
    "redriven: 366",
    "the mended program: Totals { departed: 26483, minutes_late: 265801, cancelled: 521 }",
    "verified: equal to the straight computation",
];

#[test]
fn dead_letters() {
    assert_prints_given("dead_letters", &["--help"], 0, &["--dir <DIR>"]);
    assert_prints("dead_letters", &REDRIVEN);
}

#[test]
fn dead_letters_on_disk_and_again_in_the_same_directory() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().to_str().unwrap();
    for _ in 0..2 {
        assert_prints_given("dead_letters", &["--dir", dir], 0, &REDRIVEN);
    }
}

/// What `fan_out` says when every consumer got what it was to get.
const FANNED_OUT: [&str; 6] = [
    "published 13502, the warehouse is offline: 13502 wait for it",
    "published 13502, the warehouse has caught up",
    "dashboard: 27004 departures of 16 carriers",
    "scoring: 1852 departures were 60 minutes late or more, 213030 minutes together",
    "warehouse: 27004 departures, each once and in order",
    "verified: equal to the straight computation",
];

#[test]
fn fan_out() {
    assert_prints_given("fan_out", &["--help"], 0, &["--dir <DIR>"]);
    assert_prints("fan_out", &FANNED_OUT);
}

#[test]
fn fan_out_on_disk_and_again_in_the_same_directory() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().to_str().unwrap();
    for _ in 0..2 {
        assert_prints_given("fan_out", &["--dir", dir], 0, &FANNED_OUT);
    }
}

/// What `clickstream` says when every group got what it was to get.
const STREAMED: [&str; 9] = [
    "was the hottest",
    "split into shardId-000000000004 and shardId-000000000005",
    "the board begins an hour back",
    "records came again, known by their numbers",
    "logbooks: 3149 aircraft, each in the order of the file",
    "of them went on in another shard",
    "carriers: 27004 departures of 16 carriers",
    "departures since its hour",
    "verified: equal to the straight computation",
];

#[test]
fn clickstream() {
    assert_prints_given("clickstream", &["--help"], 0, &["--dir <DIR>"]);
    assert_prints("clickstream", &STREAMED);
}

#[test]
fn clickstream_on_disk_and_again_in_the_same_directory() {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().to_str().unwrap();
    for _ in 0..2 {
        assert_prints_given("clickstream", &["--dir", dir], 0, &STREAMED);
    }
}

#[test]
fn stream_worker() {
    let parts = [
        "100 s: shard 0 was split into shardId-000000000002 and shardId-000000000003",
        "150 s: store was stopped after",
        "\"condition\":\"RetryAttemptsExhausted\",\"approximateInvokeCount\":3",
        "verified: 5998 readings, each once, those of each sensor in their order",
        "windows are the sum of all readings",
    ];
    assert_prints("stream_worker", &parts);
}

#[test]
fn exactly_once() {
    let parts = [
        "killed 20 times, after ",
        "verified: 27004 rows of 16 carriers, each counted once and audited once",
    ];
    assert_prints("exactly_once", &parts);
}

#[test]
fn outbox() {
    let parts = [
        "A3 is refused: only 1 socks left",
        "orders: 2, told: 2",
        "mail, delivery 2: A",
        "1 left, 2 orders, 2 mails",
    ];
    assert_prints("outbox", &parts);
}

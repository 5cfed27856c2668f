//! A process killed under load, again and again, on each durable store: nothing that it was promised is lost.
//!
//! The test runs itself as the child. The child says on standard output what it is about to do and what it was
//! promised, and the parent kills it in the middle of a line count that differs each time.

use std::{
    collections::{HashMap, HashSet},
    env,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use broker_core::{Broker, Clock, LocalQueue, ManualClock, ReceiveOptions, TokioClock};

use crate::disk::Disk;

const CHILD: &str = "BROKER_TEST_KILLED_CHILD";
const KILLS: usize = 50;

/// One write to the pipe: complete or not there, also when the process dies.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    let written = out.write_all(format!("{line}\n").as_bytes()).and_then(|()| out.flush());
    // The parent is gone or going: so is this process.
    drop(written);
}

async fn open(disk: Disk, path: &Path) -> (Broker, LocalQueue) {
    let broker = Broker::builder_on(disk.open(path)).open().await.unwrap();
    let queue = broker.queue("killed").visibility_timeout(Duration::ZERO).await.unwrap();
    (broker, queue)
}

async fn send_for_ever(queue: LocalQueue, life: String, task: usize) {
    for number in 0_u64.. {
        let body = format!("{life}.{task}.{number}");
        queue.send(body.as_str()).await.unwrap();
        say(&format!("sent {body}"));
    }
}

async fn consume_for_ever(queue: LocalQueue) {
    loop {
        let options = ReceiveOptions::up_to(3).wait_time(Duration::from_secs(1));
        let options = options.visibility_timeout(Duration::from_secs(600));
        for message in queue.receive(options).await.unwrap() {
            let body = message.text().unwrap().to_owned();
            say(&format!("received {body} {}", message.receive_count));
            if body.ends_with('7') {
                continue; // Left in flight: its count must survive.
            }
            say(&format!("deleting {body}"));
            queue.delete(message.receipt).await.unwrap();
            say(&format!("deleted {body}"));
        }
    }
}

fn child(disk: Disk, path: &Path, life: &str) {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap().block_on(
        async {
            let (_broker, queue) = open(disk, path).await;
            for task in 0..4 {
                tokio::spawn(send_for_ever(queue.clone(), life.to_owned(), task));
            }
            for _ in 0..2 {
                tokio::spawn(consume_for_ever(queue.clone()));
            }
            std::future::pending::<()>().await;
        },
    );
}

/// What the children of all lives were promised.
#[derive(Default)]
struct Promises {
    sent: HashSet<String>,
    deleting: HashSet<String>,
    deleted: HashSet<String>,
    received: Vec<(String, u32)>,
}

impl Promises {
    fn hear(&mut self, line: &str) {
        match line.split(' ').collect::<Vec<_>>()[..] {
            ["sent", body] => _ = self.sent.insert(body.to_owned()),
            ["deleting", body] => _ = self.deleting.insert(body.to_owned()),
            ["deleted", body] => _ = self.deleted.insert(body.to_owned()),
            ["received", body, count] => self.received.push((body.to_owned(), count.parse().unwrap())),
            _ => {} // The test harness of the child talks too.
        }
    }
}

#[test]
fn fifty_kills_under_load_lose_nothing_acknowledged() {
    fifty_kills(Disk::Sled, "killed::fifty_kills_under_load_lose_nothing_acknowledged");
}

#[test]
fn fifty_kills_under_load_lose_nothing_acknowledged_on_the_log() {
    fifty_kills(Disk::Log, "killed::fifty_kills_under_load_lose_nothing_acknowledged_on_the_log");
}

/// `test` is the name of the test that calls this, which the child runs too.
fn fifty_kills(disk: Disk, test: &str) {
    if let Ok(path) = env::var(CHILD) {
        let (path, life) = path.rsplit_once(':').unwrap();
        return child(disk, Path::new(path), life);
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let mut promises = Promises::default();
    for life in 0..KILLS {
        // From the first words after opening to well into the load.
        live_and_die(test, &path, life, 1 + life * 13 % 600, &mut promises);
    }
    assert!(promises.sent.len() > KILLS && promises.deleted.len() > KILLS, "the children got to work");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(check(disk, &path, &promises));
}

fn live_and_die(test: &str, path: &Path, life: usize, lines: usize, promises: &mut Promises) {
    let mut child = Command::new(env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture"])
        .env(CHILD, format!("{}:{life}", path.display()))
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    output.by_ref().take(lines).for_each(|line| promises.hear(&line));
    child.kill().unwrap();
    // What it said before it died counts.
    output.for_each(|line| promises.hear(&line));
    child.wait().unwrap();
}

/// Looks at everything that is left, an hour later, when whatever was in flight is visible again.
async fn check(disk: Disk, path: &Path, promises: &Promises) {
    let later = TokioClock::new().now().as_millis() + 3_600_000;
    let broker = Broker::builder_on(disk.open(path)).clock(ManualClock::new(later)).open().await.unwrap();
    let queue = broker.open_queue("killed").await.unwrap();
    let mut left = HashMap::new();
    loop {
        let options = ReceiveOptions::up_to(10).visibility_timeout(Duration::from_secs(600));
        let got = queue.receive(options).await.unwrap();
        if got.is_empty() {
            break;
        }
        for message in got {
            let twice = left.insert(message.text().unwrap().to_owned(), message.receive_count);
            assert!(twice.is_none(), "a message is stored once");
        }
    }
    for body in &promises.sent {
        let gone = promises.deleting.contains(body);
        assert!(gone || left.contains_key(body), "{body} was acknowledged and is lost");
    }
    for body in &promises.deleted {
        assert!(!left.contains_key(body), "{body} was deleted and came back");
    }
    for (body, count) in &promises.received {
        assert!(left.get(body).is_none_or(|found| found > count), "{body}: a hand-out was not counted");
    }
}

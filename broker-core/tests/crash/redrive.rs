//! A move task, and a crash at every commit: each message is in one queue, and the task goes on where it was.

use std::{collections::BTreeMap, sync::Arc};

use broker_core::{
    Broker, LocalQueue, MoveTask, MoveTaskInfo, MoveTaskStatus, QueueSettings, ReceiveOptions, RedrivePolicy,
    Result,
    storage::faults::{CrashPoint, CrashStorage, Survive},
};
use tokio::time::{Duration, sleep};

use crate::points::{block_on, open, reopen, run_until, sweep};

const SOURCES: [&str; 2] = ["orders", "others"];

/// What was acknowledged before the crash.
#[derive(Default)]
struct Promised {
    sent: Vec<String>,
    /// Sent without an answer.
    perhaps: Option<String>,
    started: bool,
}

/// Fails messages of two queues, and moves them back.
async fn script(store: &Arc<CrashStorage>, promised: &mut Promised) -> Result<()> {
    let broker = open(store).await?;
    broker.queue("dead").await?;
    for (n, name) in SOURCES.into_iter().enumerate() {
        let queue = broker.queue(name).dead_letter("dead", 1).await?;
        for m in 0..4 {
            let body = (10 * n + m).to_string();
            promised.perhaps = Some(body.clone());
            queue.send(body.as_str()).await?;
            promised.sent.extend(promised.perhaps.take());
        }
        fail_all(&queue).await?;
    }
    broker.start_move_task(MoveTask::from("dead").max_per_second(3)).await?;
    promised.started = true;
    // One is in flight meanwhile, or moved before anyone could see it.
    let dead = broker.open_queue("dead").await?;
    dead.receive(ReceiveOptions::up_to(1).visibility_timeout(Duration::from_secs(60))).await?;
    ended(&broker).await?;
    Ok(())
}

async fn fail_all(queue: &LocalQueue) -> Result<()> {
    let options = ReceiveOptions::up_to(3).visibility_timeout(Duration::ZERO);
    while !queue.receive(options.clone()).await?.is_empty() {}
    Ok(())
}

/// The newest task once it has ended, if there is one.
async fn ended(broker: &Broker) -> Result<Option<MoveTaskInfo>> {
    loop {
        let newest = broker.list_move_tasks("dead", 1).await?.pop();
        if newest.as_ref().is_none_or(|task| task.status != MoveTaskStatus::Running) {
            return Ok(newest);
        }
        sleep(Duration::from_millis(10)).await;
    }
}

/// Which messages are where.
async fn found(broker: &Broker) -> BTreeMap<String, Vec<String>> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for name in broker.list_queues("") {
        let queue = broker.open_queue(&name).await.unwrap();
        let counters = queue.counters().await.unwrap();
        let mut count = 0;
        loop {
            let options = ReceiveOptions::up_to(10).visibility_timeout(Duration::from_secs(3_600));
            let some = queue.receive(options).await.unwrap();
            if some.is_empty() {
                break;
            }
            count += some.len() as u64;
            for message in some {
                found.entry(message.text().unwrap().to_owned()).or_default().push(name.clone());
            }
        }
        assert_eq!((counters.visible, counters.in_flight, counters.delayed), (count, 0, 0), "in {name}");
    }
    found
}

/// Opens what survived and lets the task end. Whatever the crash, each message is in one queue.
async fn check(store: &CrashStorage, survive: Survive, promised: &Promised) {
    let broker = reopen(store, survive).await;
    if !broker.list_queues("").contains(&"dead".to_owned()) {
        assert!(promised.sent.is_empty());
        return;
    }
    let task = ended(&broker).await.unwrap();
    assert!(task.is_some() || !promised.started, "a task that was started is there");
    // What was in flight is visible again, unless its delivery is forgotten.
    sleep(Duration::from_secs(61)).await;
    // What is spent and still in its queue must not be moved by looking for it.
    for name in SOURCES.into_iter().filter(|name| broker.list_queues("").iter().any(|known| known == name)) {
        let none = QueueSettings::new().redrive_policy(RedrivePolicy::None);
        broker.open_queue(name).await.unwrap().set_attributes(none).await.unwrap();
    }
    let found = found(&broker).await;
    for (body, queues) in &found {
        assert_eq!(queues.len(), 1, "{body} is in one queue: {queues:?}");
        assert!(promised.sent.contains(body) || promised.perhaps.as_ref() == Some(body));
        let home = SOURCES[body.parse::<usize>().unwrap() / 10];
        assert!(queues[0] == home || queues[0] == "dead");
    }
    assert!(promised.sent.iter().all(|body| found.contains_key(body)), "{found:?}");
    let Some(task) = task else { return };
    assert_eq!((task.status, task.to_move), (MoveTaskStatus::Completed, 8));
    let dead = found.values().filter(|queues| queues[0] == "dead").count() as u64;
    assert_eq!(task.moved, 8 - dead);
    assert!(dead <= 1, "at most the one that was in flight is left");
}

fn sweep_all(can_block: bool) {
    let (whole, promised) = run_until(CrashPoint::Never, can_block, script);
    block_on(check(&whole, Survive::Kill, &promised));
    sweep((whole.commits(), 21), can_block, &script, &check);
}

#[test]
fn a_move_task_outlives_a_crash_at_any_commit() {
    sweep_all(false);
}

#[test]
fn a_move_task_outlives_a_crash_at_any_commit_of_a_store_that_blocks() {
    sweep_all(true);
}

//! A move task, and a crash at every commit: each message is in one queue, and the task goes on where it was.

use std::{collections::BTreeMap, sync::Arc};

use broker_core::{
    Broker, LocalQueue, MemoryBounds, MoveTask, MoveTaskInfo, MoveTaskStatus, QueueSettings, ReceiveOptions,
    RedrivePolicy, Result,
    storage::faults::{CrashPoint, CrashStorage, Survive},
};
use broker_mem::MemStorage;
use tokio::time::{Duration, sleep};

const SOURCES: [&str; 2] = ["orders", "others"];
/// Almost nothing stays in memory.
const TINY: MemoryBounds = MemoryBounds { ready: 2, delayed: 2, staged: 2, staged_bytes: 100, searched: 4 };

/// What was acknowledged before the crash.
#[derive(Default)]
struct Promised {
    sent: Vec<String>,
    /// Sent without an answer.
    perhaps: Option<String>,
    started: bool,
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_time().start_paused(true).build().unwrap().block_on(future)
}

async fn open(store: &Arc<CrashStorage>) -> Result<Broker> {
    Broker::builder_on(store.clone()).memory(TINY).seed(3).open().await
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
    let survivors = Arc::new(store.restart(survive, Arc::new(MemStorage::new())).unwrap());
    let broker = open(&survivors).await.unwrap();
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

fn run_until(point: CrashPoint, can_block: bool) -> (Arc<CrashStorage>, Promised) {
    let store = CrashStorage::new(Arc::new(MemStorage::new())).can_block(can_block).crash_at(point);
    let (store, mut promised) = (Arc::new(store), Promised::default());
    let ended = block_on(script(&store, &mut promised));
    assert!(ended.is_ok() || store.crashed(), "a script fails only by the crash: {ended:?}");
    (store, promised)
}

fn sweep(can_block: bool) {
    let (whole, promised) = run_until(CrashPoint::Never, can_block);
    block_on(check(&whole, Survive::Kill, &promised));
    let commits = whole.commits();
    assert!(commits > 20, "the script commits often enough to be worth sweeping: {commits}");
    for number in 0..commits {
        for point in [CrashPoint::Before(number), CrashPoint::After(number)] {
            let (store, promised) = run_until(point, can_block);
            let power_cut = |unsynced| Survive::PowerCut { unsynced };
            for survive in [Survive::Kill, power_cut(0), power_cut(1), power_cut(3)] {
                block_on(check(&store, survive, &promised));
            }
        }
    }
}

#[test]
fn a_move_task_outlives_a_crash_at_any_commit() {
    sweep(false);
}

#[test]
fn a_move_task_outlives_a_crash_at_any_commit_of_a_store_that_blocks() {
    sweep(true);
}

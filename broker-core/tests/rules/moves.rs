//! Move tasks: what starts one, what is known of it, and how it ends (Q85 to Q89).

use broker_core::{
    Broker, Certainty, Error, Limits, LocalQueue, MoveFilter, MoveTask, MoveTaskHandle, MoveTaskInfo,
    MoveTaskStatus, QueueSettings, RedrivePolicy,
};

use crate::support::{
    World, advance, assert_invalid, counts, ms, poll, poll_for, secs, send_all, settle_down, texts,
};

/// A queue `orders`, its dead-letter queue `dead`, and these dead letters.
pub(crate) async fn with_dead(world: &World, bodies: &[&str]) -> (Broker, LocalQueue, LocalQueue) {
    let broker = world.broker().await;
    let dead = broker.queue("dead").await.unwrap();
    let orders = broker.queue("orders").dead_letter("dead", 1).await.unwrap();
    send_all(&orders, bodies).await;
    fail_all(&orders).await;
    assert_eq!(counts(&dead).await, [bodies.len() as u64, 0, 0]);
    (broker, orders, dead)
}

/// Receives everything until it is in the dead-letter queue.
pub(crate) async fn fail_all(queue: &LocalQueue) {
    while !poll_for(queue, 10, secs(0)).await.is_empty() {}
    assert_eq!(counts(queue).await, [0, 0, 0]);
}

/// The newest task of this queue.
pub(crate) async fn newest(broker: &Broker, source: &str) -> MoveTaskInfo {
    broker.list_move_tasks(source, 1).await.unwrap().pop().expect("a task was started")
}

/// The newest task of this queue, once it has ended.
pub(crate) async fn ended(broker: &Broker, source: &str) -> MoveTaskInfo {
    for _ in 0..200_000 {
        let task = newest(broker, source).await;
        if task.status != MoveTaskStatus::Running {
            assert_eq!(task.handle, None);
            return task;
        }
        settle_down().await;
    }
    panic!("the task does not end");
}

/// Runs a task of this queue to its good end, which is as it was planned. Returns how many messages it moved.
pub(crate) async fn moved(broker: &Broker, source: &str, task: MoveTask) -> u64 {
    let plan = broker.plan_move(&task).await.unwrap();
    broker.start_move_task(task).await.unwrap();
    let task = ended(broker, source).await;
    assert_eq!((task.status, task.moved), (MoveTaskStatus::Completed, plan.matching));
    task.moved
}

/// Why the newest task of this queue has failed.
async fn failure(broker: &Broker, source: &str) -> String {
    ended(broker, source).await.failure().expect("it has failed").to_owned()
}

/// Q85.
async fn the_sources_of_a_dead_letter_queue_are_listed(world: World) {
    let broker = world.broker().await;
    broker.queue("dead").await.unwrap();
    assert!(broker.dead_letter_source_queues("dead").await.unwrap().is_empty());
    for name in ["b", "a", "c", "unrelated"] {
        broker.queue(name).await.unwrap();
    }
    for name in ["b", "a", "c"] {
        let policy = QueueSettings::new().redrive_policy(RedrivePolicy::to("dead", 3));
        broker.open_queue(name).await.unwrap().set_attributes(policy).await.unwrap();
    }
    assert_eq!(broker.dead_letter_source_queues("dead").await.unwrap(), ["a", "b", "c"]);
    let none = QueueSettings::new().redrive_policy(RedrivePolicy::None);
    broker.open_queue("b").await.unwrap().set_attributes(none).await.unwrap();
    broker.delete_queue("c").await.unwrap();
    broker.close().await.unwrap();
    drop(broker);
    let broker = world.broker().await;
    assert_eq!(broker.dead_letter_source_queues("dead").await.unwrap(), ["a"]);
    let error = broker.dead_letter_source_queues("missing").await.unwrap_err();
    assert!(matches!(error, Error::QueueDoesNotExist { name } if name == "missing"));
}

/// Q86: refused at once, and by a dry run too.
async fn what_cannot_be_moved_is_refused(world: World) {
    let (broker, _orders, dead) = with_dead(&world, &["a"]).await;
    broker.queue("other.fifo").fifo().await.unwrap();
    let refused = async |task: MoveTask| {
        let error = broker.start_move_task(task.clone()).await.unwrap_err();
        assert_eq!(error.certainty(), Certainty::Rejected);
        assert_eq!(broker.plan_move(&task).await.unwrap_err().to_string(), error.to_string());
        error
    };
    let missing = |error: Error, queue: &str| {
        assert!(matches!(error, Error::QueueDoesNotExist { name } if name == queue));
    };
    missing(refused(MoveTask::from("missing")).await, "missing");
    missing(refused(MoveTask::from("dead").to("nowhere")).await, "nowhere");
    let error = refused(MoveTask::from("orders")).await;
    assert!(matches!(error, Error::NotADeadLetterQueue { name } if name == "orders"));
    assert_invalid(&refused(MoveTask::from("dead").to("dead")).await, "destination", "dead", "another queue");
    let error = refused(MoveTask::from("dead").to("other.fifo")).await;
    assert_invalid(&error, "destination", "other.fifo", "FIFO");
    for rate in [0, 501, u32::MAX] {
        let error = refused(MoveTask::from("dead").max_per_second(rate)).await;
        assert_invalid(&error, "max_per_second", &rate.to_string(), "1 and 500");
    }
    let filter = MoveFilter::new().body_contains("x".repeat(20_000));
    let error = refused(MoveTask::from("dead").filter(filter)).await;
    assert!(matches!(error, Error::InvalidParameter { field: "filter", .. }));
    assert!(broker.list_move_tasks("dead", 10).await.unwrap().is_empty());
    assert_eq!(counts(&dead).await, [1, 0, 0]);
    assert_eq!(moved(&broker, "dead", MoveTask::from("dead").max_per_second(500)).await, 1);
}

/// Q87.
async fn one_task_runs_for_a_source_queue(world: World) {
    let world = world.limits(Limits { move_tasks_max: 2, ..Limits::aws() });
    let (broker, orders, _dead) = with_dead(&world, &["a", "b", "c"]).await;
    for name in ["2", "3"] {
        broker.queue(format!("dead-{name}")).await.unwrap();
        let queue = broker.queue(name).dead_letter(format!("dead-{name}"), 1).await.unwrap();
        send_all(&queue, &["a", "b"]).await;
        fail_all(&queue).await;
    }
    let slow = |source: &str| MoveTask::from(source).max_per_second(1);
    let first = broker.start_move_task(slow("dead")).await.unwrap();
    let error = broker.start_move_task(slow("dead")).await.unwrap_err();
    assert!(matches!(error, Error::MoveTaskRunning { name } if name == "dead"));
    broker.start_move_task(slow("dead-2")).await.unwrap();
    let error = broker.start_move_task(slow("dead-3")).await.unwrap_err();
    assert!(matches!(error, Error::TooManyMoveTasks { max: 2 }));
    // Running tasks are counted after a restart too.
    broker.close().await.unwrap();
    drop((broker, orders));
    let broker = world.broker().await;
    assert!(matches!(broker.start_move_task(slow("dead")).await, Err(Error::MoveTaskRunning { .. })));
    assert!(matches!(broker.start_move_task(slow("dead-3")).await, Err(Error::TooManyMoveTasks { .. })));
    broker.cancel_move_task(&first).await.unwrap();
    broker.start_move_task(slow("dead-3")).await.unwrap();
    ended(&broker, "dead-3").await;
    ended(&broker, "dead-2").await;
    broker.start_move_task(slow("dead")).await.unwrap();
}

/// Q87.
async fn a_task_fails_after_36_hours(world: World) {
    let (broker, orders, dead) = with_dead(&world, &["a", "b", "c"]).await;
    broker.start_move_task(MoveTask::from("dead").max_per_second(1)).await.unwrap();
    settle_down().await;
    broker.close().await.unwrap();
    drop((broker, orders, dead));
    // Nobody works on it meanwhile, but it was started so long ago.
    advance(secs(36 * 3_600)).await;
    let broker = world.broker().await;
    assert_eq!(failure(&broker, "dead").await, "the task ran for 36 hours");
    assert_eq!(newest(&broker, "dead").await.moved, 1);
    assert_eq!(counts(&broker.queue("dead").await.unwrap()).await, [2, 0, 0]);
    assert_eq!(moved(&broker, "dead", MoveTask::from("dead")).await, 2);
}

/// Q88.
async fn the_newest_ten_tasks_are_listed_newest_first(world: World) {
    let (broker, orders, _dead) = with_dead(&world, &[]).await;
    assert!(broker.list_move_tasks("dead", 1).await.unwrap().is_empty());
    for n in 0..12_u32 {
        send_all(&orders, &vec!["a"; n as usize]).await;
        fail_all(&orders).await;
        let filter = MoveFilter::new().body_contains("a");
        let task = MoveTask::from("dead").to("orders").max_per_second(n + 1).filter(filter);
        assert_eq!(moved(&broker, "dead", task).await, u64::from(n));
        orders.purge().await.unwrap();
        advance(secs(1)).await;
    }
    send_all(&orders, &["a", "b"]).await;
    fail_all(&orders).await;
    let handle = broker.start_move_task(MoveTask::from("dead").max_per_second(1)).await.unwrap();
    settle_down().await;
    let (broker, _orders) = world.reopened(broker).await;
    let tasks = broker.list_move_tasks("dead", 10).await.unwrap();
    assert_eq!(tasks.len(), 10);
    assert_eq!(broker.list_move_tasks("dead", 3).await.unwrap(), tasks[..3]);
    let running = &tasks[0];
    assert_eq!((running.handle, &running.status), (Some(handle), &MoveTaskStatus::Running));
    assert_eq!((running.source.as_str(), &running.destination), ("dead", &None));
    assert_eq!((running.to_move, running.moved, running.max_per_second), (2, 1, Some(1)));
    for (task, n) in tasks[1..].iter().zip((3..12_u32).rev()) {
        assert_eq!((task.handle, &task.status), (None, &MoveTaskStatus::Completed));
        assert_eq!((task.destination.as_deref(), task.max_per_second), (Some("orders"), Some(n + 1)));
        assert_eq!((task.to_move, task.moved), (u64::from(n), u64::from(n)));
        assert_eq!(task.filter, MoveFilter::new().body_contains("a"));
        assert!(task.started_at < running.started_at && task.failure().is_none());
    }
    for max in [0, 11] {
        let error = broker.list_move_tasks("dead", max).await.unwrap_err();
        assert_invalid(&error, "max", &max.to_string(), "1 and 10");
    }
    let error = broker.list_move_tasks("missing", 1).await.unwrap_err();
    assert!(matches!(error, Error::QueueDoesNotExist { name } if name == "missing"));
}

/// Q88.
async fn a_task_fails_when_its_destination_is_gone(world: World) {
    let (broker, _orders, dead) = with_dead(&world, &["a", "b", "c"]).await;
    broker.queue("other").await.unwrap();
    broker.start_move_task(MoveTask::from("dead").to("other").max_per_second(1)).await.unwrap();
    settle_down().await;
    broker.delete_queue("other").await.unwrap();
    assert_eq!(failure(&broker, "dead").await, "AWS.SimpleQueueService.NonExistentQueue");
    assert_eq!(newest(&broker, "dead").await.moved, 1);
    assert_eq!(texts(&poll(&dead, 10).await), ["b", "c"]);
}

/// Q88: what is before the message without a queue is moved, and nothing behind it.
async fn a_task_fails_at_a_message_that_has_nowhere_to_go(world: World) {
    let (broker, orders, dead) = with_dead(&world, &["a"]).await;
    let gone = broker.queue("gone").dead_letter("dead", 1).await.unwrap();
    send_all(&gone, &["b"]).await;
    fail_all(&gone).await;
    send_all(&orders, &["c"]).await;
    fail_all(&orders).await;
    dead.send("direct").await.unwrap();
    broker.delete_queue("gone").await.unwrap();
    let plan = broker.plan_move(&MoveTask::from("dead")).await.unwrap();
    assert_eq!((plan.matching, plan.stranded, plan.by_destination["orders"]), (4, 2, 2));
    broker.start_move_task(MoveTask::from("dead")).await.unwrap();
    assert_eq!(failure(&broker, "dead").await, "AWS.SimpleQueueService.NonExistentQueue");
    assert_eq!(texts(&poll_for(&orders, 10, secs(9)).await), ["a"]);
    // While somebody works on it, it is no obstacle.
    let [b] = poll(&dead, 1).await.try_into().unwrap();
    broker.start_move_task(MoveTask::from("dead")).await.unwrap();
    assert_eq!(failure(&broker, "dead").await, "CouldNotDetermineMessageSource");
    assert_eq!(texts(&poll(&orders, 10).await), ["c"]);
    assert_eq!((b.text(), counts(&dead).await), (Ok("b"), [1, 1, 0]));
    assert_eq!(moved(&broker, "dead", MoveTask::from("dead").to("orders")).await, 1);
    assert_eq!(texts(&poll(&orders, 10).await), ["direct"]);
}

/// Q89.
async fn a_cancelled_task_keeps_what_it_has_moved(world: World) {
    let (broker, orders, dead) = with_dead(&world, &["a", "b", "c", "d", "e"]).await;
    let task = MoveTask::from("dead").max_per_second(2);
    let handle = broker.start_move_task(task.clone()).await.unwrap();
    settle_down().await;
    advance(ms(1_500)).await;
    settle_down().await;
    let handle: MoveTaskHandle = handle.to_string().parse().unwrap();
    assert_eq!(broker.cancel_move_task(&handle).await.unwrap(), 4);
    let task_was = newest(&broker, "dead").await;
    assert_eq!((task_was.status, task_was.handle, task_was.moved), (MoveTaskStatus::Cancelled, None, 4));
    let missing = |error: Error| assert!(matches!(error, Error::MoveTaskDoesNotExist { .. }));
    missing(broker.cancel_move_task(&handle).await.unwrap_err());
    advance(secs(10)).await;
    assert_eq!((counts(&orders).await, counts(&dead).await), ([4, 0, 0], [1, 0, 0]));
    // The handle of a cancelled task is not that of the next one.
    let next = broker.start_move_task(task).await.unwrap();
    missing(broker.cancel_move_task(&handle).await.unwrap_err());
    assert!(broker.cancel_move_task(&next).await.unwrap() <= 1);
    broker.delete_queue("dead").await.unwrap();
    missing(broker.cancel_move_task(&next).await.unwrap_err());
    let mut forged = next.to_string();
    forged.replace_range(39..40, if forged.ends_with('0') { "1" } else { "0" });
    let error = broker.cancel_move_task(&forged.parse().unwrap()).await.unwrap_err();
    assert_invalid(&error, "handle", &forged, "given out");
    for text in ["", "0", "+".repeat(40).as_str(), &next.to_string()[1..]] {
        assert!(text.parse::<MoveTaskHandle>().is_err());
    }
}

everywhere! {
    the_sources_of_a_dead_letter_queue_are_listed,
    what_cannot_be_moved_is_refused,
    one_task_runs_for_a_source_queue,
    a_task_fails_after_36_hours,
    the_newest_ten_tasks_are_listed_newest_first,
    a_task_fails_when_its_destination_is_gone,
    a_task_fails_at_a_message_that_has_nowhere_to_go,
    a_cancelled_task_keeps_what_it_has_moved,
}

//! Move tasks: what starts one, what it moves, and what became of it (Q85 to Q90, F54).

use broker_core::{Broker, LocalQueue, MoveTask, MoveTaskInfo, MoveTaskStatus};

use crate::support::{World, advance, counts, poll, poll_for, secs, send_all, settle_down, take, texts};

/// A queue, its dead-letter queue, and so many dead letters of it.
async fn with_dead(world: &World, dead: &[&str]) -> (Broker, LocalQueue, LocalQueue) {
    let broker = world.broker().await;
    let letters = broker.queue("dead").await.unwrap();
    let orders = broker.queue("orders").dead_letter("dead", 1).await.unwrap();
    send_all(&orders, dead).await;
    poll_for(&orders, 10, secs(0)).await;
    assert!(poll(&orders, 10).await.is_empty());
    assert_eq!(counts(&letters).await, [dead.len() as u64, 0, 0]);
    (broker, orders, letters)
}

/// The newest task of this queue, once it has ended.
async fn ended(broker: &Broker, source: &str) -> MoveTaskInfo {
    for _ in 0..10_000 {
        let task = broker.list_move_tasks(source, 1).await.unwrap().pop().unwrap();
        if task.status != MoveTaskStatus::Running {
            return task;
        }
        settle_down().await;
    }
    panic!("the task does not end");
}

/// Q86, Q90.
async fn without_a_destination_messages_go_back_to_where_they_came_from(world: World) {
    let (broker, orders, letters) = with_dead(&world, &["a", "b", "c"]).await;
    let task = MoveTask::from("dead");
    broker.start_move_task(task).await.unwrap();
    let task = ended(&broker, "dead").await;
    assert_eq!((task.status, task.to_move, task.moved), (MoveTaskStatus::Completed, 3, 3));
    assert_eq!(counts(&letters).await, [0, 0, 0]);
    assert_eq!(texts(&poll(&orders, 10).await), ["a", "b", "c"]);
}

everywhere! {
    without_a_destination_messages_go_back_to_where_they_came_from,
}

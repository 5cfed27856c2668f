//! FIFO queues: order, one batch of a group at a time, failures that hold their group up.

use std::{collections::HashMap, sync::Arc};

use broker_core::{LocalQueue, QueueExt, SendMessage};
use broker_worker::{
    Outcome,
    handler::{batch, each},
    queue::{Batch, Pollers, QueueMapping, Received},
};
use parking_lot::Mutex;

use crate::ground::{Log, broker, counters, ms, run_for, secs, send_fifo, sleep};

async fn fifo() -> LocalQueue {
    broker().await.queue("orders.fifo").fifo().await.unwrap()
}

// L55: batch size 1, one group, five messages: never two at once.
#[tokio::test(start_paused = true)]
async fn a_group_is_handled_by_one_invocation_at_a_time() {
    let (queue, log) = (fifo().await, Log::new());
    send_fifo(&queue, &[("g", "1"), ("g", "2"), ("g", "3"), ("g", "4"), ("g", "5")]).await;
    let seen = log.clone();
    let handler = each(move |body: String, _: Received| {
        let seen = seen.clone();
        async move {
            seen.note(format!("{body} begins"));
            sleep(secs(1)).await;
            seen.note(format!("{body} ends"));
        }
    });
    let mapping = QueueMapping::new(queue.clone(), handler).batch_size(1);
    let report = run_for(mapping.start().await.unwrap(), secs(10)).await;
    let expected: Vec<_> = (1..=5).flat_map(|n| [format!("{n} begins"), format!("{n} ends")]).collect();
    assert_eq!(log.words(), expected);
    assert_eq!(log.times(), [0, 1_000, 1_000, 2_000, 2_000, 3_000, 3_000, 4_000, 4_000, 5_000]);
    assert_eq!(report.counts.acked, 5);
}

/// What invocations saw of the groups.
#[derive(Default)]
struct Seen {
    running: HashMap<String, usize>,
    next: HashMap<String, usize>,
    most: usize,
}

/// Sends `each` messages to each of `groups` groups, and handles them with delays that differ. Returns the most
/// invocations at once.
async fn concurrency(groups: usize, per_group: usize, pollers: Pollers) -> usize {
    let queue = fifo().await;
    for number in 0..per_group {
        for group in 0..groups {
            let message = SendMessage::from(number.to_string()).group_id(format!("g{group}"));
            queue.send_one(message.deduplication_id(format!("{group}-{number}"))).await.unwrap();
        }
    }
    let seen = Arc::new(Mutex::new(Seen::default()));
    let shared = seen.clone();
    let handler = batch(move |messages: Batch, _| {
        let seen = shared.clone();
        async move {
            let groups: Vec<String> =
                messages.messages().iter().map(|message| message.group_id.clone().unwrap()).collect();
            {
                let mut seen = seen.lock();
                for message in messages.messages() {
                    let group = message.group_id.clone().unwrap();
                    let number: usize = message.text().unwrap().parse().unwrap();
                    // L55: the order of the group holds, within a batch and from one to the next.
                    let next = seen.next.entry(group.clone()).or_default();
                    assert_eq!(*next, number, "{group}");
                    *next += 1;
                }
                for group in groups.iter().collect::<std::collections::HashSet<_>>() {
                    let running = seen.running.entry(group.clone()).or_default();
                    *running += 1;
                    assert_eq!(*running, 1, "two batches of {group} at once");
                }
                let at_once = seen.running.values().filter(|running| **running > 0).count();
                seen.most = seen.most.max(at_once);
            }
            sleep(ms(50 + 37 * groups.len() as u64)).await;
            for group in &groups {
                *seen.lock().running.get_mut(group).unwrap() = 0;
            }
        }
    });
    let mapping = QueueMapping::new(queue.clone(), handler).batch_size(1).pollers(pollers);
    let report = run_for(mapping.start().await.unwrap(), secs(600)).await;
    assert_eq!(usize::try_from(report.counts.acked).unwrap(), groups * per_group);
    seen.lock().most
}

// L55: concurrency is the lesser of active groups and the maximum.
#[tokio::test(start_paused = true)]
async fn concurrency_is_the_lesser_of_groups_and_maximum() {
    assert_eq!(concurrency(3, 10, Pollers::Automatic).await, 3);
    assert_eq!(concurrency(12, 10, Pollers::Automatic).await, 12);
    assert_eq!(concurrency(12, 5, Pollers::Maximum(4)).await, 4);
}

// L56: after an error the group waits for the retry; other groups do not.
#[tokio::test(start_paused = true)]
async fn a_failed_message_is_retried_before_others_of_its_group() {
    let (queue, log) = (fifo().await, Log::new());
    send_fifo(&queue, &[("a", "a1"), ("b", "b1"), ("a", "a2"), ("b", "b2")]).await;
    let seen = log.clone();
    let handler = each(move |body: String, message: Received| {
        seen.note(format!("{body} {}", message.receive_count));
        async move { if body == "a1" && message.receive_count < 3 { Err("no") } else { Ok(()) } }
    });
    let mapping = QueueMapping::new(queue.clone(), handler).batch_size(1);
    run_for(mapping.start().await.unwrap(), secs(100)).await;
    let lines = log.lines();
    let of =
        |group: &str| lines.iter().filter(|(_, what)| what.starts_with(group)).cloned().collect::<Vec<_>>();
    let expected = [(0, "a1 1"), (30_000, "a1 2"), (60_000, "a1 3"), (60_000, "a2 1")];
    assert_eq!(of("a"), expected.map(|(when, what)| (when, what.to_owned())));
    assert_eq!(of("b"), [(0, "b1 1".to_owned()), (0, "b2 1".to_owned())]);
}

// L51: a handler of single messages stops its group at the first failure, and names what it did not try.
#[tokio::test(start_paused = true)]
async fn within_a_batch_a_failure_stops_its_group_and_no_other() {
    let (queue, log) = (fifo().await, Log::new());
    send_fifo(&queue, &[("a", "a1"), ("a", "a2"), ("b", "b1"), ("a", "a3"), ("b", "b2")]).await;
    let seen = log.clone();
    let handler = each(move |body: String, message: Received| {
        seen.note(body.clone());
        async move {
            if body == "a2" && message.receive_count == 1 { Outcome::retry(secs(5)) } else { Outcome::Ack }
        }
    });
    let mapping = QueueMapping::new(queue.clone(), handler).pollers(Pollers::Fixed(1));
    let report = run_for(mapping.start().await.unwrap(), secs(40)).await;
    let lines = log.lines();
    let of =
        |group: &str| lines.iter().filter(|(_, what)| what.starts_with(group)).cloned().collect::<Vec<_>>();
    // a3 was not tried at first, so it comes when its visibility timeout ends.
    let expected = [(0, "a1"), (0, "a2"), (5_000, "a2"), (30_000, "a3")];
    assert_eq!(of("a"), expected.map(|(when, what)| (when, what.to_owned())));
    assert_eq!(of("b"), [(0, "b1".to_owned()), (0, "b2".to_owned())]);
    assert_eq!((report.counts.acked, report.counts.retried, report.counts.failed), (5, 1, 1));
    assert_eq!(counters(&queue).await, (0, 0, 0));
}

// L51: order is the handler's duty. What it does not name is deleted, also behind what failed.
#[tokio::test(start_paused = true)]
async fn what_a_batch_handler_does_not_name_is_deleted() {
    let queue = fifo().await;
    send_fifo(&queue, &[("a", "a1"), ("a", "a2"), ("a", "a3")]).await;
    let handler = batch(|messages: Batch, _| async move {
        broker_worker::queue::Response::Failures(vec![messages.messages()[0].id.to_string()])
    });
    let mapping = QueueMapping::new(queue.clone(), handler).pollers(Pollers::Fixed(1));
    let report = run_for(mapping.start().await.unwrap(), secs(1)).await;
    assert_eq!((report.counts.acked, report.counts.failed), (2, 1));
    assert_eq!(counters(&queue).await, (0, 1, 0));
}

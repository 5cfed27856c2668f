//! What goes into a batch: its size, one receive without a window, and 6 MB.

use std::sync::Arc;

use broker_core::{Broker, Limits, Message};
use broker_mem::MemStorage;
use broker_worker::{
    event::{Source, sqs::SqsEvent},
    handler::batch,
    queue::{BATCH_BYTES_MAX, Batch, Pollers, QueueMapping},
};
use parking_lot::Mutex;

use crate::ground::{Log, counters, ms, queue, run_for, secs, send};

fn sizes(log: &Log) -> impl broker_worker::Handler<Batch> {
    let log = log.clone();
    batch(move |messages: Batch, _| {
        log.note(messages.len().to_string());
        async {}
    })
}

// L31: without a window a batch is what one receive returned.
#[tokio::test(start_paused = true)]
async fn without_a_window_a_batch_is_what_one_receive_returned() {
    let (queue, log) = (queue().await, Log::new());
    send(&queue, (0..25).map(|n| n.to_string())).await;
    let mapping = QueueMapping::new(queue.clone(), sizes(&log)).pollers(Pollers::Fixed(1));
    let report = run_for(mapping.start().await.unwrap(), secs(1)).await;
    assert_eq!(log.words(), ["10", "10", "5"]);
    assert_eq!((report.counts.acked, counters(&queue).await), (25, (0, 0, 0)));
}

// L31: the next message does not wait for others.
#[tokio::test(start_paused = true)]
async fn without_a_window_a_lone_message_goes_at_once() {
    let (queue, log) = (queue().await, Log::new());
    let running = QueueMapping::new(queue.clone(), sizes(&log)).start().await.unwrap();
    crate::ground::sleep(ms(3_500)).await;
    send(&queue, ["one"]).await;
    run_for(running, secs(1)).await;
    assert_eq!(log.lines(), [(3_500, "1".to_owned())]);
}

#[tokio::test(start_paused = true)]
async fn a_batch_has_no_more_messages_than_its_size() {
    let (queue, log) = (queue().await, Log::new());
    send(&queue, (0..7).map(|n| n.to_string())).await;
    let mapping = QueueMapping::new(queue, sizes(&log)).batch_size(3).pollers(Pollers::Fixed(1));
    run_for(mapping.start().await.unwrap(), secs(1)).await;
    assert_eq!(log.words(), ["3", "3", "1"]);
}

/// A mapping whose handler keeps the JSON of the events that it got.
async fn events_of(bodies: Vec<String>) -> Vec<String> {
    let limits = Limits { message_bytes_max: 8 * 1024 * 1024, batch_bytes_max: usize::MAX, ..Limits::aws() };
    let broker = Broker::builder(MemStorage::new()).limits(limits).open().await.unwrap();
    let queue = broker.queue("orders").await.unwrap();
    send(&queue, bodies).await;
    let events = Arc::new(Mutex::new(Vec::new()));
    let seen = events.clone();
    let handler = batch(move |messages: Batch, _| {
        seen.lock().push(serde_json::to_string(&SqsEvent::new(&messages, &Source::default())).unwrap());
        async {}
    });
    let mapping = QueueMapping::new(queue.clone(), handler).pollers(Pollers::Fixed(1));
    let report = run_for(mapping.start().await.unwrap(), secs(1)).await;
    assert_eq!(report.counts.acked, report.counts.received);
    assert_eq!(counters(&queue).await, (0, 0, 0));
    let events = events.lock();
    events.clone()
}

fn records(event: &str) -> usize {
    event.matches("\"messageId\"").count()
}

// L31: the cut is where the event as JSON would have more than 6 MB, to the byte.
#[tokio::test(start_paused = true)]
async fn a_batch_is_cut_where_its_event_would_have_more_than_6_mb() {
    let half = "x".repeat(BATCH_BYTES_MAX / 2 - 2_000);
    let events = events_of(vec![half.clone(), half.clone(), half.clone()]).await;
    assert_eq!(events.iter().map(|event| records(event)).collect::<Vec<_>>(), [2, 1]);
    let room = BATCH_BYTES_MAX - events[0].len();

    // As large as it can be, and then by one byte too large.
    for (more, expected) in [(room, vec![2]), (room + 1, vec![1, 1])] {
        let events = events_of(vec![half.clone(), format!("{half}{}", "x".repeat(more))]).await;
        assert_eq!(events.iter().map(|event| records(event)).collect::<Vec<_>>(), expected);
        assert!(events.iter().all(|event| event.len() <= BATCH_BYTES_MAX));
    }
    // What JSON has to escape counts as it is written: a quote takes two bytes.
    let quotes = "\"".repeat(BATCH_BYTES_MAX / 4);
    let events = events_of(vec![quotes.clone(), quotes]).await;
    assert_eq!(events.iter().map(|event| records(event)).collect::<Vec<_>>(), [1, 1]);
}

// L31: what alone is larger is handed over alone, or it would never be.
#[tokio::test(start_paused = true)]
async fn a_message_that_is_larger_than_a_batch_goes_alone() {
    let events = events_of(vec!["a".into(), "x".repeat(BATCH_BYTES_MAX + 1), "b".into()]).await;
    assert_eq!(events.iter().map(|event| records(event)).collect::<Vec<_>>(), [1, 1, 1]);
}

// L34: at least once. The message that a worker had when everything stopped comes again.
#[tokio::test(start_paused = true)]
async fn what_a_dropped_mapping_had_comes_again() {
    let (queue, log) = (queue().await, Log::new());
    send(&queue, ["one"]).await;
    let seen = log.clone();
    let handler = batch(move |messages: Batch, _| {
        seen.note("hangs");
        async move {
            std::future::pending::<()>().await;
            drop(messages);
        }
    });
    let running = QueueMapping::new(queue.clone(), handler).start().await.unwrap();
    crate::ground::sleep(ms(10)).await;
    drop(running);
    let again = |message: &Message| (message.text().unwrap().to_owned(), message.receive_count);
    let message = broker_core::QueueExt::recv(&queue).await.unwrap();
    assert_eq!((again(&message), log.now()), (("one".to_owned(), 2), 30_000));
    assert_eq!(log.words(), ["hangs"]);
}

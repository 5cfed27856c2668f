//! Graceful shutdown: drain until a deadline, release the rest at once, report counts.

use broker_core::{Error, QueueExt, ReceiveOptions, SendMessage};
use broker_worker::{
    handler::{batch, each},
    queue::{Batch, Pollers, QueueMapping, Received},
    shutdown::stop_all,
};

use crate::ground::{Log, broker, counters, late, ms, queue, secs, send, sleep};

// What runs may finish, and nothing new is received.
#[tokio::test(start_paused = true)]
async fn what_runs_is_drained_and_nothing_more_is_received() {
    let (queue, log) = (queue().await, Log::new());
    send(&queue, ["a", "b", "c"]).await;
    let handler = each(|(): (), _: Received| sleep(secs(10)));
    let mapping = QueueMapping::new(queue.clone(), handler).batch_size(1).pollers(Pollers::Fixed(2));
    let running = mapping.start().await.unwrap();
    sleep(secs(4)).await;
    let report = running.stop(secs(60)).await;
    // As soon as it is done, not at the deadline.
    assert_eq!(log.now(), 10_000);
    assert!(report.drained);
    assert_eq!((report.settled_while_stopping, report.released, report.counts.acked), (2, 0, 2));
    assert_eq!(counters(&queue).await, (1, 0, 0));
    let text = "orders: drained, 2 finished meanwhile, 0 given back; in all: 2 received, 2 invocations, 2 acknowledged";
    assert_eq!(report.to_string(), text);
}

// At the deadline handlers are dropped, and their messages are visible at once. What they had decided is carried out.
#[tokio::test(start_paused = true)]
async fn at_the_deadline_handlers_are_dropped_and_their_messages_released() {
    struct Guard(Log);
    impl Drop for Guard {
        fn drop(&mut self) {
            self.0.note("dropped");
        }
    }
    let (queue, log) = (queue().await, Log::new());
    send(&queue, ["a", "b", "c"]).await;
    let seen = log.clone();
    let handler = batch(move |messages: Batch, context: broker_worker::Context| {
        let seen = seen.clone();
        async move {
            let _guard = Guard(seen.clone());
            messages.messages()[0].ack();
            sleep(secs(25)).await;
            drop(context);
        }
    });
    let running = QueueMapping::new(queue.clone(), handler).pollers(Pollers::Fixed(1)).start().await.unwrap();
    sleep(secs(1)).await;
    let report = running.stop(secs(5)).await;
    assert_eq!(log.lines(), [(6_000, "dropped".to_owned())]);
    assert_eq!((report.drained, report.settled_while_stopping, report.released), (false, 1, 2));
    assert_eq!(counters(&queue).await, (2, 0, 0));
    // Nothing was waited for after the deadline.
    assert_eq!(log.now(), 6_000);
}

// The token tells a handler at the deadline, before it is dropped: a task of its own can end, too.
#[tokio::test(start_paused = true)]
async fn the_token_fires_at_the_deadline() {
    let (queue, log) = (queue().await, Log::new());
    send(&queue, ["a"]).await;
    let seen = log.clone();
    let handler = batch(move |messages: Batch, context: broker_worker::Context| {
        let seen = seen.clone();
        tokio::spawn(async move {
            context.cancelled().cancelled().await;
            seen.note("told");
        });
        async move {
            std::future::pending::<()>().await;
            drop(messages);
        }
    });
    let running = QueueMapping::new(queue, handler).start().await.unwrap();
    sleep(secs(1)).await;
    assert!(!running.stop(secs(2)).await.drained);
    sleep(ms(1)).await;
    assert_eq!(log.lines(), [(3_000, "told".to_owned())]);
}

// An idle mapping stops at once: its receives are dropped.
#[tokio::test(start_paused = true)]
async fn an_idle_mapping_stops_at_once() {
    let (queue, log) = (queue().await, Log::new());
    let running = QueueMapping::new(queue.clone(), batch(|_: Batch, _| async {})).start().await.unwrap();
    sleep(secs(1)).await;
    let report = running.stop(secs(60)).await;
    assert_eq!((log.now(), report.drained), (1_000, true));
    // Nobody waits any more who could take the next message.
    send(&queue, ["a"]).await;
    assert_eq!(queue.receive(ReceiveOptions::up_to(1)).await.unwrap().len(), 1);
}

// A batch that waits for its window when the mapping stops is handed over: it was received.
#[tokio::test(start_paused = true)]
async fn a_batch_in_its_window_is_handed_over_when_stopping() {
    let (queue, log) = (queue().await, Log::new());
    send(&queue, ["a"]).await;
    let seen = log.clone();
    let handler = batch(move |messages: Batch, _| {
        seen.note(messages.len().to_string());
        async {}
    });
    let mapping = QueueMapping::new(queue.clone(), handler).window(secs(300)).pollers(Pollers::Fixed(1));
    let running = mapping.start().await.unwrap();
    sleep(secs(7)).await;
    let report = running.stop(secs(1)).await;
    assert_eq!(log.lines(), [(7_000, "1".to_owned())]);
    assert_eq!((report.drained, counters(&queue).await), (true, (0, 0, 0)));
}

// What did not fit into a batch goes back at once.
#[tokio::test(start_paused = true)]
async fn what_did_not_fit_into_a_batch_goes_back_when_stopping() {
    let limits = broker_core::Limits { batch_bytes_max: usize::MAX, ..broker_core::Limits::unlimited() };
    let broker =
        broker_core::Broker::builder(broker_mem::MemStorage::new()).limits(limits).open().await.unwrap();
    let queue = broker.queue("orders").await.unwrap();
    send(&queue, (0..3).map(|_| "x".repeat(4_000_000))).await;
    let handler = batch(|_: Batch, _| sleep(secs(1)));
    let running = QueueMapping::new(queue.clone(), handler).pollers(Pollers::Fixed(1)).start().await.unwrap();
    sleep(ms(1)).await;
    assert_eq!(counters(&queue).await, (0, 3, 0));
    let report = running.stop(secs(10)).await;
    assert_eq!((report.counts.acked, report.released), (1, 2));
    assert_eq!(counters(&queue).await, (2, 0, 0));
}

// On a FIFO queue it goes back before the batch is handled, so that it cannot overtake what fails in it.
#[tokio::test(start_paused = true)]
async fn on_a_fifo_queue_what_did_not_fit_goes_back_at_once() {
    let limits = broker_core::Limits { batch_bytes_max: usize::MAX, ..broker_core::Limits::unlimited() };
    let broker =
        broker_core::Broker::builder(broker_mem::MemStorage::new()).limits(limits).open().await.unwrap();
    let queue = broker.queue("orders.fifo").fifo().await.unwrap();
    let bodies: Vec<String> = ["a", "b", "c"].map(|name| name.repeat(4_000_000)).into();
    for body in bodies {
        let id = body[..1].to_owned();
        queue.send_one(SendMessage::from(body).group_id("g").deduplication_id(id)).await.unwrap();
    }
    let log = Log::new();
    let seen = log.clone();
    let handler = batch(move |messages: Batch, _| {
        let first = messages.messages()[0].text().unwrap()[..1].to_owned();
        seen.note(first.clone());
        let fails = first == "a" && messages.messages()[0].receive_count == 1;
        async move { if fails { Err("no") } else { Ok(()) } }
    });
    // One worker that stays: it would go on with what it had.
    let mapping = QueueMapping::new(queue, handler).pollers(Pollers::Fixed(1));
    let running = mapping.start().await.unwrap();
    sleep(secs(100)).await;
    drop(running);
    assert_eq!(log.words(), ["a", "a", "b", "c"]);
}

#[tokio::test(start_paused = true)]
async fn several_mappings_stop_together() {
    let broker = broker().await;
    let mut running = Vec::new();
    for name in ["a", "b"] {
        let queue = broker.queue(name).await.unwrap();
        send(&queue, ["x"]).await;
        running.push(QueueMapping::new(queue, batch(|_: Batch, _| sleep(secs(5)))).start().await.unwrap());
    }
    let log = Log::new();
    sleep(secs(1)).await;
    let reports = stop_all(running, secs(60)).await;
    assert_eq!(log.now(), 5_000);
    let reports: Vec<_> = reports.iter().map(|report| (report.queue.as_str(), report.counts.acked)).collect();
    assert_eq!(reports, [("a", 1), ("b", 1)]);
}

// A queue that is deleted, and a broker that is closed, end the mapping, and it says why.
#[tokio::test(start_paused = true)]
async fn a_mapping_says_when_its_queue_is_gone() {
    let broker = broker().await;
    for close in [false, true] {
        let queue = broker.queue("orders").await.unwrap();
        let running = QueueMapping::new(queue, batch(|_: Batch, _| async {})).start().await.unwrap();
        sleep(secs(1)).await;
        if close {
            broker.close().await.unwrap();
        } else {
            broker.delete_queue("orders").await.unwrap();
        }
        let error = running.broken().await;
        assert!(
            matches!((close, &error), (false, Error::QueueDoesNotExist { .. }) | (true, Error::Closed)),
            "{error}"
        );
        let report = running.stop(secs(1)).await;
        assert!(report.drained && report.broken.is_some());
    }
}

// Somebody who waits gets them in the moment in which they are released.
#[tokio::test(start_paused = true)]
async fn messages_that_were_released_are_received_by_others_at_once() {
    let queue = queue().await;
    send(&queue, ["a"]).await;
    let handler = batch(|_: Batch, _| std::future::pending::<()>());
    let running = QueueMapping::new(queue.clone(), handler).start().await.unwrap();
    sleep(secs(1)).await;
    let log = Log::new();
    let (report, message) = tokio::join!(running.stop(secs(3)), queue.recv());
    assert_eq!((report.released, message.unwrap().receive_count, log.now()), (1, 2, 3_000));
}

// What did not fit into a batch is ours only as long as its lease: if the batch takes until then, it comes from the queue again.
#[tokio::test(start_paused = true)]
async fn what_did_not_fit_is_forgotten_when_its_lease_ends() {
    let limits = broker_core::Limits { batch_bytes_max: usize::MAX, ..broker_core::Limits::unlimited() };
    let broker =
        broker_core::Broker::builder(broker_mem::MemStorage::new()).limits(limits).open().await.unwrap();
    let queue = broker.queue("orders").await.unwrap();
    let bodies = ["a", "b"].map(|name| name.repeat(4_000_000));
    send(&queue, bodies).await;
    let log = Log::new();
    let seen = log.clone();
    // The first one hangs until its timeout, which is the visibility timeout of both.
    let handler = batch(move |messages: Batch, _| {
        let message = messages.messages()[0].clone();
        let name = &message.text().unwrap()[..1];
        let is_first = name == "a" && message.receive_count == 1;
        seen.note(format!("{name} {} {}", message.receive_count, message.lease().is_lost()));
        async move {
            if is_first {
                std::future::pending::<()>().await;
            }
        }
    });
    let mapping = QueueMapping::new(queue, handler).pollers(Pollers::Fixed(1));
    let running = mapping.start().await.unwrap();
    sleep(secs(100)).await;
    assert_eq!(running.counts().acked, 2);
    let mut words = log.words();
    words.sort();
    assert_eq!(words, ["a 1 false", "a 2 false", "b 2 false"]);
}

// A batch that waits for a permit is given back at once, also if it waits for the end of its lease.
#[tokio::test(start_paused = true)]
async fn a_batch_without_a_permit_is_given_back_whenever_it_is_stopped() {
    for second in [1, 14, 27] {
        let queue = queue().await;
        send(&queue, ["a"]).await;
        let mapping = QueueMapping::new(queue.clone(), batch(|_: Batch, _| async {})).gate(late(secs(1_000)));
        let running = mapping.pollers(Pollers::Fixed(1)).start().await.unwrap();
        sleep(secs(second)).await;
        assert_eq!(counters(&queue).await, (0, 1, 0));
        let report = running.stop(secs(10)).await;
        assert_eq!((report.released, report.drained), (1, true), "after {second} s");
        assert_eq!(counters(&queue).await, (1, 0, 0));
    }
}

// What a handler has left to other tasks learns of its end from the context.
#[tokio::test(start_paused = true)]
async fn a_mapping_that_is_dropped_cancels_the_contexts_of_its_handlers() {
    let (queue, log) = (queue().await, Log::new());
    send(&queue, ["a"]).await;
    let seen = log.clone();
    let handler = batch(move |_: Batch, context: broker_worker::Context| {
        let (seen, cancelled) = (seen.clone(), context.cancelled().clone());
        tokio::spawn(async move {
            cancelled.cancelled().await;
            seen.note("cancelled");
        });
        sleep(secs(25))
    });
    let running = QueueMapping::new(queue.clone(), handler).pollers(Pollers::Fixed(1)).start().await.unwrap();
    sleep(secs(1)).await;
    drop(running);
    sleep(secs(1)).await;
    assert_eq!(log.lines(), [(1_000, "cancelled".to_owned())]);
}

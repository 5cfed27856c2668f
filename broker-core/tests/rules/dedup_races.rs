//! Sends that look up deduplication ids while others send (F20, IF5): here a read lasts as long as a test wants.

use broker_core::{Broker, LocalQueue, Sent};
use broker_mem::MemStorage;
use tokio::task::JoinHandle;

use crate::{
    fifo_support::{NAME, fifo, send},
    held_reads::HeldReads,
    support::{counts, poll, texts},
};

/// A FIFO queue of which one id is committed, and with which message.
async fn with_one_sent(store: &HeldReads, body: &str) -> (LocalQueue, Sent) {
    let queue = Broker::open(store.clone()).await.unwrap().queue(NAME).fifo().await.unwrap();
    let sent = send(&queue, &[body]).await[0];
    (queue, sent)
}

fn sending(queue: &LocalQueue, bodies: &[&str]) -> JoinHandle<Vec<Sent>> {
    let (queue, entries) = (queue.clone(), bodies.iter().map(|body| fifo(body)).collect());
    tokio::spawn(async move { queue.send_batch(entries).await.unwrap().all().unwrap() })
}

/// The answer of a call that may read so many ids. More would go on for ever: time does not pass while it reads.
async fn answer(store: &HeldReads, call: JoinHandle<Vec<Sent>>, reads_max: usize) -> Vec<Sent> {
    while !call.is_finished() {
        assert!(store.meta_reads() <= reads_max, "ids are looked up again and again");
        tokio::task::yield_now().await;
    }
    call.await.unwrap()
}

/// While one id is read another of the batch is sent by somebody else, so that it must be read too, and so on.
#[tokio::test(start_paused = true)]
async fn ids_that_are_sent_while_others_are_looked_up_are_looked_up_once() {
    let store = HeldReads::new(&MemStorage::new());
    let (queue, a1) = with_one_sent(&store, "a1").await;
    let before = store.meta_reads();
    store.hold_next_meta();
    let batch = sending(&queue, &["a1", "b1", "c1", "d1"]);
    store.held().await;
    let b1 = send(&queue, &["b1"]).await[0];
    store.hold_next_meta();
    store.held().await;
    let c1 = send(&queue, &["c1"]).await[0];
    store.release();
    let sent = answer(&store, batch, before + 3).await;
    let duplicate = |sent| Sent { duplicate: true, ..sent };
    assert_eq!(sent[..3], [duplicate(a1), duplicate(b1), duplicate(c1)]);
    assert!(!sent[3].duplicate && sent[3].sequence_number > c1.sequence_number);
    assert_eq!(counts(&queue).await, [4, 0, 0]);
    assert_eq!(texts(&poll(&queue, 10).await), ["a1", "b1", "c1", "d1"]);
}

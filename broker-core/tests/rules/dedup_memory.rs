//! What is remembered of deduplication ids across restarts, failures, purges and races, and what that costs: rule F25,
//! IF5, IG7.

use std::sync::Arc;

use broker_core::{
    Broker, Certainty, Clock, Entries, LocalQueue, ManualClock, SendMessage, Sent, Timestamp,
    storage::{
        Durability, Page, Storage,
        faults::{FailingStorage, Fault, Gate, SlowStorage},
    },
};
use broker_mem::MemStorage;
use futures_util::{FutureExt, future::join_all};

use crate::{
    fifo_support::{NAME, delete, fifo, send, send_batch},
    support::{World, advance, bulk, counts, ms, poll, secs, take, texts},
};

/// IF5.
async fn the_window_goes_on_across_a_restart(world: World) {
    let (broker, queue) = world.fifo().await;
    let original = send(&queue, &["a1"]).await[0];
    let message = take(&queue).await;
    queue.delete(message.receipt).await.unwrap();
    advance(secs(200)).await;
    let (broker, queue) = world.fifo_reopened(broker).await;
    assert_eq!(queue.send(fifo("a1")).await.unwrap(), Sent { duplicate: true, ..original });
    advance(secs(100) - ms(1)).await;
    let (broker, queue) = world.fifo_reopened(broker).await;
    assert_eq!(queue.send(fifo("a1")).await.unwrap(), Sent { duplicate: true, ..original });
    advance(ms(1)).await;
    let (_broker, queue) = world.fifo_reopened(broker).await;
    let second = queue.send(fifo("a1")).await.unwrap();
    assert!(!second.duplicate && second.sequence_number > original.sequence_number);
    assert_eq!(counts(&queue).await, [1, 0, 0]);
}

/// F25.
async fn a_purge_forgets_the_ids(world: World) {
    let (broker, queue) = world.fifo().await;
    let original = send(&queue, &["a1", "a2"]).await[0];
    queue.purge().await.unwrap();
    let again = queue.send(fifo("a1")).await.unwrap();
    assert!(!again.duplicate && again.id != original.id);
    assert_eq!(queue.send(fifo("a1")).await.unwrap(), Sent { duplicate: true, ..again });
    let (_broker, queue) = world.fifo_reopened(broker).await;
    assert_eq!(queue.send(fifo("a1")).await.unwrap(), Sent { duplicate: true, ..again });
    assert!(!queue.send(fifo("a2")).await.unwrap().duplicate);
    assert_eq!(texts(&poll(&queue, 10).await), ["a1", "a2"]);
}

/// F25: inferred, and the only way to have a queue of that name with nothing in it.
async fn a_recreated_queue_remembers_no_ids(world: World) {
    let (broker, queue) = world.fifo().await;
    send(&queue, &["a1"]).await;
    broker.delete_queue(NAME).await.unwrap();
    let queue = broker.queue(NAME).fifo().await.unwrap();
    assert!(!queue.send(fifo("a1")).await.unwrap().duplicate);
    let (_broker, queue) = world.fifo_reopened(broker).await;
    assert!(queue.send(fifo("a1")).await.unwrap().duplicate);
    assert_eq!(counts(&queue).await, [1, 0, 0]);
}

/// F20, F21, F14: an entry is a duplicate of one before it.
async fn duplicates_inside_a_batch_are_found(world: World) {
    let (_broker, queue) = world.fifo().await;
    let before = send(&queue, &["a1"]).await[0];
    let bodies = ["a2", "a1", "a2", "b1", "a2", "a3"];
    let sent = queue.send_batch(bodies.iter().map(|body| fifo(body)).collect()).await.unwrap().all().unwrap();
    let duplicates: Vec<_> = sent.iter().map(|sent| sent.duplicate).collect();
    assert_eq!(duplicates, [false, true, true, false, true, false]);
    assert_eq!(sent[1], Sent { duplicate: true, ..before });
    assert_eq!(
        (sent[2], sent[4]),
        (Sent { duplicate: true, ..sent[0] }, Sent { duplicate: true, ..sent[0] })
    );
    assert_eq!(counts(&queue).await, [4, 0, 0]);
    assert_eq!(texts(&poll(&queue, 10).await), ["a1", "a2", "a3", "b1"]);
}

/// F20: an entry that was refused has used up no id, not even for its own batch.
async fn a_refused_entry_leaves_its_id_to_the_next(world: World) {
    let broker = world.broker().await;
    let queue = broker.queue(NAME).fifo().max_message_size(1024).await.unwrap();
    let too_large = SendMessage::from("x".repeat(1025)).group_id("a").deduplication_id("a1");
    let entries: Entries<_> = [too_large, fifo("a1"), fifo("a1")].into_iter().collect();
    let sent = queue.send_batch(entries).await.unwrap();
    let duplicates: Vec<_> = sent.successful().map(|(_, sent)| sent.duplicate).collect();
    assert_eq!((duplicates, sent.failed().count()), (vec![false, true], 1));
    assert_eq!(counts(&queue).await, [1, 0, 0]);
}

/// IF5: of many who send the same at once, one has sent it; also right after a restart, when every id must be looked up.
async fn of_many_equal_sends_at_once_one_is_enqueued(world: World) {
    let (mut broker, mut queue) = world.fifo().await;
    for (body, sent_before) in [("a1", 0), ("a2", 1), ("a3", 2)] {
        let sending = (0..20).map(|_| queue.send(fifo(body)));
        let sent: Vec<Sent> = join_all(sending).await.into_iter().map(Result::unwrap).collect();
        assert_eq!(sent.iter().filter(|sent| !sent.duplicate).count(), 1);
        assert!(sent.iter().all(|other| other.id == sent[0].id));
        assert_eq!(counts(&queue).await, [sent_before + 1, 0, 0]);
        (broker, queue) = world.fifo_reopened(broker).await;
    }
    let batch = ["a4", "a1", "b1", "a4", "a3"].map(fifo);
    let sent = queue.send_batch(batch.into_iter().collect()).await.unwrap().all().unwrap();
    assert_eq!(sent.iter().map(|sent| sent.duplicate).collect::<Vec<_>>(), [false, true, false, true, true]);
    assert_eq!(texts(&poll(&queue, 10).await), ["a1", "a2", "a3", "a4", "b1"]);
    drop(broker);
}

/// IF5: no id is taken for another, and none is forgotten, however many there are.
async fn thousands_of_ids_are_told_apart(world: World) {
    const MANY: usize = 5_000;
    let world = world.limits(bulk());
    let (broker, queue) = world.fifo().await;
    let bodies = || (0..MANY).map(|n| format!("g{n}"));
    let sent = send_batch(&queue, bodies()).await;
    assert!(sent.iter().all(|sent| !sent.duplicate));
    let again = async |queue: &LocalQueue| {
        let again = send_batch(queue, bodies()).await;
        assert!(again.iter().zip(&sent).all(|(again, first)| *again == Sent { duplicate: true, ..*first }));
    };
    again(&queue).await;
    let (_broker, queue) = world.fifo_reopened(broker).await;
    again(&queue).await;
    let others = send_batch(&queue, (MANY..2 * MANY).map(|n| format!("g{n}"))).await;
    assert!(others.iter().all(|sent| !sent.duplicate), "after the restart none is taken for another either");
    again(&queue).await;
    assert_eq!(counts(&queue).await, [2 * MANY as u64, 0, 0]);
    advance(secs(300)).await;
    assert!(send_batch(&queue, bodies()).await.iter().all(|sent| !sent.duplicate));
}

everywhere! {
    the_window_goes_on_across_a_restart,
    a_purge_forgets_the_ids,
    a_recreated_queue_remembers_no_ids,
    duplicates_inside_a_batch_are_found,
    a_refused_entry_leaves_its_id_to_the_next,
    of_many_equal_sends_at_once_one_is_enqueued,
    thousands_of_ids_are_told_apart,
}

fn stored_entries(store: &MemStorage) -> usize {
    store.meta_range(&[0], &[u8::MAX], Page { entries: usize::MAX, bytes: usize::MAX }).unwrap().len()
}

/// How many entries there are once they are so few, or after the background has had its time.
async fn entries_after_a_while(store: &MemStorage, few: usize) -> usize {
    for _ in 0..10_000 {
        if stored_entries(store) <= few {
            break;
        }
        tokio::task::yield_now().await;
    }
    stored_entries(store)
}

/// IF5, IG7: ids whose window has ended give their space back while the queue is used.
#[tokio::test(start_paused = true)]
async fn the_memory_of_old_ids_is_given_back() {
    let store = MemStorage::new();
    let broker = Broker::builder(store.clone()).limits(bulk()).open().await.unwrap();
    let queue = broker.queue(NAME).fifo().await.unwrap();
    let mut most = 0;
    for round in 0..20 {
        send_batch(&queue, (0..100).map(|n| format!("a{}", round * 100 + n))).await;
        let received = poll(&queue, 100).await;
        queue.delete_batch(received.iter().map(|m| m.receipt).collect()).await.unwrap().all().unwrap();
        advance(secs(100)).await;
        most = most.max(entries_after_a_while(&store, 600).await);
    }
    assert!(most <= 600, "{most} entries for 300 ids in a window, and some that are late");
    // Old ids go in the company of those up to two and a half minutes younger.
    advance(secs(450)).await;
    for n in 0..200 {
        send(&queue, &[&format!("b{n}")]).await;
        let received = poll(&queue, 10).await;
        delete(&queue, &received).await;
    }
    let left = entries_after_a_while(&store, 300).await;
    assert!(left <= 300, "{left} entries for 200 ids in the window");
}

/// F25, IG7: those of a purged and of a deleted queue too.
#[tokio::test(start_paused = true)]
async fn the_memory_of_purged_and_deleted_queues_is_given_back() {
    for deleted in [false, true] {
        let store = MemStorage::new();
        let broker = Broker::builder(store.clone()).limits(bulk()).open().await.unwrap();
        let queue = broker.queue(NAME).fifo().await.unwrap();
        let before = stored_entries(&store);
        send_batch(&queue, (0..3_000).map(|n| format!("a{n}"))).await;
        if deleted {
            broker.delete_queue(NAME).await.unwrap();
        } else {
            queue.purge().await.unwrap();
        }
        let left = entries_after_a_while(&store, before).await;
        assert!(left <= before, "{left} entries, {before} before");
    }
}

/// IF5: who does not know whether it was sent sends it again, and it is there once.
#[tokio::test(start_paused = true)]
async fn a_repeated_send_after_an_uncertain_one_leaves_one_message() {
    for threaded in [false, true] {
        let memory = MemStorage::new();
        let store: Arc<dyn Storage> = Arc::new(memory.clone());
        let store = if threaded { Arc::new(SlowStorage::new(store)) } else { store };
        // Commit 0 makes the store, commit 1 the queue, commit 2 is the send.
        let failing = FailingStorage::new(store).fail_commit(2, Fault::Io);
        let broker = Broker::open(failing).await.unwrap();
        let queue = broker.queue(NAME).fifo().await.unwrap();
        let error = queue.send(fifo("a1")).await.unwrap_err();
        assert_eq!(error.certainty(), Certainty::Indeterminate);
        drop(broker);
        let broker = Broker::open(memory).await.unwrap();
        let queue = broker.open_queue(NAME).await.unwrap();
        send(&queue, &["a1", "a1"]).await;
        assert_eq!(texts(&poll(&queue, 10).await), ["a1"]);
    }
}

/// IF5: a duplicate is answered when the original is as durable as it says, not before.
#[tokio::test(start_paused = true)]
async fn a_duplicate_is_not_answered_before_its_original_is_committed() {
    let gate = Gate::new();
    let store = SlowStorage::new(Arc::new(MemStorage::new())).gated(&gate);
    let broker = Broker::open(store).await.unwrap();
    let queue = broker.queue(NAME).fifo().await.unwrap();
    gate.hold();
    let mut original = Box::pin(queue.send(fifo("a1")));
    assert!(original.as_mut().now_or_never().is_none());
    gate.until_waiting(1);
    let mut duplicate = Box::pin(queue.send(fifo("a1")));
    for _ in 0..100 {
        assert!(duplicate.as_mut().now_or_never().is_none());
        tokio::task::yield_now().await;
    }
    gate.open();
    let (original, duplicate) = (original.await.unwrap(), duplicate.await.unwrap());
    assert_eq!(duplicate, Sent { duplicate: true, ..original });
}

/// IF5: a duplicate of a message that was sent with less durability than it asks for.
#[tokio::test(start_paused = true)]
async fn a_duplicate_has_the_durability_that_it_asks_for() {
    use broker_core::storage::faults::{CrashStorage, Survive};
    let store = Arc::new(CrashStorage::new(Arc::new(MemStorage::new())));
    let broker = Broker::builder_on(store.clone()).open().await.unwrap();
    let queue = broker.queue(NAME).fifo().await.unwrap();
    let buffered = Entries::one(fifo("a1")).durability(Durability::Buffered);
    queue.send_batch(buffered).await.unwrap().all().unwrap();
    assert!(queue.send(fifo("a1")).await.unwrap().duplicate, "answered as synced");
    drop((queue, broker));
    let left = MemStorage::new();
    let survived = store.restart(Survive::PowerCut { unsynced: 0 }, Arc::new(left)).unwrap();
    let broker = Broker::open(survived).await.unwrap();
    let queue = broker.open_queue(NAME).await.unwrap();
    assert_eq!(texts(&poll(&queue, 10).await), ["a1"]);
}

/// IF5: a host clock that steps back between two runs neither freezes the window nor ends it.
#[tokio::test]
async fn a_clock_that_steps_back_leaves_the_window_as_long_as_it_is() {
    let (store, clock) = (MemStorage::new(), ManualClock::new(50_000_000));
    let open = async || {
        let broker = Broker::builder(store.clone()).clock(clock.clone()).open().await.unwrap();
        let queue = broker.queue(NAME).fifo().await.unwrap();
        (broker, queue)
    };
    let (broker, queue) = open().await;
    let original = send(&queue, &["a1"]).await[0];
    broker.close().await.unwrap();
    clock.set(Timestamp::from_millis(clock.now().as_millis() - 10_000_000));
    let (_broker, queue) = open().await;
    clock.advance(secs(300) - ms(1));
    assert_eq!(queue.send(fifo("a1")).await.unwrap(), Sent { duplicate: true, ..original });
    clock.advance(ms(1));
    assert!(!queue.send(fifo("a1")).await.unwrap().duplicate);
}

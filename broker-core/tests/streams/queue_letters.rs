//! Work queues over a stream (section D10): several records at once, and dead letters one by one.

use std::time::Duration;

use broker_core::{
    Broker, ChangeVisibility, DeadLetterTarget, Deleted, LocalStream, PutRecord, ReceiveOptions, Result,
    StartingPosition, StreamMessage, StreamQueue, StreamQueueSettings, VisibilityChanged,
};
use broker_mem::MemStorage;

use crate::{
    held_reads::HeldReads,
    support::{World, secs},
};

everywhere! {
    d10_several_records_are_settled_in_one_call,
    d10_a_dead_letter_is_leased_given_back_and_discarded,
}

fn at_once(max: usize) -> ReceiveOptions {
    ReceiveOptions::up_to(max).wait_time(Duration::ZERO)
}

/// A queue in which the first receive of a record is the last.
async fn queue(broker: &Broker, records: usize) -> (LocalStream, StreamQueue) {
    let clicks = broker.stream("clicks").shards(1).await.unwrap();
    let settings = StreamQueueSettings {
        dead_letter: DeadLetterTarget::BuiltIn { max_receive_count: 1 },
        ..StreamQueueSettings::default()
    };
    let work = clicks.queue("work", StartingPosition::TrimHorizon, &settings).await.unwrap();
    for n in 0..records {
        clicks.put(PutRecord::new("k", n.to_string())).await.unwrap();
    }
    (clicks, work)
}

async fn d10_several_records_are_settled_in_one_call(world: World) {
    let broker = world.broker().await;
    let (_clicks, work) = queue(&broker, 4).await;
    let got = work.receive(at_once(4)).await.unwrap();
    let [one, two, three, four] = &got[..] else { panic!("{got:?}") };
    let done = work.acknowledge_batch([one.receipt, two.receipt].into_iter().collect()).await.unwrap();
    assert_eq!(done.all().unwrap(), [Deleted::Gone, Deleted::Gone]);
    let later = [(three, 60), (four, 0)];
    let later = later.map(|(it, s)| ChangeVisibility { receipt: it.receipt, timeout: secs(s) });
    let changed = work.update_visibility_batch(later.into_iter().collect()).await.unwrap().all().unwrap();
    assert!(changed.iter().all(|it| matches!(it, VisibilityChanged::Until(_))), "{changed:?}");
    let counters = work.counters().await.unwrap();
    assert_eq!((counters.visible, counters.in_flight, counters.behind), (1, 1, 0));
    assert_eq!(work.name(), "work");
}

async fn d10_a_dead_letter_is_leased_given_back_and_discarded(world: World) {
    let broker = world.broker().await;
    let (_clicks, work) = queue(&broker, 1).await;
    let got = work.receive(at_once(1).visibility_timeout(secs(1))).await.unwrap();
    assert_eq!(got.len(), 1);
    tokio::time::sleep(secs(2)).await;
    assert!(work.receive(at_once(1)).await.unwrap().is_empty(), "it is dead now");
    let dead =
        async |timeout| work.receive_dead_letters(at_once(1).visibility_timeout(timeout)).await.unwrap();
    let first = dead(secs(10)).await.remove(0);
    assert_eq!((first.record, &first.data[..]), (got[0].record, &b"0"[..]));
    let longer = work.update_dead_letter_visibility(first.receipt, secs(30)).await.unwrap();
    assert!(matches!(longer, VisibilityChanged::Until(_)), "{longer:?}");
    tokio::time::sleep(secs(20)).await;
    assert!(dead(secs(10)).await.is_empty(), "it was given longer");
    tokio::time::sleep(secs(11)).await;
    let second = dead(secs(10)).await.remove(0);
    // A receipt of an older delivery does nothing any more.
    assert_eq!(work.restore_dead_letter(first.receipt).await.unwrap(), Deleted::Stale);
    assert_eq!(work.acknowledge_dead_letter(first.receipt).await.unwrap(), Deleted::Stale);
    assert_eq!(work.counters().await.unwrap().dead, 1);
    work.update_dead_letter_visibility(second.receipt, Duration::ZERO).await.unwrap();
    let third = dead(secs(10)).await.remove(0);
    assert_eq!(work.acknowledge_dead_letter(third.receipt).await.unwrap(), Deleted::Gone);
    let counters = work.counters().await.unwrap();
    assert_eq!((counters.dead, counters.visible, counters.in_flight), (0, 0, 0));
}

/// Does something with a queue of one record, and opens it again: a record of before is read from the store, which can be held there.
async fn opened_again(before: impl AsyncFnOnce(StreamQueue)) -> (HeldReads, StreamQueue) {
    let store = HeldReads::new(&MemStorage::new());
    let broker = Broker::open(store.clone()).await.unwrap();
    let (_clicks, work) = queue(&broker, 1).await;
    before(work).await;
    broker.close().await.unwrap();
    let broker = Broker::open(store.clone()).await.unwrap();
    // Retention reads rows too, once at the beginning.
    tokio::time::sleep(secs(1)).await;
    (store, broker.open_stream("clicks").await.unwrap().open_queue("work").unwrap())
}

/// Drops a receive that has its message, after that time, and waits for the record.
async fn drop_when_it_reads(
    store: &HeldReads,
    after: Duration,
    receive: impl Future<Output = Result<Vec<StreamMessage>>>,
) {
    store.hold_next_rows();
    let reads = async {
        // Time does not pass by itself while a read is held.
        tokio::time::advance(after).await;
        store.held().await;
    };
    tokio::select! {
        got = receive => panic!("it has read nothing, and returns {got:?}"),
        () = reads => store.release(),
    }
}

/// IQ18. Found by the suite `cancel`: what was not just pulled is read from the stream, and that wait had no guard.
#[tokio::test(start_paused = true)]
async fn d10_a_receive_dropped_while_it_reads_a_record_gives_it_back() {
    let (store, work) = opened_again(async |work| {
        work.set_settings(&StreamQueueSettings::default()).await.unwrap();
        let first = work.receive(at_once(1)).await.unwrap().remove(0);
        work.update_visibility(first.receipt, Duration::ZERO).await.unwrap();
    })
    .await;
    // The first of them wait for their message, the last ones for its record.
    for _ in 0..4 {
        drop_when_it_reads(&store, Duration::ZERO, work.receive(at_once(1))).await;
    }
    let second = work.receive(at_once(1)).await.unwrap().remove(0);
    assert_eq!(second.receive_count, 2, "the dropped one was not counted");
    // So does one that has waited for the record to come back.
    let changed = work.update_visibility(second.receipt, secs(5)).await.unwrap();
    assert!(matches!(changed, VisibilityChanged::Until(_)), "{changed:?}");
    let waiting = work.receive(ReceiveOptions::up_to(1).wait_time(secs(9)));
    drop_when_it_reads(&store, secs(6), waiting).await;
    assert_eq!(work.receive(at_once(1)).await.unwrap().remove(0).receive_count, 3);
}

/// IQ18.
#[tokio::test(start_paused = true)]
async fn d10_a_receive_of_dead_letters_dropped_while_it_reads_a_record_gives_it_back() {
    let (store, work) = opened_again(async |work| {
        let got = work.receive(at_once(1)).await.unwrap();
        work.update_visibility(got[0].receipt, Duration::ZERO).await.unwrap();
        assert!(work.receive(at_once(1)).await.unwrap().is_empty(), "it is dead now");
    })
    .await;
    for _ in 0..4 {
        drop_when_it_reads(&store, Duration::ZERO, work.receive_dead_letters(at_once(1))).await;
    }
    let dead = work.receive_dead_letters(at_once(1)).await.unwrap();
    assert_eq!(
        (dead.len(), dead[0].receive_count),
        (1, 2),
        "it is there, and the dropped one was not counted"
    );
}

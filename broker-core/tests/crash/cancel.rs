//! Futures dropped at every await: what was called has happened or not, nothing leaks, nothing is lost.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use broker_core::{
    Broker, Entries, LocalQueue, MemoryBounds, QueueCounters, QueueSettings, ReceiveOptions, SendMessage,
    storage::faults::CrashStorage,
};
use broker_mem::MemStorage;
use tokio::time::Instant;

use crate::world::{Kind, TINY, World};

/// Polls a future so many times and then drops it.
pub(crate) struct DropAfter<F> {
    future: Option<Pin<Box<F>>>,
    polls: usize,
}

impl<F: Future> Future for DropAfter<F> {
    /// `None` if the future was dropped before it was ready.
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(future) = self.future.as_mut() else { return Poll::Ready(None) };
        if let Poll::Ready(output) = future.as_mut().poll(context) {
            return Poll::Ready(Some(output));
        }
        self.polls -= 1;
        if self.polls == 0 {
            self.future = None;
            return Poll::Ready(None);
        }
        Poll::Pending
    }
}

pub(crate) fn drop_after<F: Future>(polls: usize, future: F) -> DropAfter<F> {
    DropAfter { future: Some(Box::pin(future)), polls }
}

/// More polls than any operation has awaits: a sweep that gets here does not end.
pub(crate) const POLLS_MAX: usize = 200;

pub(crate) const START: u64 = 1_000_000;

/// A queue with twelve messages of which the store alone knows, so that every operation has to read and to commit.
pub(crate) async fn world_of(kind: Kind) -> (Arc<CrashStorage>, World) {
    let store = Arc::new(CrashStorage::new(Arc::new(MemStorage::new())).can_block(true));
    let world = World::open(kind, store.clone(), START).await.unwrap();
    for number in 0..12 {
        world.queue.send(world.message(&format!("message-{number}"), number)).await.unwrap();
    }
    drop(world);
    let world = World::open(kind, store.clone(), START).await.unwrap();
    (store, world)
}

async fn world() -> (Arc<CrashStorage>, World) {
    world_of(Kind::Standard).await
}

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.unwrap().block_on(future)
}

fn visible(visible: u64) -> QueueCounters {
    QueueCounters { visible, in_flight: 0, delayed: 0 }
}

/// Runs an operation in a fresh world, dropped after one poll, then after two, until it gets to its end.
///
/// After each, `settled` looks at the world that the drop has left, once all that was submitted is committed, and again
/// at the world that a crash would leave.
fn sweep<T>(
    operation: &impl AsyncFn(&World) -> T,
    mut settled: impl FnMut(&'static str, Option<&T>, QueueCounters),
) {
    let mut polls = 1;
    for _ in 0..POLLS_MAX {
        let done = block_on(async {
            let (store, world) = world().await;
            let done = drop_after(polls, operation(&world)).await;
            world.broker.flush().await.unwrap();
            settled("now", done.as_ref(), world.queue.counters().await.unwrap());
            drop(world);
            let world = World::open(Kind::Standard, store, START).await.unwrap();
            settled("after a crash", done.as_ref(), world.queue.counters().await.unwrap());
            done
        });
        match done {
            // The committing thread was faster than the first poll: once more.
            Some(_) if polls == 1 => {}
            Some(_) => return,
            None => polls += 1,
        }
    }
    panic!("the operation never ends");
}

#[test]
fn a_dropped_send_has_sent_or_not() {
    let mut earlier = 0;
    sweep(&async |world| world.queue.send("one more").await.unwrap(), |when, done, counters| {
        let sent = counters.visible - 12;
        assert!(sent <= 1 && (done.is_none() || sent == 1), "{when}: {counters:?}");
        assert!(when == "now" || sent == earlier, "a crash agrees with what was seen before");
        earlier = sent;
    });
}

#[test]
fn a_dropped_batch_is_sent_whole_or_not_at_all() {
    sweep(
        &async |world| {
            let entries: Entries<_> = ["a", "b", "c"].into_iter().map(SendMessage::from).collect();
            world.queue.send_batch(entries).await.unwrap().all().unwrap()
        },
        |when, done, counters| {
            let sent = counters.visible - 12;
            assert!(sent == 3 || (sent == 0 && done.is_none()), "{when}: {counters:?}");
        },
    );
}

#[test]
fn a_dropped_receive_leaves_its_messages_visible_at_once() {
    sweep(
        &async |world| world.queue.receive(ReceiveOptions::up_to(5)).await.unwrap(),
        |when, done, counters| {
            let in_flight = done.map_or(0, |got| got.len() as u64);
            assert_eq!(counters, QueueCounters { visible: 12 - in_flight, in_flight, delayed: 0 }, "{when}");
        },
    );
}

#[test]
fn a_dropped_receive_does_not_count_as_a_delivery() {
    for polls in 1..POLLS_MAX {
        let done = block_on(async {
            let (_, world) = world().await;
            let done = drop_after(polls, world.queue.receive(ReceiveOptions::up_to(5))).await.is_some();
            let got = world.queue.receive(ReceiveOptions::up_to(10)).await.unwrap();
            assert!(done || got.iter().all(|message| message.receive_count == 1), "{got:?}");
            assert!(done || got[0].text() == Ok("message-0"), "it keeps its place");
            done
        });
        if done {
            return;
        }
    }
}

#[test]
fn a_dropped_redelivery_keeps_the_count_of_the_first() {
    for polls in 1..POLLS_MAX {
        let done = block_on(async {
            let (_, world) = world().await;
            let first = world.queue.receive(ReceiveOptions::up_to(1)).await.unwrap();
            world.queue.change_visibility(first[0].receipt, Duration::ZERO).await.unwrap();
            let done = drop_after(polls, world.queue.receive(ReceiveOptions::up_to(1))).await.is_some();
            let again = world.queue.receive(ReceiveOptions::up_to(1)).await.unwrap();
            assert!(done || (again[0].id == first[0].id && again[0].receive_count == 2), "{again:?}");
            done
        });
        if done {
            return;
        }
    }
}

#[test]
fn a_dropped_delete_has_deleted_or_not() {
    sweep(
        &async |world| {
            let got = world.queue.receive(ReceiveOptions::up_to(1)).await.unwrap();
            world.queue.delete(got[0].receipt).await.unwrap()
        },
        |when, done, counters| {
            let total = counters.total();
            assert!(total == 11 || (total == 12 && done.is_none()), "{when}: {counters:?}");
        },
    );
}

#[test]
fn a_dropped_purge_has_purged_or_not() {
    sweep(&async |world| world.queue.purge().await.unwrap(), |when, done, counters| {
        assert!(counters == visible(0) || (counters == visible(12) && done.is_none()), "{when}");
    });
}

#[test]
fn a_dropped_change_of_settings_has_changed_all_or_none() {
    for polls in 1..POLLS_MAX {
        let done = block_on(async {
            let (store, world) = world().await;
            let change =
                QueueSettings::new().delay(Duration::from_secs(9)).receive_wait_time(Duration::from_secs(2));
            let done = drop_after(polls, world.queue.set_attributes(change)).await.is_some();
            world.broker.flush().await.unwrap();
            drop(world);
            let world = World::open(Kind::Standard, store, START).await.unwrap();
            let now = world.queue.attributes().await.unwrap();
            let seconds = (now.delay.as_secs(), now.receive_wait_time.as_secs());
            assert!(seconds == (9, 2) || (seconds == (0, 0) && !done), "{seconds:?}");
            done
        });
        if done {
            return;
        }
    }
}

#[test]
fn a_dropped_creation_or_deletion_of_a_queue_has_happened_or_not() {
    for polls in 1..POLLS_MAX {
        let done = block_on(async {
            let (store, world) = world().await;
            let created = drop_after(polls, world.broker.queue("new").into_future()).await.is_some();
            let deleted = drop_after(polls, world.broker.delete_queue("swept")).await.is_some();
            world.broker.flush().await.unwrap();
            let names = world.broker.list_queues("");
            assert!(!created || names.contains(&"new".into()), "{names:?}");
            assert!(!deleted || !names.contains(&"swept".into()), "{names:?}");
            drop(world);
            let reopened = broker_core::Broker::builder_on(store).open().await.unwrap();
            assert_eq!(reopened.list_queues(""), names, "a crash agrees with what was seen before");
            created && deleted
        });
        if done {
            return;
        }
    }
}

/// On tokio's paused time, since these receives wait: one of two is dropped after each number of polls, and somebody has the
/// message at once. Where no row stays at hand it must be read first, and the drop can fall into that.
#[test]
fn a_dropped_long_poll_takes_no_message_and_no_wake_up_with_it() {
    for bounds in [TINY, MemoryBounds { staged: 0, ..TINY }] {
        block_on(async {
            let store = Arc::new(CrashStorage::new(Arc::new(MemStorage::new())).can_block(true));
            let broker = Broker::builder_on(store).memory(bounds).open().await.unwrap();
            let queue = broker.queue("polled").await.unwrap();
            let poll = async |queue: LocalQueue, polls| {
                let options = ReceiveOptions::up_to(1).wait_time(Duration::from_secs(20));
                let got = drop_after(polls, queue.receive(options)).await;
                got.map(Result::unwrap).unwrap_or_default().pop().map(|message| (message, Instant::now()))
            };
            for polls in 1..20 {
                let fickle = tokio::spawn(poll(queue.clone(), polls));
                let patient = tokio::spawn(poll(queue.clone(), POLLS_MAX));
                tokio::task::yield_now().await;
                queue.send("for one of them").await.unwrap();
                let sent = Instant::now();
                let mut got = [fickle.await.unwrap(), patient.await.unwrap()].into_iter().flatten();
                let (message, at) = got.next().expect("one gets it, whether or not the other is dropped");
                assert_eq!(at, sent, "after {polls} polls the other one was not woken");
                assert!(got.next().is_none(), "only one gets it");
                queue.delete(message.receipt).await.unwrap();
            }
        });
    }
}

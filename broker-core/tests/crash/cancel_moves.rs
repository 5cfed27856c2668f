//! Futures dropped at every await, where messages have groups and move to a dead-letter queue: each message is in one
//! queue, and each group keeps its order.

use std::time::Duration;

use broker_core::{DeadLettered, QueueCounters, ReceiveOptions};

use crate::{
    cancel::{POLLS_MAX, START, block_on, world_of},
    drop_after::drop_after,
    world::{DELIVERIES_MAX, GROUPS, Kind, World},
};

const KINDS: [Kind; 2] = [Kind::DeadLetters, Kind::Fifo];

/// Runs an operation in a prepared world, dropped after one poll, then after two, until it gets to its end. Looks at the
/// queue and its dead-letter queue after each, and again after a crash.
fn sweep<T>(
    kind: Kind,
    prepare: &impl AsyncFn(&World),
    operation: &impl AsyncFn(&World) -> T,
    settled: impl Fn(Option<&T>, [QueueCounters; 2]),
) {
    let mut polls = 1;
    for _ in 0..POLLS_MAX {
        let done = block_on(async {
            let (store, world) = world_of(kind).await;
            prepare(&world).await;
            let done = drop_after(polls, operation(&world)).await;
            world.broker.flush().await.unwrap();
            let counters = world.counters().await;
            settled(done.as_ref(), counters);
            let now = world.millis();
            drop(world);
            let world = World::open(kind, store, now).await.unwrap();
            assert_eq!(world.counters().await, counters, "a crash agrees with what was seen before");
            assert_eq!(world.drain().await.len(), 12, "each message is in one queue");
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

/// Receives as much as can be as often as may be, so that the next receive moves it.
async fn exhaust(world: &World) {
    for _ in 0..DELIVERIES_MAX {
        while !world.queue.receive(ReceiveOptions::up_to(10)).await.unwrap().is_empty() {}
        world.clock.advance(Duration::from_secs(10));
    }
}

#[test]
fn a_dropped_receive_moves_a_message_or_leaves_it() {
    for kind in KINDS {
        let receive = async |world: &World| world.queue.receive(ReceiveOptions::up_to(5)).await.unwrap();
        sweep(kind, &exhaust, &receive, |got, [queue, dead]| {
            assert_eq!((queue.total() + dead.total(), dead.in_flight), (12, 0));
            let counts = got.into_iter().flatten().map(|message| message.receive_count);
            assert_eq!(counts.filter(|count| *count <= DELIVERIES_MAX).count() as u64, queue.in_flight);
            assert!(got.is_none() || dead.visible > 0, "{queue:?} {dead:?}");
        });
    }
}

#[test]
fn a_dropped_giving_up_has_moved_the_message_or_not() {
    for kind in KINDS {
        let give_up = async |world: &World| {
            let got = world.queue.receive(ReceiveOptions::up_to(1)).await.unwrap();
            world.queue.dead_letter(got[0].receipt, "it was dropped").await.unwrap()
        };
        sweep(kind, &async |_| {}, &give_up, |done, [queue, dead]| {
            assert_eq!(queue.total() + dead.visible, 12);
            let moved = matches!(done, Some(DeadLettered::Moved { .. }));
            assert!(dead.visible == 1 || (dead.visible == 0 && !moved), "{dead:?}");
        });
    }
}

#[test]
fn a_dropped_receive_keeps_the_order_of_each_group() {
    for polls in 1..POLLS_MAX {
        let done = block_on(async {
            let (_, world) = world_of(Kind::Fifo).await;
            let done = drop_after(polls, world.queue.receive(ReceiveOptions::up_to(5))).await.is_some();
            let got = world.queue.receive(ReceiveOptions::up_to(10)).await.unwrap();
            assert!(done || got.iter().all(|message| message.receive_count == 1), "{got:?}");
            for group in 0..GROUPS {
                let name = Some(format!("g{group}"));
                let bodies = got.iter().filter(|message| message.group_id == name).map(|got| got.text());
                let sent = (0..12).filter(|number| number % GROUPS == group).map(|n| format!("message-{n}"));
                assert!(done || bodies.zip(sent).all(|(got, sent)| got == Ok(&sent)), "{got:?}");
            }
            done
        });
        if done {
            return;
        }
    }
}

#[test]
fn a_dropped_send_can_be_repeated_and_is_taken_once() {
    for polls in 1..POLLS_MAX {
        let done = block_on(async {
            let (store, world) = world_of(Kind::Fifo).await;
            let message = world.message("one-more", 1);
            let first = drop_after(polls, world.queue.send(message.clone())).await;
            let second = world.queue.send(message.clone()).await.unwrap();
            assert_eq!(world.counters().await[0].visible, 13);
            drop(world);
            let world = World::open(Kind::Fifo, store, START).await.unwrap();
            let third = world.queue.send(message).await.unwrap();
            assert!(third.duplicate);
            assert_eq!((second.id, second.sequence_number), (third.id, third.sequence_number));
            assert_eq!(world.counters().await[0].visible, 13);
            first.is_some()
        });
        if done {
            return;
        }
    }
}

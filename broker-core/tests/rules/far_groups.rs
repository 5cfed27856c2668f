//! More groups, and more messages in a group, than memory keeps: IF1, IF3, IF6, F36 and F37, across restarts.

use std::collections::{BTreeMap, HashMap};

use broker_core::{LocalQueue, Message};

use crate::{
    fifo_support::{TINY, delete, give_back, group_of, numbered, send, send_batch},
    support::{World, advance, bulk, counts, poll, poll_for, secs, take, texts, waiter},
};

fn tiny(world: World) -> World {
    world.limits(bulk()).bounds(TINY)
}

/// What is still to come of each group, in order, checked against each receive.
#[derive(Default)]
struct Expected(BTreeMap<String, Vec<String>>);

impl Expected {
    fn sent(&mut self, bodies: Vec<String>) -> Vec<String> {
        for body in &bodies {
            let group = group_of(body).to_owned();
            self.0.entry(group).or_default().push(body.clone());
        }
        bodies
    }

    /// Each group's messages must be the first of it, in order (IF1, IF6).
    #[track_caller]
    fn received(&self, messages: &[Message]) {
        let mut by_group: HashMap<&str, Vec<&str>> = HashMap::new();
        for message in messages {
            by_group.entry(message.group_id.as_deref().unwrap()).or_default().push(message.text().unwrap());
        }
        for (group, received) in by_group {
            assert_eq!(received, self.0[group][..received.len()], "the beginning of group {group}");
        }
    }

    fn deleted(&mut self, messages: &[Message]) {
        for message in messages {
            let of_group = self.0.get_mut(message.group_id.as_deref().unwrap()).unwrap();
            of_group.retain(|body| message.text() != Ok(body));
        }
    }

    fn left(&self) -> u64 {
        self.0.values().map(|of_group| of_group.len() as u64).sum()
    }
}

/// Receives and deletes until nothing is left; some receives fail in one way or another.
async fn work_off(queue: &LocalQueue, expected: &mut Expected, at_once: usize) {
    let (mut round, mut idle) = (0, 0);
    while expected.left() > 0 {
        let received = poll_for(queue, at_once, secs(30)).await;
        expected.received(&received);
        idle = if received.is_empty() { idle + 1 } else { 0 };
        assert!(idle < 3, "nothing comes, and {} are left: {:?}", expected.left(), expected.0);
        round += 1;
        match round % 4 {
            0 => give_back(queue, &received).await,
            1 => advance(secs(30)).await,
            2 => {
                delete(queue, &received[..received.len() / 2]).await;
                expected.deleted(&received[..received.len() / 2]);
                advance(secs(30)).await;
            }
            _ => {
                delete(queue, &received).await;
                expected.deleted(&received);
            }
        }
        let [visible, in_flight, delayed] = counts(queue).await;
        assert_eq!((visible + in_flight, delayed), (expected.left(), 0));
    }
}

/// IF1, IF6: one group with far more messages than are kept at hand.
async fn a_long_group_comes_in_order_whatever_fails(world: World) {
    let world = tiny(world);
    let (_broker, queue) = world.fifo().await;
    let mut expected = Expected::default();
    send_batch(&queue, expected.sent(numbered("a", 0..100))).await;
    work_off(&queue, &mut expected, 7).await;
    send_batch(&queue, expected.sent(numbered("a", 100..150))).await;
    work_off(&queue, &mut expected, 1).await;
}

/// IF1, IF2: many groups, mixed, with a restart on the way.
async fn many_groups_come_in_order_whatever_fails(world: World) {
    let world = tiny(world);
    let (broker, queue) = world.fifo().await;
    let mut expected = Expected::default();
    let group = |n: usize| char::from(b'a' + u8::try_from(n * n % 13).unwrap());
    let bodies =
        |range: std::ops::Range<usize>| range.map(|n| format!("{}{n}", group(n))).collect::<Vec<_>>();
    send_batch(&queue, expected.sent(bodies(0..120))).await;
    let in_flight = poll_for(&queue, 20, secs(100)).await;
    expected.received(&in_flight);
    let done = &in_flight[..in_flight.len() / 2];
    let (broker, queue) = world.fifo_reopened(broker).await;
    send_batch(&queue, expected.sent(bodies(120..150))).await;
    delete(&queue, done).await;
    expected.deleted(done);
    advance(secs(100)).await;
    let (broker, queue) = world.fifo_reopened(broker).await;
    work_off(&queue, &mut expected, 5).await;
    send_batch(&queue, expected.sent(bodies(150..200))).await;
    let (_broker, queue) = world.fifo_reopened(broker).await;
    work_off(&queue, &mut expected, 50).await;
}

/// IF3, F36: a free group is found behind as many blocked messages as are searched.
async fn a_free_group_is_found_behind_blocked_messages(world: World) {
    let world = tiny(world);
    let (broker, queue) = world.fifo().await;
    send_batch(&queue, numbered("a", 0..6)).await;
    assert_eq!(take(&queue).await.text(), Ok("a0"));
    send(&queue, &["b0"]).await;
    assert_eq!(take(&queue).await.text(), Ok("b0"), "behind five that are blocked");
    send(&queue, &["c0"]).await;
    let (_broker, queue) = world.fifo_reopened(broker).await;
    assert_eq!(take(&queue).await.text(), Ok("c0"), "after a restart too");
    assert_eq!(counts(&queue).await, [5, 3, 0]);
}

/// F36: what is behind more than that comes when the group before it is freed, and nothing is lost.
async fn what_is_behind_too_many_blocked_messages_comes_later(world: World) {
    let world = tiny(world);
    let (_broker, queue) = world.fifo().await;
    let mut expected = Expected::default();
    send_batch(&queue, expected.sent(numbered("a", 0..40))).await;
    let head = poll_for(&queue, 1, secs(100)).await;
    assert_eq!(texts(&head), ["a0"]);
    send_batch(&queue, expected.sent([numbered("b", 0..3), numbered("c", 0..2)].concat())).await;
    let mut found = Vec::new();
    for _ in 0..3 {
        found.extend(poll_for(&queue, 10, secs(100)).await);
    }
    assert!(found.iter().all(|message| message.group_id.as_deref() != Some("a")));
    expected.received(&found);
    expected.received(&head);
    delete(&queue, &head).await;
    expected.deleted(&head);
    delete(&queue, &found).await;
    expected.deleted(&found);
    work_off(&queue, &mut expected, 4).await;
}

/// IF3, IQ16: and who waits for it is woken by the delete, although nobody had looked so far before.
async fn a_wait_ends_when_far_messages_come_into_reach(world: World) {
    let world = tiny(world);
    let (_broker, queue) = world.fifo().await;
    send_batch(&queue, numbered("a", 0..20)).await;
    let first = poll_for(&queue, 20, secs(100)).await;
    send_batch(&queue, numbered("a", 20..40)).await;
    send(&queue, &["b0"]).await;
    while !poll_for(&queue, 1, secs(100)).await.is_empty() {}
    let waiting = waiter(&queue, secs(20)).await;
    delete(&queue, &first).await;
    let (received, waited) = waiting.await.unwrap();
    assert_eq!(received.unwrap().len(), 1);
    assert!(waited < secs(1), "{waited:?}");
}

/// IF3: with more than 10,000 blocked messages in front.
async fn a_group_is_not_delayed_by_ten_thousand_blocked_messages(world: World) {
    const BLOCKED: usize = 11_000;
    let world = world.limits(bulk());
    let (broker, queue) = world.fifo().await;
    send_batch(&queue, numbered("a", 0..BLOCKED)).await;
    assert_eq!(poll_for(&queue, 1, secs(10_000)).await[0].text(), Ok("a0"));
    send(&queue, &["b0", "c0"]).await;
    assert_eq!(poll_for(&queue, 1, secs(10_000)).await[0].text(), Ok("b0"));
    let (_broker, queue) = world.fifo_reopened(broker).await;
    assert_eq!(counts(&queue).await, [BLOCKED as u64, 2, 0]);
    assert_eq!(take(&queue).await.text(), Ok("c0"));
    advance(secs(10_000)).await;
    let mut all = poll(&queue, BLOCKED + 2).await;
    assert_eq!(all.len(), BLOCKED + 2);
    all.retain(|message| message.group_id.as_deref() == Some("a"));
    assert_eq!(texts(&all), numbered("a", 0..BLOCKED));
}

/// IF3: more groups than are searched, each blocked by one in flight.
async fn more_groups_than_memory_keeps_are_all_served(world: World) {
    let world = tiny(world);
    let (_broker, queue) = world.fifo().await;
    let mut expected = Expected::default();
    let groups: Vec<String> = (0..60).map(|n| format!("g{}-", char::from(b'A' + n))).collect();
    for n in 0..2 {
        let bodies = groups.iter().map(|group| format!("{group}{n}")).collect();
        send_batch(&queue, expected.sent(bodies)).await;
    }
    let heads = poll_for(&queue, 30, secs(100)).await;
    expected.received(&heads);
    assert!(!heads.is_empty());
    delete(&queue, &heads).await;
    expected.deleted(&heads);
    work_off(&queue, &mut expected, 20).await;
}

everywhere! {
    a_long_group_comes_in_order_whatever_fails,
    many_groups_come_in_order_whatever_fails,
    a_free_group_is_found_behind_blocked_messages,
    what_is_behind_too_many_blocked_messages_comes_later,
    a_wait_ends_when_far_messages_come_into_reach,
    a_group_is_not_delayed_by_ten_thousand_blocked_messages,
    more_groups_than_memory_keeps_are_all_served,
}

//! Fair queues: rules Q100 to Q104. A tenant is a message group of a standard queue; while one takes more than its share,
//! the messages of the others come first.

use broker_core::{Broker, Entries, LocalQueue, Message, ReceiveOptions, SendMessage, storage::Durability};

use crate::support::{World, advance, bulk, counts, ms, poll, poll_for, secs, texts};

/// Longer than any scenario here.
const LONG: std::time::Duration = secs(10_000);

/// The message `a12` of tenant `a`, or, if the tenant is a digit, one without a group.
fn tenant(body: &str) -> SendMessage {
    let group = crate::fifo_support::group_of(body);
    if group.is_empty() { SendMessage::from(body) } else { SendMessage::from(body).group_id(group) }
}

/// A queue that takes more at once than SQS does.
async fn bulk_queue(world: World) -> (World, Broker, LocalQueue) {
    let world = world.limits(bulk());
    let (broker, queue) = world.queue().await;
    (world, broker, queue)
}

async fn send(queue: &LocalQueue, bodies: impl IntoIterator<Item = String>) {
    let entries: Entries<_> = bodies.into_iter().map(|body| tenant(&body)).collect();
    queue.send_batch(entries.durability(Durability::Buffered)).await.unwrap().all().unwrap();
}

/// `a0`, `a1`, … up to `count`.
fn numbered(name: &str, count: usize) -> Vec<String> {
    (0..count).map(|n| format!("{name}{n}")).collect()
}

async fn delete_all(queue: &LocalQueue, messages: &[Message]) {
    let receipts: Entries<_> = messages.iter().map(|message| message.receipt).collect();
    queue.delete_batch(receipts).await.unwrap().all().unwrap();
}

/// Takes this many messages and keeps them in flight.
async fn hold(queue: &LocalQueue, count: usize) -> Vec<Message> {
    let held = poll_for(queue, count, LONG).await;
    assert_eq!(held.len(), count);
    held
}

/// Whether the tenant of the oldest waiting message has to let `q0`, which is sent now, pass.
async fn lets_another_pass(queue: &LocalQueue) -> bool {
    send(queue, ["q0".into()]).await;
    let next = poll_for(queue, 1, LONG).await.remove(0);
    next.text() == Ok("q0")
}

/// Q101, Q102: the case that fair queues are for.
async fn while_a_tenant_is_noisy_the_messages_of_others_come_first(world: World) {
    let (_world, _broker, queue) = bulk_queue(world).await;
    send(&queue, numbered("a", 100)).await;
    hold(&queue, 40).await;
    send(&queue, ["b0", "c0", "7"].map(str::to_owned)).await;
    send(&queue, ["a100", "b1"].map(str::to_owned)).await;
    let received = poll_for(&queue, 6, LONG).await;
    assert_eq!(texts(&received), ["b0", "c0", "7", "b1", "a40", "a41"]);
    assert_eq!(counts(&queue).await, [59, 46, 0]);
}

/// Q101: with fewer than 30 in flight it is not, however large its part.
async fn a_tenant_with_less_than_30_in_flight_is_not_noisy(world: World) {
    let world = world.limits(bulk());
    for (in_flight, noisy) in [(29, false), (30, true)] {
        let broker = world.broker().await;
        let queue = broker.queue(format!("q{in_flight}")).await.unwrap();
        send(&queue, numbered("a", 50)).await;
        hold(&queue, in_flight).await;
        assert_eq!(lets_another_pass(&queue).await, noisy, "{in_flight} in flight");
        broker.close().await.unwrap();
    }
}

/// Q101: of what is in flight it must hold more than a tenth.
async fn a_tenant_with_a_tenth_of_what_is_in_flight_is_not_noisy(world: World) {
    let world = world.limits(bulk());
    for (others, noisy) in [(270, false), (269, true)] {
        let broker = world.broker().await;
        let queue = broker.queue(format!("q{others}")).await.unwrap();
        send(&queue, numbered("", others)).await;
        send(&queue, numbered("a", 50)).await;
        hold(&queue, others + 30).await;
        assert_eq!(lets_another_pass(&queue).await, noisy, "30 of {}", others + 30);
        broker.close().await.unwrap();
    }
}

/// Q100: nobody is their tenant.
async fn messages_without_a_group_are_never_noisy(world: World) {
    let (_world, _broker, queue) = bulk_queue(world).await;
    send(&queue, numbered("", 200)).await;
    hold(&queue, 100).await;
    assert!(!lets_another_pass(&queue).await);
    send(&queue, numbered("a", 1)).await;
    assert_eq!(poll_for(&queue, 200, LONG).await.len(), 101);
}

/// Q102: nobody waits because somebody is noisy.
async fn if_no_quiet_message_waits_noisy_ones_are_returned(world: World) {
    let (_world, _broker, queue) = bulk_queue(world).await;
    send(&queue, numbered("a", 100)).await;
    hold(&queue, 40).await;
    let received = poll_for(&queue, 60, LONG).await;
    assert_eq!(texts(&received), &numbered("a", 100)[40..]);
    assert_eq!(counts(&queue).await, [0, 100, 0]);
}

/// Q102: and a long poll returns at once with them.
async fn a_long_poll_returns_noisy_messages_at_once(world: World) {
    let (_world, _broker, queue) = bulk_queue(world).await;
    send(&queue, numbered("a", 50)).await;
    hold(&queue, 40).await;
    let begin = tokio::time::Instant::now();
    let options = ReceiveOptions::up_to(20).wait_time(secs(20));
    assert_eq!(queue.receive(options).await.unwrap().len(), 10);
    assert_eq!(begin.elapsed(), std::time::Duration::ZERO);
}

/// Q102: of several that are noisy, the one with the fewest in flight.
async fn of_several_noisy_tenants_the_one_with_fewest_in_flight_comes_first(world: World) {
    let (_world, _broker, queue) = bulk_queue(world).await;
    send(&queue, numbered("a", 50)).await;
    send(&queue, numbered("b", 35)).await;
    hold(&queue, 85).await;
    send(&queue, (50..60).map(|n| format!("a{n}"))).await;
    send(&queue, (35..45).map(|n| format!("b{n}"))).await;
    for n in 35..40 {
        assert_eq!(texts(&poll_for(&queue, 1, LONG).await), [format!("b{n}")]);
    }
    send(&queue, ["q0".into()]).await;
    assert_eq!(texts(&poll_for(&queue, 1, LONG).await), ["q0"], "before both of them");
    let received = poll_for(&queue, 5, LONG).await;
    assert!(received.iter().all(|message| message.group_id.as_deref() == Some("b")));
    assert_eq!(texts(&poll_for(&queue, 1, LONG).await), ["a50"], "nothing of b is left");
}

/// Works for `time` at the next message.
async fn work(queue: &LocalQueue, time: std::time::Duration) {
    let message = poll_for(queue, 1, LONG).await;
    advance(time).await;
    delete_all(queue, &message).await;
}

/// Q101: a tenant whose messages take most of the consumers' time is noisy with few in flight.
async fn a_tenant_that_takes_more_than_a_tenth_of_the_time_is_noisy(world: World) {
    let (_world, _broker, queue) = bulk_queue(world).await;
    send(&queue, numbered("", 10)).await;
    send(&queue, numbered("a", 20)).await;
    for _ in 0..10 {
        work(&queue, secs(1)).await;
    }
    work(&queue, secs(2)).await;
    assert!(lets_another_pass(&queue).await, "two of twelve seconds");
}

/// Q101: one whose messages take less is not.
async fn a_tenant_that_takes_less_than_a_tenth_of_the_time_is_not_noisy(world: World) {
    let (_world, _broker, queue) = bulk_queue(world).await;
    send(&queue, numbered("", 10)).await;
    send(&queue, numbered("a", 20)).await;
    for _ in 0..11 {
        work(&queue, secs(1)).await;
    }
    assert!(!lets_another_pass(&queue).await, "one of eleven seconds");
}

/// Q101: the time until a message is visible again counts like that until it is deleted.
async fn time_in_flight_counts_however_it_ends(world: World) {
    let world = world.limits(bulk());
    for expires in [true, false] {
        let broker = world.broker().await;
        let queue = broker.queue(format!("q{expires}")).await.unwrap();
        send(&queue, numbered("a", 20)).await;
        let message = poll_for(&queue, 1, secs(if expires { 10 } else { 100 })).await.remove(0);
        assert_eq!(message.text(), Ok("a0"));
        advance(secs(10)).await;
        if !expires {
            queue.change_visibility(message.receipt, secs(0)).await.unwrap();
        }
        assert_eq!(counts(&queue).await, [20, 0, 0]);
        assert!(lets_another_pass(&queue).await, "expires: {expires}");
        broker.close().await.unwrap();
    }
}

/// Q103: a tenant that was noisy is until its backlog is drained, also with less in flight; then it begins anew.
async fn a_noisy_tenant_is_quiet_again_when_its_backlog_is_drained(world: World) {
    let (_world, _broker, queue) = bulk_queue(world).await;
    send(&queue, numbered("a", 60)).await;
    let held = hold(&queue, 40).await;
    assert!(lets_another_pass(&queue).await);
    delete_all(&queue, &held).await;
    send(&queue, ["b0".into()]).await;
    let rest = poll_for(&queue, 21, LONG).await;
    assert_eq!((rest.len(), rest[0].text()), (21, Ok("b0")), "although only a few are in flight");
    assert!(poll(&queue, 1).await.is_empty());
    send(&queue, numbered("a", 10)).await;
    assert!(!lets_another_pass(&queue).await);
}

/// Q101: what took the consumers' time a while ago does not matter any more.
async fn a_share_of_the_time_is_forgotten(world: World) {
    let (_world, _broker, queue) = bulk_queue(world).await;
    send(&queue, numbered("a", 10)).await;
    let all = hold(&queue, 10).await;
    advance(secs(10)).await;
    delete_all(&queue, &all).await;
    advance(secs(150)).await;
    send(&queue, numbered("a", 10)).await;
    assert!(!lets_another_pass(&queue).await);
}

/// Q103: a tenant that has sent nothing for five minutes is not noisy, whatever it has in flight.
async fn a_tenant_is_quiet_again_when_it_has_sent_nothing_for_5_minutes(world: World) {
    let world = world.limits(bulk());
    for (silent, noisy) in [(secs(300) - ms(1), true), (secs(300), false)] {
        let broker = world.broker().await;
        let queue = broker.queue(format!("q{noisy}")).await.unwrap();
        send(&queue, numbered("a", 100)).await;
        hold(&queue, 40).await;
        advance(silent).await;
        assert_eq!(lets_another_pass(&queue).await, noisy, "{silent:?}");
        send(&queue, ["a100", "b1"].map(str::to_owned)).await;
        let next = poll_for(&queue, 1, LONG).await;
        assert_ne!(next[0].group_id.as_deref(), Some("a"), "it sends again");
        broker.close().await.unwrap();
    }
}

/// Q104.
async fn messages_of_one_group_are_in_flight_together(world: World) {
    let (broker, queue) = world.queue().await;
    send(&queue, numbered("a", 10)).await;
    let mut received = poll(&queue, 2).await;
    for _ in 0..4 {
        received.extend(poll(&queue, 2).await);
    }
    assert_eq!(texts(&received), numbered("a", 10));
    let (_broker, queue) = world.reopened(broker).await;
    queue.change_visibility(received[7].receipt, secs(0)).await.unwrap();
    assert_eq!(texts(&poll(&queue, 10).await), ["a7"], "although those before it are in flight");
    assert_eq!(counts(&queue).await, [0, 10, 0]);
}

/// Q100: tenants may be as many as there are messages, and nobody's messages are lost in being fair.
async fn every_message_of_a_thousand_tenants_is_delivered_once(world: World) {
    let (_world, _broker, queue) = bulk_queue(world).await;
    send(&queue, numbered("a", 400)).await;
    let mut left: std::collections::BTreeSet<String> = numbered("a", 400).into_iter().collect();
    let others: Vec<String> = (0..1_000).map(|n| format!("t{n}-0")).collect();
    left.extend(others.iter().cloned());
    let mut in_flight = hold(&queue, 100).await;
    send(&queue, others).await;
    while !left.is_empty() {
        let received = poll_for(&queue, 150, LONG).await;
        assert!(!received.is_empty() || !in_flight.is_empty());
        for message in &in_flight {
            assert!(left.remove(message.text().unwrap()), "{message:?} came twice");
        }
        if !in_flight.is_empty() {
            delete_all(&queue, &in_flight).await;
        }
        in_flight = received;
    }
    assert_eq!(counts(&queue).await, [0, 0, 0]);
}

/// Q102: also with a backlog that memory does not hold.
async fn quiet_messages_are_found_behind_a_long_noisy_backlog(world: World) {
    let (_world, _broker, queue) = bulk_queue(world).await;
    send(&queue, numbered("a", 3_000)).await;
    hold(&queue, 40).await;
    send(&queue, numbered("b", 3)).await;
    assert_eq!(texts(&poll_for(&queue, 5, LONG).await), ["b0", "b1", "b2", "a40", "a41"]);
}

everywhere! {
    while_a_tenant_is_noisy_the_messages_of_others_come_first,
    a_tenant_with_less_than_30_in_flight_is_not_noisy,
    a_tenant_with_a_tenth_of_what_is_in_flight_is_not_noisy,
    messages_without_a_group_are_never_noisy,
    if_no_quiet_message_waits_noisy_ones_are_returned,
    a_long_poll_returns_noisy_messages_at_once,
    of_several_noisy_tenants_the_one_with_fewest_in_flight_comes_first,
    a_tenant_that_takes_more_than_a_tenth_of_the_time_is_noisy,
    a_tenant_that_takes_less_than_a_tenth_of_the_time_is_not_noisy,
    time_in_flight_counts_however_it_ends,
    a_noisy_tenant_is_quiet_again_when_its_backlog_is_drained,
    a_share_of_the_time_is_forgotten,
    a_tenant_is_quiet_again_when_it_has_sent_nothing_for_5_minutes,
    messages_of_one_group_are_in_flight_together,
    every_message_of_a_thousand_tenants_is_delivered_once,
    quiet_messages_are_found_behind_a_long_noisy_backlog,
}

//! Message groups: the core rule F30 with its four timelines, F31 to F35, F37 and F38; IF1, IF6, IF7, IF8.

use std::time::Duration;

use broker_core::{AttributeValue, QueueSettings, ReceiveOptions};

use crate::{
    fifo_support::{delete, fifo, give_back, send},
    support::{World, advance, counts, ms, poll, poll_for, secs, take, texts, waiter},
};

/// F30, IF8. [`test_fifo_message_group_visibility`]
async fn timeline_1_a_message_in_flight_blocks_those_sent_after_it(world: World) {
    let (_broker, queue) = world.fifo().await;
    send(&queue, &["a1"]).await;
    let first = take(&queue).await;
    send(&queue, &["a2"]).await;
    assert!(poll(&queue, 10).await.is_empty());
    let waiting = waiter(&queue, secs(20)).await;
    advance(secs(5)).await;
    queue.delete(first.receipt).await.unwrap();
    let (received, waited) = waiting.await.unwrap();
    assert_eq!((texts(&received.unwrap()), waited), (vec!["a2"], secs(5) + ms(1)), "at once");
}

/// F30: the other end of the first timeline.
async fn timeline_1_a_message_that_is_visible_again_comes_before_those_sent_after_it(world: World) {
    let (_broker, queue) = world.fifo().await;
    send(&queue, &["a1"]).await;
    take(&queue).await;
    send(&queue, &["a2"]).await;
    advance(secs(30) - ms(1)).await;
    assert!(poll(&queue, 10).await.is_empty());
    advance(ms(1)).await;
    assert_eq!(texts(&poll(&queue, 10).await), ["a1", "a2"]);
}

/// F30. [`test_fifo_message_group_visibility_after_partial_delete`]
async fn timeline_2_after_a_partial_delete_the_rest_in_flight_blocks(world: World) {
    let (_broker, queue) = world.fifo().await;
    send(&queue, &["a1", "a2"]).await;
    let received = poll(&queue, 10).await;
    assert_eq!(texts(&received), ["a1", "a2"]);
    queue.delete(received[0].receipt).await.unwrap();
    assert!(poll(&queue, 10).await.is_empty());
    send(&queue, &["a3"]).await;
    assert!(poll(&queue, 10).await.is_empty(), "neither a2, in flight, nor a3 behind it");
    advance(secs(30)).await;
    assert_eq!(texts(&poll(&queue, 10).await), ["a2", "a3"]);
}

/// F30. [`test_fifo_message_group_visibility_after_terminate_visibility_timeout`]
async fn timeline_3_a_head_made_visible_comes_alone(world: World) {
    let (_broker, queue) = world.fifo().await;
    send(&queue, &["a1", "a2"]).await;
    let received = poll(&queue, 10).await;
    queue.change_visibility(received[0].receipt, Duration::ZERO).await.unwrap();
    let again = poll(&queue, 10).await;
    assert_eq!((texts(&again), again[0].receive_count), (vec!["a1"], 2));
    assert!(poll(&queue, 10).await.is_empty());
    delete(&queue, &again).await;
    assert!(poll(&queue, 10).await.is_empty(), "a2 is in flight as before");
    advance(secs(30)).await;
    assert_eq!(texts(&poll(&queue, 10).await), ["a2"]);
}

/// F30, IF7. [`test_fifo_group_visibility_extends`, November 2025] The prefix that is visible ends before the one that
/// was extended.
async fn timeline_4_extending_one_of_three_blocks_the_group_from_there(world: World) {
    let (_broker, queue) = world.fifo().await;
    for (extended, expected) in [(0, vec![]), (1, vec!["a1"]), (2, vec!["a1", "a2"])] {
        queue.purge().await.unwrap();
        send(&queue, &["a1", "a2", "a3"]).await;
        let received = poll_for(&queue, 10, secs(1)).await;
        assert_eq!(texts(&received), ["a1", "a2", "a3"]);
        queue.change_visibility(received[extended].receipt, secs(4)).await.unwrap();
        advance(ms(2_500)).await;
        assert_eq!(texts(&poll_for(&queue, 10, secs(1)).await), expected);
        assert!(poll(&queue, 10).await.is_empty());
        advance(ms(1_500)).await;
        assert_eq!(texts(&poll(&queue, 10).await), ["a1", "a2", "a3"]);
    }
}

/// F31: as many as possible from one group before the next, in the order of sending. Sent g1m1, g2m1, g1m2, g1m3.
async fn a_receive_takes_as_many_as_it_can_from_one_group(world: World) {
    let (_broker, queue) = world.fifo().await;
    send(&queue, &["a1", "b1", "a2", "a3"]).await;
    let received = poll(&queue, 10).await;
    assert_eq!(texts(&received), ["a1", "a2", "a3", "b1"]);
    assert!(poll(&queue, 10).await.is_empty());
}

/// F31, IF1, IF6: what one receive leaves of a group is blocked by what it took, a part of the group or all.
async fn a_receive_takes_the_beginning_of_a_group(world: World) {
    let (_broker, queue) = world.fifo().await;
    send(&queue, &["a1", "a2", "a3", "a4"]).await;
    let received = poll(&queue, 3).await;
    assert_eq!(texts(&received), ["a1", "a2", "a3"]);
    assert!(poll(&queue, 10).await.is_empty());
    delete(&queue, &received[..2]).await;
    assert!(poll(&queue, 10).await.is_empty());
    advance(secs(30)).await;
    assert_eq!(texts(&poll(&queue, 10).await), ["a3", "a4"]);
}

/// F31, F33: other groups go on, and each is received by one consumer at a time.
async fn groups_do_not_block_each_other(world: World) {
    let (_broker, queue) = world.fifo().await;
    send(&queue, &["a1", "a2", "b1", "b2", "c1", "c2"]).await;
    let first = poll(&queue, 1).await;
    let mut others = [poll(&queue, 1).await, poll(&queue, 1).await].concat();
    assert!(poll(&queue, 10).await.is_empty());
    others.extend(first.clone());
    let mut heads = texts(&others);
    heads.sort_unstable();
    assert_eq!(heads, ["a1", "b1", "c1"]);
    delete(&queue, &first).await;
    let next = poll(&queue, 10).await;
    assert_eq!(texts(&next), [first[0].text().unwrap().replace('1', "2")]);
}

/// F32.
async fn messages_received_together_have_timers_of_their_own(world: World) {
    let (broker, queue) = world.fifo().await;
    send(&queue, &["a1", "a2", "b1"]).await;
    let received = poll(&queue, 10).await;
    queue.change_visibility(received[1].receipt, secs(10)).await.unwrap();
    queue.change_visibility(received[2].receipt, secs(20)).await.unwrap();
    let (_broker, queue) = world.fifo_reopened(broker).await;
    advance(secs(10)).await;
    assert_eq!(counts(&queue).await, [1, 2, 0], "a2 is visible, and blocked by a1");
    assert!(poll(&queue, 10).await.is_empty());
    advance(secs(10)).await;
    assert_eq!(texts(&poll(&queue, 10).await), ["b1"]);
    advance(secs(10)).await;
    assert_eq!(texts(&poll(&queue, 10).await), ["a1", "a2"]);
}

/// F33, IF3: a group that always has something does not keep another from its turn.
async fn a_busy_group_starves_no_other(world: World) {
    let (_broker, queue) = world.fifo().await;
    send(&queue, &["a1", "a2", "a3", "b1", "c1"]).await;
    let mut waiting = vec!["b1", "c1"];
    for n in 4..14 {
        let received = poll(&queue, 1).await;
        waiting.retain(|body| received[0].text() != Ok(body));
        delete(&queue, &received).await;
        send(&queue, &[&format!("a{n}")]).await;
    }
    assert!(waiting.is_empty(), "ten receives and not once {waiting:?}");
}

/// F33, IF3: nor does one whose consumers always fail, by expiry or by giving it back.
async fn a_failing_group_starves_no_other(world: World) {
    let (_broker, queue) = world.fifo().await;
    send(&queue, &["a1", "a2", "b1", "c1", "c2"]).await;
    let mut done = Vec::new();
    for round in 0..20 {
        let received = poll_for(&queue, 1, secs(2)).await;
        match received.first() {
            Some(message) if message.group_id.as_deref() != Some("a") => {
                done.push(message.text().unwrap().to_owned());
                delete(&queue, &received).await;
            }
            Some(_) if round % 2 == 0 => give_back(&queue, &received).await,
            _ => advance(secs(1)).await,
        }
    }
    done.sort_unstable();
    assert_eq!(done, ["b1", "c1", "c2"]);
}

/// F34. The same message twice in one response is allowed, and not what we do.
async fn with_a_timeout_of_zero_the_group_stays_available(world: World) {
    let (_broker, queue) = world.fifo().await;
    send(&queue, &["a1", "a2", "b1", "a3"]).await;
    for round in 1..=3 {
        let mut received = poll_for(&queue, 10, Duration::ZERO).await;
        received.sort_by_key(|message| message.group_id.clone());
        assert_eq!(texts(&received), ["a1", "a2", "a3", "b1"], "in order, none twice");
        assert!(received.iter().all(|message| message.receive_count == round));
        assert_eq!(counts(&queue).await, [4, 0, 0]);
    }
    assert_eq!(poll_for(&queue, 1, Duration::ZERO).await.len(), 1);
    assert_eq!(poll(&queue, 10).await.len(), 4);
}

/// F37. [`test_fifo_approx_number_of_messages`]
async fn blocked_messages_count_as_visible(world: World) {
    let (broker, queue) = world.fifo().await;
    send(&queue, &["a1", "a2", "b1", "b2", "c1", "c2"]).await;
    assert_eq!(counts(&queue).await, [6, 0, 0]);
    assert_eq!(poll(&queue, 1).await.len() + poll(&queue, 1).await.len(), 2);
    assert_eq!(counts(&queue).await, [4, 2, 0]);
    let (broker, queue) = world.fifo_reopened(broker).await;
    assert_eq!(counts(&queue).await, [4, 2, 0]);
    let last = poll(&queue, 10).await;
    assert_eq!((last.len(), counts(&queue).await), (2, [2, 4, 0]));
    delete(&queue, &last).await;
    assert_eq!(counts(&queue).await, [2, 2, 0]);
    advance(secs(30)).await;
    let (_broker, queue) = world.fifo_reopened(broker).await;
    assert_eq!(counts(&queue).await, [4, 0, 0]);
}

/// F38: whatever a standard queue delivers, and three more.
async fn a_message_of_a_fifo_queue_carries_group_id_and_number(world: World) {
    let (broker, queue) = world.fifo().await;
    let message = fifo("a1").trace_header("trace").attribute("key", AttributeValue::number(1));
    let sent = queue.send(message.clone()).await.unwrap();
    advance(secs(5)).await;
    let (_broker, queue) = world.fifo_reopened(broker).await;
    let received = take(&queue).await;
    assert_eq!((received.id, received.sequence_number), (sent.id, sent.sequence_number));
    assert_eq!((&received.body, &received.attributes), (&message.body, &message.attributes));
    assert_eq!((&received.group_id, &received.trace_header), (&message.group_id, &message.trace_header));
    assert_eq!((received.deduplication_id, received.dead_letter), (message.deduplication_id, None));
    assert_eq!((received.receive_count, received.first_received_at.since(received.sent_at)), (1, secs(5)));
}

/// F30: a message of a group that is in flight keeps its place when it has been received often.
async fn order_holds_whatever_the_receive_counts_are(world: World) {
    let (broker, queue) = world.fifo().await;
    send(&queue, &["a1", "a2", "a3"]).await;
    for _ in 0..3 {
        let received = poll(&queue, 2).await;
        assert_eq!(texts(&received), ["a1", "a2"]);
        queue.change_visibility(received[1].receipt, Duration::ZERO).await.unwrap();
        assert!(poll(&queue, 10).await.is_empty(), "a2 is visible and a1 is not");
        queue.change_visibility(received[0].receipt, Duration::ZERO).await.unwrap();
    }
    let (_broker, queue) = world.fifo_reopened(broker).await;
    let received = poll(&queue, 10).await;
    assert_eq!(texts(&received), ["a1", "a2", "a3"]);
    assert_eq!(received.iter().map(|message| message.receive_count).collect::<Vec<_>>(), [4, 4, 1]);
}

/// F31: the visibility timeout and the wait are those of the call or of the queue, as on a standard queue.
async fn a_long_poll_of_a_fifo_queue_takes_what_is_there(world: World) {
    let (_broker, queue) = world.fifo().await;
    queue.set_attributes(QueueSettings::new().visibility_timeout(secs(3))).await.unwrap();
    send(&queue, &["a1", "a2"]).await;
    let received = queue.receive(ReceiveOptions::up_to(10).wait_time(secs(20))).await.unwrap();
    assert_eq!(texts(&received), ["a1", "a2"]);
    advance(secs(3)).await;
    assert_eq!(texts(&poll(&queue, 10).await), ["a1", "a2"]);
}

everywhere! {
    timeline_1_a_message_in_flight_blocks_those_sent_after_it,
    timeline_1_a_message_that_is_visible_again_comes_before_those_sent_after_it,
    timeline_2_after_a_partial_delete_the_rest_in_flight_blocks,
    timeline_3_a_head_made_visible_comes_alone,
    timeline_4_extending_one_of_three_blocks_the_group_from_there,
    a_receive_takes_as_many_as_it_can_from_one_group,
    a_receive_takes_the_beginning_of_a_group,
    groups_do_not_block_each_other,
    messages_received_together_have_timers_of_their_own,
    a_busy_group_starves_no_other,
    a_failing_group_starves_no_other,
    with_a_timeout_of_zero_the_group_stays_available,
    blocked_messages_count_as_visible,
    a_message_of_a_fifo_queue_carries_group_id_and_number,
    order_holds_whatever_the_receive_counts_are,
    a_long_poll_of_a_fifo_queue_takes_what_is_there,
}

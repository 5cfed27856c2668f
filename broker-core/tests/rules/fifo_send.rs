//! Sending to FIFO queues: rules F10 to F15, and the sequence numbers of IF4.

use broker_core::{
    AttributeValue, Broker, Clock, Entries, Error, ManualClock, SendMessage, SequenceNumber, Timestamp,
};
use broker_mem::MemStorage;

use crate::{
    fifo_support::{NAME, delete, fifo, send},
    support::{World, advance, assert_invalid, counts, ms, poll, refusal, secs, take, texts},
};

const PUNCTUATION: &str = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";

/// F10.
async fn a_message_without_a_group_is_refused(world: World) {
    let (_broker, queue) = world.fifo().await;
    let without = SendMessage::from("m").deduplication_id("d");
    let error = refusal(&queue, queue.send(without.clone())).await;
    assert!(matches!(error, Error::MissingParameter { field: "group_id" }), "{error:?}");
    queue.send(without.group_id("g")).await.expect("the refused one has not used up the id");
}

/// F10: not entry by entry.
async fn an_entry_without_a_group_fails_its_whole_batch(world: World) {
    let (_broker, queue) = world.fifo().await;
    let without = SendMessage::from("m").deduplication_id("d");
    for entries in [[fifo("a1"), without.clone()], [without.clone(), fifo("a1")]] {
        let error = refusal(&queue, queue.send_batch(entries.into_iter().collect())).await;
        assert!(matches!(error, Error::MissingParameter { field: "group_id" }), "{error:?}");
    }
    assert!(!queue.send(fifo("a1")).await.unwrap().duplicate);
}

/// F10.
async fn a_group_has_1_to_128_letters_digits_and_punctuation(world: World) {
    let (_broker, queue) = world.fifo().await;
    let longest = "g".repeat(128);
    for group in ["g", "0", PUNCTUATION, &longest] {
        queue.send(SendMessage::from("m").group_id(group).deduplication_id(group)).await.unwrap();
        assert_eq!(take(&queue).await.group_id.as_deref(), Some(group));
    }
    let long = "g".repeat(129);
    for group in ["", " ", "a b", "é", "a\n", "\u{7f}", &long] {
        let message = SendMessage::from("m").group_id(group).deduplication_id("new");
        let error = refusal(&queue, queue.send(message)).await;
        assert!(matches!(error, Error::InvalidParameter { field: "group_id", .. }), "{error:?}");
        assert!(error.to_string().contains("1 to 128"));
    }
}

/// F11.
async fn a_deduplication_id_has_1_to_128_letters_digits_and_punctuation(world: World) {
    let (_broker, queue) = world.fifo().await;
    let longest = "d".repeat(128);
    for id in ["d", "0", PUNCTUATION, &longest] {
        queue.send(SendMessage::from("m").group_id(id).deduplication_id(id)).await.unwrap();
        assert_eq!(take(&queue).await.deduplication_id.as_deref(), Some(id));
    }
    let long = "d".repeat(129);
    for id in ["", " ", "a b", "é", "a\n", "\u{7f}", &long] {
        let message = SendMessage::from("m").group_id("new").deduplication_id(id);
        let error = refusal(&queue, queue.send(message)).await;
        assert!(matches!(error, Error::InvalidParameter { field: "deduplication_id", .. }), "{error:?}");
        assert!(error.to_string().contains("1 to 128"));
    }
}

/// F11.
async fn with_neither_an_id_nor_content_a_message_is_refused(world: World) {
    let (_broker, queue) = world.fifo().await;
    let without = SendMessage::from("m").group_id("g");
    let error = refusal(&queue, queue.send(without.clone())).await;
    assert!(matches!(error, Error::InvalidParameter { field: "deduplication_id", .. }), "{error:?}");
    for entries in [[fifo("a1"), without.clone()], [without.clone(), fifo("a1")]] {
        let error = refusal(&queue, queue.send_batch(entries.into_iter().collect())).await;
        assert!(matches!(error, Error::InvalidParameter { field: "deduplication_id", .. }), "{error:?}");
    }
    assert!(!queue.send(fifo("a1")).await.unwrap().duplicate, "nothing of the batches was sent");
}

/// F11, F38: the hash of the body alone, and an explicit id before it.
async fn by_content_the_id_is_the_sha_256_of_the_body(world: World) {
    let broker = world.broker().await;
    let queue = broker.queue(NAME).fifo().dedup_by_content().await.unwrap();
    let hello = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
    let plain = SendMessage::from("hello").group_id("g");
    let first = queue.send(plain.clone()).await.unwrap();
    let with_attribute = plain.clone().attribute("a", AttributeValue::string("b"));
    assert!(queue.send(with_attribute).await.unwrap().duplicate, "attributes do not count");
    let explicit = queue.send(plain.deduplication_id("own")).await.unwrap();
    assert!(!explicit.duplicate, "an explicit id wins");
    let other_body = SendMessage::from("hello ").group_id("g");
    assert!(!queue.send(other_body).await.unwrap().duplicate);
    let received = poll(&queue, 10).await;
    let ids: Vec<_> = received.iter().map(|message| message.deduplication_id.as_deref()).collect();
    assert_eq!(ids[..2], [Some(hello), Some("own")]);
    assert_eq!((ids.len(), received[0].id, received[1].id), (3, first.id, explicit.id));
}

/// F12: with an id of its own or without.
async fn a_message_cannot_have_a_delay_of_its_own(world: World) {
    let broker = world.broker().await;
    let queue = broker.queue(NAME).fifo().dedup_by_content().await.unwrap();
    for message in [fifo("a1"), SendMessage::from("m").group_id("a")] {
        for delay in [ms(1), secs(2), secs(900)] {
            let error = refusal(&queue, queue.send(message.clone().delay(delay))).await;
            assert_invalid(&error, "delay", &format!("{delay:?}"), "FIFO");
        }
        let sent =
            queue.send_batch([fifo("b1"), message.delay(secs(2))].into_iter().collect()).await.unwrap();
        assert_eq!((sent.successful().count(), sent.failed().count()), (1, 1));
    }
    assert_eq!(texts(&poll(&queue, 10).await), ["b1"]);
}

/// F12: zero is taken and ignored.
async fn a_delay_of_zero_leaves_the_delay_of_the_queue(world: World) {
    let broker = world.broker().await;
    let queue = broker.queue(NAME).fifo().delay(secs(10)).await.unwrap();
    queue.send(fifo("a1").delay(secs(0))).await.unwrap();
    queue.send(fifo("a2")).await.unwrap();
    assert_eq!(counts(&queue).await, [0, 0, 2]);
    advance(secs(10) - ms(1)).await;
    assert!(poll(&queue, 10).await.is_empty());
    advance(ms(1)).await;
    assert_eq!(texts(&poll(&queue, 10).await), ["a1", "a2"]);
}

/// F13, F38: a number of 20 digits that the message carries; neighbours are not consecutive.
async fn sequence_numbers_have_20_digits_and_increase(world: World) {
    let (broker, queue) = world.fifo().await;
    let sent = send(&queue, &["a1", "b1", "a2", "a3", "b2"]).await;
    let numbers: Vec<SequenceNumber> = sent.iter().map(|sent| sent.sequence_number.unwrap()).collect();
    assert!(numbers.is_sorted_by(|a, b| a < b));
    assert!(numbers.windows(2).all(|pair| pair[1].as_u128() - pair[0].as_u128() > 1));
    for number in &numbers {
        let text = number.to_string();
        assert!(text.len() == 20 && text.bytes().all(|b| b.is_ascii_digit()), "{text}");
    }
    for message in poll(&queue, 10).await {
        let sent = sent.iter().find(|sent| sent.id == message.id).unwrap();
        assert_eq!(message.sequence_number, sent.sequence_number);
    }
    let standard = broker.queue("orders").await.unwrap();
    assert_eq!(standard.send("m").await.unwrap().sequence_number, None);
    assert_eq!(take(&standard).await.sequence_number, None);
}

/// IF4: no number comes twice, whatever became of its message.
async fn sequence_numbers_go_on_after_delete_purge_and_restart(world: World) {
    let (mut broker, mut queue) = world.fifo().await;
    let mut newest = send(&queue, &["a1"]).await[0].sequence_number;
    for n in 0..4 {
        let received = poll(&queue, 10).await;
        match n {
            0 => delete(&queue, &received).await,
            1 => queue.purge().await.unwrap(),
            2 => advance(secs(345_600)).await,
            _ => {}
        }
        assert!(n == 3 || counts(&queue).await == [0, 0, 0]);
        (broker, queue) = world.fifo_reopened(broker).await;
        if n == 1 {
            queue.purge().await.unwrap();
        }
        let number = queue.send(fifo(&format!("b{n}"))).await.unwrap().sequence_number;
        assert!(number > newest, "{number:?} after {newest:?}");
        newest = number;
    }
}

/// IF4: the clock has no part in it.
#[tokio::test]
async fn sequence_numbers_go_on_when_the_clock_steps_back() {
    let (store, clock) = (MemStorage::new(), ManualClock::new(50_000_000));
    let mut newest = None;
    for n in 0..3 {
        let broker = Broker::builder(store.clone()).clock(clock.clone()).open().await.unwrap();
        let queue = broker.queue(NAME).fifo().await.unwrap();
        let number = queue.send(fifo(&format!("a{n}"))).await.unwrap().sequence_number;
        assert!(number > newest);
        clock.set(Timestamp::from_millis(Clock::now(&clock).as_millis() - 10_000_000));
        newest = queue.send(fifo(&format!("b{n}"))).await.unwrap().sequence_number;
        assert!(newest > number);
        broker.close().await.unwrap();
    }
}

/// F14, F15: the entries of a batch in their order, and batches in that of the calls.
async fn the_order_of_a_group_is_the_order_of_sending(world: World) {
    let (broker, queue) = world.fifo().await;
    let mut expected = Vec::new();
    for call in 0..5 {
        let bodies: Vec<String> = (0..10).map(|entry| format!("a{}", call * 10 + entry)).collect();
        let sent = queue.send_batch(bodies.iter().map(|body| fifo(body)).collect()).await.unwrap();
        let sent = sent.all().unwrap();
        assert!(sent.is_sorted_by(|a, b| a.sequence_number < b.sequence_number));
        expected.extend(bodies);
    }
    let (_broker, queue) = world.fifo_reopened(broker).await;
    let mut received = Vec::new();
    for _ in 0..5 {
        let some = poll(&queue, 10).await;
        delete(&queue, &some).await;
        received.extend(some);
    }
    assert_eq!(texts(&received), expected);
    assert!(received.is_sorted_by(|a, b| a.sequence_number < b.sequence_number));
}

/// F14 with Q43: an entry that fails alone takes no place, and leaves its id free.
async fn a_bad_entry_of_a_fifo_batch_fails_alone(world: World) {
    let broker = world.broker().await;
    let queue = broker.queue(NAME).fifo().max_message_size(1024).await.unwrap();
    let too_large = SendMessage::from("x".repeat(1025)).group_id("a").deduplication_id("large");
    let mut entries: Entries<_> = [fifo("a1"), too_large, fifo("a2")].into_iter().collect();
    entries.push_named("chars", SendMessage::from("\0").group_id("a").deduplication_id("chars"));
    entries.push_named("group", SendMessage::from("m").group_id("").deduplication_id("group"));
    entries.push_named("id", SendMessage::from("m").group_id("a").deduplication_id(""));
    let sent = queue.send_batch(entries).await.unwrap();
    let failed: Vec<_> = sent.failed().map(|(id, error)| (id.to_string(), error.clone())).collect();
    assert!(matches!(failed[0].1, Error::MessageTooLong { bytes: 1025, max: 1024 }));
    assert!(matches!(failed[1].1, Error::InvalidMessageContents { position: 0, .. }));
    assert_invalid(&failed[2].1, "group_id", "", "1 to 128");
    assert_invalid(&failed[3].1, "deduplication_id", "", "1 to 128");
    for (id, body) in [("large", "a3"), ("chars", "a4")] {
        assert!(!queue.send(fifo(body).deduplication_id(id)).await.unwrap().duplicate, "{id}");
    }
    assert_eq!(texts(&poll(&queue, 10).await), ["a1", "a2", "a3", "a4"]);
}

everywhere! {
    a_message_without_a_group_is_refused,
    an_entry_without_a_group_fails_its_whole_batch,
    a_group_has_1_to_128_letters_digits_and_punctuation,
    a_deduplication_id_has_1_to_128_letters_digits_and_punctuation,
    with_neither_an_id_nor_content_a_message_is_refused,
    by_content_the_id_is_the_sha_256_of_the_body,
    a_message_cannot_have_a_delay_of_its_own,
    a_delay_of_zero_leaves_the_delay_of_the_queue,
    sequence_numbers_have_20_digits_and_increase,
    sequence_numbers_go_on_after_delete_purge_and_restart,
    the_order_of_a_group_is_the_order_of_sending,
    a_bad_entry_of_a_fifo_batch_fails_alone,
}

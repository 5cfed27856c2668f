//! Any message, to a standard or a FIFO queue: it is refused, or it is received as it was sent, also after the store was
//! opened again. On a FIFO queue its repeat is a duplicate, until its deduplication id is forgotten.

use std::time::Duration;

use arbitrary::Arbitrary;
use broker_core::{AttributeValue, BodyRule, Certainty, Limits, ManualClock, QueueExt, SendMessage, Sent};
use broker_mem::MemStorage;

use crate::{BEGIN_MS, block_on, builder, input};

#[derive(Debug, Arbitrary)]
struct Input {
    fifo: Option<Fifo>,
    any_bytes: bool,
    body: Vec<u8>,
    attributes: Vec<(String, String, Data)>,
    delay_ms: Option<u32>,
    group_id: Option<String>,
    deduplication_id: Option<String>,
    trace_header: Option<String>,
    reopen: bool,
}

#[derive(Debug, Arbitrary)]
enum Fifo {
    ByContent,
    ById,
}

#[derive(Debug, Arbitrary)]
enum Data {
    Text(String),
    Binary(Vec<u8>),
}

/// How long a deduplication id is remembered.
const WINDOW: Duration = Duration::from_secs(300);

/// Does what the bytes stand for. Returns whether they stand for anything.
pub fn run(bytes: &[u8]) -> bool {
    input(bytes, exercise)
}

fn exercise(input: &Input) {
    block_on(send_and_receive(input));
}

fn message(input: &Input) -> SendMessage {
    let mut message = SendMessage::new(input.body.clone());
    for (name, data_type, data) in &input.attributes {
        let value = match data {
            Data::Text(text) => AttributeValue::from_text(data_type.clone(), text.clone()),
            Data::Binary(bytes) => AttributeValue::from_binary(data_type.clone(), bytes.clone().into()),
        };
        message.attributes.insert(name.clone(), value);
    }
    message.delay = input.delay_ms.map(|ms| Duration::from_millis(ms.into()));
    message.group_id.clone_from(&input.group_id);
    message.deduplication_id.clone_from(&input.deduplication_id);
    message.trace_header.clone_from(&input.trace_header);
    message
}

async fn send_and_receive(input: &Input) {
    let (store, clock) = (MemStorage::new(), ManualClock::new(BEGIN_MS));
    let body = if input.any_bytes { BodyRule::AnyBytes } else { BodyRule::SqsText };
    let limits = Limits { body, ..Limits::aws() };
    let mut broker = builder(&store, &clock).limits(limits.clone()).open().await.expect("memory");
    let name = if input.fifo.is_some() { "q.fifo" } else { "q" };
    let described = match input.fifo {
        Some(Fifo::ByContent) => broker.queue(name).fifo().dedup_by_content(),
        Some(Fifo::ById) => broker.queue(name).fifo(),
        None => broker.queue(name),
    };
    let mut queue = described.await.expect("a good name");
    let message = message(input);
    let sent = match queue.send(message.clone()).await {
        Ok(sent) => sent,
        Err(error) => {
            assert_eq!(error.certainty(), Certainty::Rejected);
            assert_eq!(queue.counters().await.expect("memory").total(), 0, "refused and kept");
            return;
        }
    };
    if input.reopen {
        drop((broker, queue));
        broker = builder(&store, &clock).limits(limits).open().await.expect("its own store");
        queue = broker.open_queue(name).await.expect("it was created");
    }
    if input.fifo.is_some() {
        let again = queue.send(message.clone()).await.expect("it was good before");
        assert_eq!(again, Sent { duplicate: true, ..sent });
    }
    clock.advance(message.delay.unwrap_or_default());
    let received = queue.recv().await.expect("it was sent");
    assert_eq!(received.id, sent.id);
    assert_eq!(received.body, message.body);
    assert_eq!(received.attributes, message.attributes);
    assert_eq!(received.group_id, message.group_id);
    assert_eq!(received.trace_header, message.trace_header);
    assert_eq!(received.receive_count, 1);
    assert_eq!((received.sequence_number, sent.duplicate), (sent.sequence_number, false));
    assert_eq!(received.deduplication_id.is_some(), input.fifo.is_some());
    if message.deduplication_id.is_some() {
        assert_eq!(received.deduplication_id, message.deduplication_id);
    }
    received.ack().await.expect("memory");
    assert_eq!(queue.counters().await.expect("memory").total(), 0);
    if input.fifo.is_some() {
        clock.advance(WINDOW);
        let again = queue.send(message).await.expect("it was good before");
        assert!(!again.duplicate && again.sequence_number > sent.sequence_number);
    }
}

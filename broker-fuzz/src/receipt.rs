//! Text as a receipt handle: a text that parses is the text of what it parsed to, and neither that nor a genuine handle
//! with digits changed does anything to a message but its own.

use arbitrary::Arbitrary;
use broker_core::{Error, ManualClock, QueueExt, ReceiptHandle};
use broker_mem::MemStorage;

use crate::{BEGIN_MS, block_on, builder, input};

#[derive(Debug, Arbitrary)]
struct Input<'a> {
    text: &'a str,
    /// Digits of a genuine handle to change.
    changes: Vec<(u8, u8)>,
}

/// Does what the bytes stand for. Returns whether they stand for anything.
pub fn run(bytes: &[u8]) -> bool {
    input(bytes, exercise)
}

fn exercise(input: &Input<'_>) {
    if let Ok(parsed) = input.text.parse::<ReceiptHandle>() {
        assert_eq!(parsed.to_string(), input.text.to_ascii_lowercase());
    }
    block_on(use_changed(input));
}

async fn use_changed(input: &Input<'_>) {
    let broker = builder(&MemStorage::new(), &ManualClock::new(BEGIN_MS)).open().await.expect("memory");
    let queue = broker.queue("q").await.expect("a good name");
    queue.send("kept").await.expect("a good message");
    let genuine = queue.recv().await.expect("it was sent").receipt;
    let mut digits = genuine.to_string().into_bytes();
    for (at, digit) in &input.changes {
        let at = usize::from(*at) % digits.len();
        digits[at] = *digit;
    }
    let Ok(text) = String::from_utf8(digits) else { return };
    for text in [text.as_str(), input.text] {
        match text.parse::<ReceiptHandle>() {
            Ok(receipt) if receipt != genuine => match queue.delete(receipt).await {
                Ok(_) => {
                    assert_eq!(
                        queue.counters().await.expect("memory").total(),
                        1,
                        "{text} is not its handle"
                    );
                }
                Err(error) => assert!(matches!(error, Error::ReceiptHandleIsInvalid { .. }), "{error}"),
            },
            _ => {}
        }
    }
}

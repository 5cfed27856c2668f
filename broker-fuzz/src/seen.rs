//! What a look at a queue shows, in passing.

use std::collections::BTreeMap;

use broker_core::{LocalQueue, MessageId, PeekOptions, SequenceNumber};
use bytes::Bytes;

/// What of a message never changes: its body and its group.
pub(crate) type Content = (Bytes, Option<String>);

/// The messages of a queue, each with its place.
pub(crate) type Seen = BTreeMap<MessageId, (Content, SequenceNumber)>;

/// All messages of a queue.
pub(crate) async fn look(queue: &LocalQueue) -> Seen {
    let (mut seen, mut page) = (Seen::new(), PeekOptions::up_to(1_000));
    loop {
        let peeked = queue.peek(page).await.expect("memory");
        let Some(last) = peeked.last() else { return seen };
        page = page.after(last.sequence_number);
        let peeked = peeked.into_iter();
        seen.extend(peeked.map(|one| (one.id, ((one.body, one.group_id), one.sequence_number))));
    }
}

/// What is in these messages, whatever their ids.
pub(crate) fn contents(messages: &BTreeMap<MessageId, Content>) -> Vec<&Content> {
    let mut contents: Vec<_> = messages.values().collect();
    contents.sort();
    contents
}

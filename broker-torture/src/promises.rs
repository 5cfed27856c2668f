//! What the children were promised, and whether the store keeps it.

use std::{
    collections::{HashMap, HashSet},
    path::Path,
};

use anyhow::{Context as _, bail, ensure};
use broker_core::{Broker, LocalQueue, LocalStream, PeekOptions, ShardFilter, StartingPosition};

use crate::{
    store::Store,
    work::{self, Item, Place},
};

/// What the children of all lives of a store were promised.
#[derive(Default)]
pub(crate) struct Promises {
    sent: HashSet<Item>,
    deleting: HashSet<Item>,
    deleted: HashSet<Item>,
    received: HashMap<Item, u32>,
}

/// What a store has.
#[derive(Default)]
struct Found {
    /// With the receive count.
    messages: HashMap<Item, u32>,
    records: HashSet<Item>,
}

impl Promises {
    /// Takes note of a line. What is `promised` was heard before the end began; otherwise only intentions count.
    pub(crate) fn hear(&mut self, line: &str, promised: bool) -> anyhow::Result<()> {
        match line.split(' ').collect::<Vec<_>>()[..] {
            ["deleting", item] => drop(self.deleting.insert(item.parse()?)),
            ["sent", item] if promised => drop(self.sent.insert(item.parse()?)),
            ["deleted", item] if promised => drop(self.deleted.insert(item.parse()?)),
            ["received", item, count] if promised => {
                self.received.insert(item.parse()?, count.parse()?);
            }
            ["opened" | "sent" | "deleted" | "received", ..] => {}
            _ => bail!("the child said {line:?}"),
        }
        Ok(())
    }

    /// How many items were acknowledged.
    pub(crate) fn acknowledged(&self) -> u64 {
        (self.sent.len() + self.deleted.len()) as u64
    }

    /// Opens the store and compares. Counts of receives are promised to a process that is killed, not over a power cut.
    pub(crate) fn check(&self, store: Store, directory: &Path, counts: bool) -> anyhow::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        let found = runtime.block_on(look(store, directory))?;
        for item in &self.sent {
            let there = match item.place {
                Place::Stream => found.records.contains(item),
                _ => found.messages.contains_key(item) || self.deleting.contains(item),
            };
            ensure!(there, "{item} was acknowledged and is lost");
        }
        for item in &self.deleted {
            ensure!(!found.messages.contains_key(item), "{item} was deleted and came back");
        }
        for (item, count) in self.received.iter().filter(|_| counts) {
            let kept = found.messages.get(item).is_none_or(|found| found >= count);
            ensure!(kept, "{item} was handed out for the time {count}, which was not counted");
        }
        Ok(())
    }
}

async fn look(store: Store, directory: &Path) -> anyhow::Result<Found> {
    let opened = store.open(directory).context("opening the store")?;
    let broker = Broker::builder_on(opened).open().await.context("opening the broker")?;
    let mut found = Found::default();
    // A first life may end before they are there.
    let names = broker.list_queues("");
    for name in [work::QUEUE, work::FIFO].into_iter().filter(|name| names.iter().any(|there| there == name)) {
        messages(&broker.open_queue(name).await?, &mut found).await?;
    }
    if broker.list_streams().iter().any(|there| there == work::STREAM) {
        records(&broker.open_stream(work::STREAM).await?, &mut found).await?;
    }
    broker.close().await?;
    Ok(found)
}

/// Every message is whole and there once, and on a FIFO queue each group is in order.
async fn messages(queue: &LocalQueue, found: &mut Found) -> anyhow::Result<()> {
    let (mut page, mut last) = (PeekOptions::up_to(1_000), HashMap::new());
    loop {
        let peeked = queue.peek(page).await?;
        let Some(end) = peeked.last() else { return Ok(()) };
        page = PeekOptions::up_to(1_000).after(end.sequence_number);
        for message in peeked {
            let item = Item::of_message(message.trace_header.as_deref(), &message.body)?;
            let twice = found.messages.insert(item, message.receive_count);
            ensure!(twice.is_none(), "{item} is stored twice");
            if let Some(group) = message.group_id {
                in_order(&mut last, group, item)?;
            }
        }
    }
}

async fn records(stream: &LocalStream, found: &mut Found) -> anyhow::Result<()> {
    for shard in stream.shards(ShardFilter::default()).await? {
        let (mut last, from) = (HashMap::new(), StartingPosition::TrimHorizon);
        let mut iterator = stream.iterator(shard.id, from).await?;
        loop {
            let read = stream.read(&iterator, 1_000).await?;
            if read.records.is_empty() {
                break;
            }
            for record in &read.records {
                let item = Item::of(&record.partition_key, &record.data)?;
                ensure!(found.records.insert(item), "{item} is stored twice");
                in_order(&mut last, item.group(), item)?;
            }
            let Some(next) = read.next else { break };
            iterator = next;
        }
    }
    Ok(())
}

/// Within a group, what one task sent comes in the order of sending, and lives come one after the other.
fn in_order(last: &mut HashMap<String, Item>, group: String, item: Item) -> anyhow::Result<()> {
    if let Some(before) = last.insert(group, item) {
        ensure!(before < item, "{item} comes after {before}");
    }
    Ok(())
}

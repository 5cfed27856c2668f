//! Transactions dropped at every await: they have happened or not, never a part of them, and nothing stays behind.

use std::{sync::Arc, time::Duration};

use broker_core::{
    Error, PublishMessage, PutRecord, ReceiptHandle, SendMessage,
    storage::faults::{CrashStorage, Survive},
};
use broker_mem::MemStorage;

use crate::{
    contents::{Contents, START, World},
    drop_after::drop_after,
    support::{block_on, take},
};

/// More polls than a transaction has awaits: a sweep that gets here does not end.
const POLLS_MAX: usize = 200;

/// A world whose messages and deduplication ids only the store knows, so that everything has to be read.
async fn world() -> (Arc<CrashStorage>, World, Vec<ReceiptHandle>) {
    let store = Arc::new(CrashStorage::new(Arc::new(MemStorage::new())).can_block(true));
    let world = World::open(store.clone(), START).await.unwrap();
    for number in 0..6 {
        world.orders.send(format!("m{number}")).await.unwrap();
    }
    world.ordered.send(SendMessage::new("a").group_id("g").deduplication_id("a")).await.unwrap();
    let receipts = take(&world.orders, 6).await.iter().map(|message| message.receipt).collect();
    world.totals.put("n", "1").await.unwrap();
    world.broker.flush().await.unwrap();
    drop(world);
    // All that was in flight is visible, and so many that most are not in memory.
    let world = World::open(store.clone(), START + 60_000).await.unwrap();
    world.orders.counters().await.unwrap();
    (store, world, receipts)
}

async fn work(world: &World, receipts: &[ReceiptHandle]) -> Result<(), Error> {
    let World { orders, ordered, news, clicks, totals, broker, .. } = world;
    broker
        .transact(async |mut tx| {
            for receipt in &receipts[1..] {
                tx.ack(orders, *receipt)?;
            }
            tx.dead_letter(orders, receipts[0], "a bad message")?;
            tx.send(ordered, SendMessage::new("again").group_id("g").deduplication_id("a"))?;
            tx.send(ordered, SendMessage::new("b").group_id("g").deduplication_id("b"))?;
            tx.publish(news, PublishMessage::new("told"))?;
            tx.put_record(clicks, PutRecord::new("k", "put"))?;
            let before = tx.get(totals, "n").await?.expect("it was set");
            tx.scan(totals, "", None, 10).await?;
            tx.put(totals, "n", [&before[..], b"1"].concat())?;
            tx.commit().await.map(drop)
        })
        .await
}

/// What is there before, or after.
fn contents(happened: bool) -> Contents {
    let strings = |all: &[&str]| all.iter().map(ToString::to_string).collect::<Vec<_>>();
    let mut contents = Contents::default();
    if happened {
        contents.ordered = strings(&["a", "b"]);
        contents.dead = strings(&["m0"]).into_iter().collect();
        contents.audit = strings(&["told"]).into_iter().collect();
        contents.records = strings(&["put"]);
    } else {
        contents.ordered = strings(&["a"]);
        contents.orders = strings(&["m0", "m1", "m2", "m3", "m4", "m5"]).into_iter().collect();
    }
    contents.keys.insert("n".into(), if happened { "11" } else { "1" }.into());
    contents
}

// T5
#[test]
fn a_dropped_transaction_has_happened_or_not() {
    let (mut polls, mut outcomes) = (1, [0, 0]);
    for _ in 0..POLLS_MAX {
        let done = block_on(async {
            let (store, world, receipts) = world().await;
            let done = drop_after(polls, work(&world, &receipts)).await;
            world.broker.flush().await.unwrap();
            let happened = world.totals.get("n").await.unwrap().as_deref() == Some(b"11");
            assert!(done.is_none() || happened);
            outcomes[usize::from(happened)] += 1;
            let copy = store.restart(Survive::Kill, Arc::new(MemStorage::new())).unwrap();
            let after_a_crash = World::open(Arc::new(copy), world.millis()).await.unwrap().drain().await;
            assert_eq!(after_a_crash, contents(happened), "after {polls} polls and a crash");
            if !happened {
                // Nothing that it held is in the way.
                let again = tokio::time::timeout(Duration::from_secs(10), work(&world, &receipts)).await;
                again.unwrap().unwrap();
            }
            assert_eq!(world.drain().await, contents(true), "after {polls} polls");
            done
        });
        match done {
            // The other thread was faster than the first poll: once more.
            Some(_) if polls < 4 => {}
            Some(_) => {
                assert!(outcomes[0] >= 3 && outcomes[1] >= 1, "{outcomes:?} of {polls} polls");
                return;
            }
            None => polls += 1,
        }
    }
    panic!("the transaction never ends");
}

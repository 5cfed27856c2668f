//! What an observer is told.

use std::sync::{Arc, Mutex};

use broker_core::{Broker, Happened, Observer, PublishMessage, QueueEvent, QueueExt as _, ReceiveOptions};
use broker_mem::MemStorage;

use crate::support::{advance, secs};

/// Keeps what it is told, as short texts.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<String>>>);

impl Observer for Told {
    fn happened(&self, event: QueueEvent) {
        let what = match event.what {
            Happened::Arrived { body, dead_letter_of, .. } => {
                let of = dead_letter_of.map(|of| format!(" of {of}")).unwrap_or_default();
                format!("{} arrived{of}", String::from_utf8_lossy(&body))
            }
            Happened::Received { delivery } => format!("received {delivery}"),
            Happened::Moved { queue, receives } => format!("moved to {queue} after {receives}"),
            what => format!("{what:?}").to_lowercase(),
        };
        self.0.lock().unwrap().push(format!("{}: {what}", event.queue));
    }
}

impl Told {
    /// What was told since the last time.
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

async fn world() -> (Broker, Told) {
    let told = Told::default();
    let broker = Broker::builder(MemStorage::new()).observer(told.clone()).open().await.unwrap();
    (broker, told)
}

#[tokio::test(start_paused = true)]
async fn the_life_of_a_message_is_told() {
    let (broker, told) = world().await;
    broker.queue("dead").await.unwrap();
    let orders = broker.queue("orders").dead_letter("dead", 1).retention(secs(60)).await.unwrap();
    orders.send("a").await.unwrap();
    orders.send("b").await.unwrap();
    let received = orders.receive(ReceiveOptions::up_to(2)).await.unwrap();
    orders.delete(received[0].receipt).await.unwrap();
    orders.delete(received[0].receipt).await.unwrap();
    assert_eq!(
        told.take(),
        [
            "orders: a arrived",
            "orders: b arrived",
            "orders: received 1",
            "orders: received 1",
            "orders: deleted"
        ]
    );
    advance(secs(30)).await;
    assert!(orders.receive(ReceiveOptions::up_to(2)).await.unwrap().is_empty());
    let mut moved = told.take();
    moved.sort_unstable();
    assert_eq!(moved, ["dead: b arrived of orders", "orders: moved to dead after 1"]);
    orders.send("c").await.unwrap();
    advance(secs(60)).await;
    orders.counters().await.unwrap();
    assert_eq!(told.take(), ["orders: c arrived", "orders: expired"]);
    orders.purge().await.unwrap();
    assert_eq!(told.take(), ["orders: purged"]);
}

#[tokio::test(start_paused = true)]
async fn what_a_topic_sends_is_told_and_what_did_not_happen_is_not() {
    let (broker, told) = world().await;
    let orders = broker.queue("orders").await.unwrap();
    let topic = broker.topic("news").await.unwrap();
    topic.subscribe(&orders).raw_delivery(true).await.unwrap();
    topic.publish(PublishMessage::new("a")).await.unwrap();
    assert_eq!(told.take(), ["orders: a arrived"]);
    orders.send("").await.unwrap_err();
    assert!(told.take().is_empty());
    // A receive that is dropped while it waits has received nothing.
    let message = orders.recv().await.unwrap();
    assert_eq!(told.take(), ["orders: received 1"]);
    let waits = orders.receive(ReceiveOptions::up_to(1).wait_time(secs(20)));
    assert!(tokio::time::timeout(secs(1), waits).await.is_err());
    assert!(told.take().is_empty());
    message.ack().await.unwrap();
    assert_eq!(told.take(), ["orders: deleted"]);
}

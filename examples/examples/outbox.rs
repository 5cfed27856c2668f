//! A transactional outbox without an outbox: the order and the message about it are one commit.
//!
//! Run it with `cargo run -p broker-examples --example outbox`.
//!
//! A shop keeps its stock and its orders in user keys. To place an order is to take something out of the stock, to write the order
//! down and to tell others, and none of that may happen without the rest. With a database and a broker that takes a table of
//! messages to be sent, a process that sends them, and a way to tell that it sends them twice. Here it is one transaction.
//!
//! The mail that goes to the customer is another matter: the broker cannot take a mail back. So the mailer hands the mail
//! server the id of the message, which stays the same when it comes again, and the server drops what it has sent before.

use std::collections::BTreeSet;

use anyhow::{Result, bail, ensure};
use broker_core::{Broker, LocalQueue, MessageId, QueueExt as _, Space};
use broker_mem::MemStorage;

struct Shop {
    broker: Broker,
    stock: Space,
    orders: Space,
    placed: LocalQueue,
}

impl Shop {
    async fn open(broker: Broker) -> Result<Self> {
        let (stock, orders) = (broker.space("stock").await?, broker.space("orders").await?);
        let placed = broker.queue("orders-placed").await?;
        Ok(Self { broker, stock, orders, placed })
    }

    /// Places an order, or fails, and then nothing has happened.
    async fn order(&self, id: &str, article: &str, count: u8) -> Result<()> {
        self.broker
            .transact(async |mut tx| {
                // Told before it is known whether there is enough: nobody hears of it if this fails.
                tx.send(&self.placed, format!("{id}: {count} {article}"))?;
                tx.put(&self.orders, id, format!("{count} {article}"))?;
                let left = tx.get(&self.stock, article).await?.map_or(0, |value| value[0]);
                let Some(left) = left.checked_sub(count) else { bail!("only {left} {article} left") };
                tx.put(&self.stock, article, vec![left])?;
                tx.commit().await?;
                Ok(())
            })
            .await
    }
}

/// What the broker cannot take back: a server that sends mails, and knows what it has sent.
#[derive(Default)]
struct MailServer {
    sent: BTreeSet<MessageId>,
    mails: Vec<String>,
}

impl MailServer {
    /// Sends a mail, once for each key.
    fn send(&mut self, key: MessageId, text: &str) {
        if self.sent.insert(key) {
            self.mails.push(text.to_owned());
        }
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let store = MemStorage::new();
    let mut mails = MailServer::default();

    let shop = Shop::open(Broker::open(store.clone()).await?).await?;
    shop.stock.put("socks", vec![10]).await?;
    // Two customers at once, and one who wants too much.
    let (first, second) = tokio::join!(shop.order("A1", "socks", 4), shop.order("A2", "socks", 5));
    first.and(second)?;
    let Err(refused) = shop.order("A3", "socks", 2).await else { bail!("there are only ten") };
    println!("A3 is refused: {refused}");
    println!("orders: {}, told: {}", shop.orders.stats().await?.keys, shop.placed.counters().await?.visible);

    // The mailer sends a mail, and the program dies before it has acknowledged the message.
    let placed = shop.placed.recv().await?;
    mails.send(placed.id, placed.text()?);
    drop((placed, shop));

    // The next run gets it again, with the same id.
    let shop = Shop::open(Broker::builder(store).release_in_flight().open().await?).await?;
    while shop.placed.counters().await?.visible > 0 {
        let placed = shop.placed.recv().await?;
        println!("mail, delivery {}: {}", placed.receive_count, placed.text()?);
        mails.send(placed.id, placed.text()?);
        placed.ack().await?;
    }
    let left = shop.stock.get("socks").await?;
    ensure!(left.as_deref() == Some(&[1]), "the stock is not what was not sold");
    ensure!(shop.orders.stats().await?.keys == 2, "an order that was refused is written down");
    ensure!(mails.mails.len() == 2, "not one mail for each order: {:?}", mails.mails);
    println!("1 left, 2 orders, 2 mails");
    Ok(())
}

//! A service that uses SQS, and its test: the service as it is, with the official SDK, against an AWS in the same process.
//!
//! Run it with `cargo run -p broker-examples --example service_under_test`. In a crate of your own `broker-aws` with the feature `sdk` is
//! a dev-dependency, and `main` here is a test with `#[tokio::test(start_paused = true)]`.

use std::time::Duration;

use anyhow::Context as _;
use aws_sdk_sqs::{Client, types::Message};
use broker_aws::{Life, TestAws};

/// The service: takes orders from a queue, and deletes those that it could ship. It knows nothing of the test.
async fn ship_orders(sqs: Client, orders: String) -> anyhow::Result<()> {
    loop {
        let receive =
            sqs.receive_message().queue_url(&orders).wait_time_seconds(20).max_number_of_messages(10);
        for order in receive.send().await?.messages.unwrap_or_default() {
            if ship(&order) {
                let receipt = order.receipt_handle.context("a message has a receipt")?;
                sqs.delete_message().queue_url(&orders).receipt_handle(receipt).send().await?;
            }
        }
    }
}

/// Socks are in stock, hats are not.
fn ship(order: &Message) -> bool {
    order.body().is_some_and(|order| order.contains("socks"))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    // On paused time nothing waits: neither the long poll of the service, nor the visibility timeouts below.
    tokio::time::pause();
    let aws = TestAws::start().await?;
    aws.broker().queue("orders-dead").await?;
    aws.broker().queue("orders").dead_letter("orders-dead", 3).await?;
    let orders = aws.queue("orders").await?;
    let sqs = Client::new(&aws.config());
    let service = tokio::spawn(ship_orders(sqs.clone(), orders.clone()));

    for order in ["two pairs of socks", "a hat"] {
        sqs.send_message().queue_url(&orders).message_body(order).send().await?;
    }

    // What becomes of them is seen by the probe, whenever it was.
    let probe = aws.probe("orders");
    let socks =
        probe.wait(Duration::from_secs(60), |order| order.text().contains("socks") && order.was_deleted());
    println!("shipped after {} receive: two pairs of socks", socks.await.received_at.len());
    let hat = probe.wait(Duration::from_secs(600), Life::was_moved).await;
    println!("given up after {} receives: {}", hat.received_at.len(), hat.text());
    probe
        .expect_none("was shipped without being in stock", |order| {
            order.text().contains("hat") && order.was_deleted()
        })
        .await;
    aws.probe("orders-dead").wait(Duration::from_secs(1), |order| order.id == hat.id).await;
    service.abort();
    Ok(())
}

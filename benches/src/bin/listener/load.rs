//! The load: 16 connections that send one by one, send by tens, and receive and delete by tens.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};
use tokio::time::Instant;

use super::client::Client;

const CONNECTIONS: usize = 16;
/// Bytes of a body.
const BODY: usize = 100;
const BATCH: usize = 10;

pub(crate) const HEAD: &str =
    "server                 |  sends/s | sends by 10/s | received and deleted by 10/s";

/// Messages in a second, for each kind of load.
pub(crate) async fn run(name: &str, address: &str, time: Duration) -> String {
    let mut client = Client::new(address);
    let created = client.call("CreateQueue", r#"{"QueueName": "load"}"#).await;
    let created: Value = serde_json::from_str(&created).expect("JSON");
    let url: Arc<str> = created["QueueUrl"].as_str().expect("a queue URL").into();
    let single = rate(address, &url, time, Load::Send).await;
    let batches = rate(address, &url, time, Load::SendBatch).await;
    let received = rate(address, &url, time, Load::Receive).await;
    format!("{name:<22} | {single:>8.0} | {batches:>13.0} | {received:>28.0}")
}

#[derive(Debug, Clone, Copy)]
enum Load {
    Send,
    SendBatch,
    Receive,
}

async fn rate(address: &str, url: &Arc<str>, time: Duration, load: Load) -> f64 {
    let began = Instant::now();
    let until = began + time;
    let workers = (0..CONNECTIONS).map(|_| {
        let (mut client, url) = (Client::new(address), url.clone());
        tokio::spawn(async move {
            let mut count = 0_usize;
            while Instant::now() < until {
                let done = match load {
                    Load::Send => send(&mut client, &url).await,
                    Load::SendBatch => send_batch(&mut client, &url).await,
                    Load::Receive => receive(&mut client, &url).await,
                };
                count += done;
                if done == 0 {
                    break;
                }
            }
            count
        })
    });
    let workers: Vec<_> = workers.collect();
    let mut count = 0;
    for worker in workers {
        count += worker.await.expect("the load goes through");
    }
    let count = u32::try_from(count).expect("fewer messages than 2^32");
    f64::from(count) / began.elapsed().as_secs_f64()
}

async fn send(client: &mut Client, url: &str) -> usize {
    let message = json!({ "QueueUrl": url, "MessageBody": "x".repeat(BODY) });
    client.call("SendMessage", &message.to_string()).await;
    1
}

async fn send_batch(client: &mut Client, url: &str) -> usize {
    let entry = |n: usize| json!({ "Id": n.to_string(), "MessageBody": "x".repeat(BODY) });
    let batch = json!({ "QueueUrl": url, "Entries": (0..BATCH).map(entry).collect::<Vec<_>>() });
    client.call("SendMessageBatch", &batch.to_string()).await;
    BATCH
}

async fn receive(client: &mut Client, url: &str) -> usize {
    let receive = json!({ "QueueUrl": url, "MaxNumberOfMessages": BATCH });
    let received: Value =
        serde_json::from_str(&client.call("ReceiveMessage", &receive.to_string()).await).expect("JSON");
    let messages = received["Messages"].as_array().cloned().unwrap_or_default();
    if messages.is_empty() {
        return 0;
    }
    let entry = |(n, message): (usize, &Value)| json!({ "Id": n.to_string(), "ReceiptHandle": message["ReceiptHandle"] });
    let entries: Vec<_> = messages.iter().enumerate().map(entry).collect();
    let delete = json!({ "QueueUrl": url, "Entries": entries });
    client.call("DeleteMessageBatch", &delete.to_string()).await;
    messages.len()
}

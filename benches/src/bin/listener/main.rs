//! Throughput over the listener of broker-aws: a server on each store, and a load of 16 connections for any server that speaks
//! SQS. `benches/peers/listener.sh` runs it against others.

mod client;
mod load;
mod serve;

use std::time::Duration;

/// How long each kind of load lasts.
const SECONDS: Duration = Duration::from_secs(3);

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["serve", store, directory] => serve::serve(store, directory.as_ref()).await,
        ["load", ref servers @ ..] if !servers.is_empty() => {
            println!("{}", load::HEAD);
            for server in servers {
                let (name, address) = server.split_once('=').expect("servers are given as NAME=HOST:PORT");
                println!("{}", load::run(name, address, SECONDS).await);
            }
        }
        _ => eprintln!("usage: listener serve memory|log|sled DIR, or listener load NAME=HOST:PORT..."),
    }
}

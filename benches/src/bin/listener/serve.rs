//! A server on one of the stores, with queues that are synced before a send is answered.

use std::path::Path;

use broker_aws::{Service, serve::Listener};
use broker_core::Broker;

pub(crate) async fn serve(store: &str, directory: &Path) {
    let broker = match store {
        "memory" => broker_mem::open().await,
        "log" => broker_log::open(directory).await,
        "sled" => Broker::open(broker_sled::SledStorage::open(directory).expect("a store")).await,
        other => panic!("no store {other}"),
    };
    let listener = Listener::builder(Service::new(broker.expect("a broker"))).start().await.expect("a port");
    println!("{}", listener.address());
    std::future::pending::<()>().await;
}

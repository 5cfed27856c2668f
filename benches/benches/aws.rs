//! One `SendMessage` of the official SDK: through the adapter, which has no socket, and through a listener on the loopback device with the
//! SDK's own HTTP client. And the broker's own send, which is what both come down to.

#![allow(clippy::disallowed_methods, reason = "a bench reads the clock")]
#![allow(missing_docs, reason = "criterion's macros make public functions")]

use std::time::{Duration, Instant};

use aws_sdk_sqs::Client;
use broker_aws::{Realm, Service, sdk_config, serve::Listener};
use broker_benches::Contest;
use broker_core::{Broker, LocalQueue};
use broker_mem::MemStorage;
use criterion::{Criterion, criterion_group, criterion_main};
use tokio::runtime::Runtime;

/// A body of 100 bytes.
fn body() -> String {
    "x".repeat(100)
}

/// So many sends after which the queue is emptied, so that no contestant measures a growing store.
const EMPTIED_AFTER: u64 = 10_000;

struct World {
    runtime: Runtime,
    queue: LocalQueue,
    in_process: Client,
    over_socket: Client,
    _listener: Listener,
}

fn world() -> World {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let (queue, in_process, over_socket, listener) = runtime.block_on(async {
        let broker = Broker::open(MemStorage::new()).await.expect("an empty store opens");
        let queue = broker.queue("orders").await.expect("a queue");
        let service = Service::new(broker.clone());
        let listener = Listener::builder(service.clone()).start().await.expect("a free port");
        let config = sdk_config(&service, &Realm::default(), &broker);
        let http = aws_smithy_http_client::Builder::new().build_http();
        let over_socket = config.to_builder().http_client(http).endpoint_url(listener.endpoint()).build();
        (queue, Client::new(&config), Client::new(&over_socket), listener)
    });
    World { runtime, queue, in_process, over_socket, _listener: listener }
}

impl World {
    /// How long so many sends take.
    fn timed<F: Future<Output = ()>>(&self, rounds: u64, send: impl Fn() -> F) -> Duration {
        let mut took = Duration::ZERO;
        self.runtime.block_on(async {
            for first in (0..rounds).step_by(usize::try_from(EMPTIED_AFTER).expect("a few thousand")) {
                let start = Instant::now();
                for _ in first..rounds.min(first + EMPTIED_AFTER) {
                    send().await;
                }
                took += start.elapsed();
                self.queue.purge().await.expect("purge");
            }
        });
        took
    }

    fn timed_client(&self, rounds: u64, client: &Client) -> Duration {
        self.timed(rounds, || async {
            let send = client.send_message().queue_url("http://localhost/000000000000/orders");
            send.message_body(body()).send().await.expect("sent");
        })
    }
}

fn send_message(criterion: &mut Criterion) {
    let world = world();
    let mut contest = Contest::new("aws/send_message", 1);
    contest.enter("SDK and adapter", |rounds| world.timed_client(rounds, &world.in_process));
    contest.enter("SDK and loopback", |rounds| world.timed_client(rounds, &world.over_socket));
    contest.enter("broker", |rounds| {
        world.timed(rounds, || async {
            world.queue.send(body()).await.expect("sent");
        })
    });
    contest.run(criterion);
}

criterion_group!(benches, send_message);
criterion_main!(benches);

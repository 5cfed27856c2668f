//! Virtual time: a test of a service that waits for three visibility timeouts and takes no time.
//!
//! Run it with `cargo run -p broker-examples --example virtual_time`, and its test with
//! `cargo test -p broker-examples --example virtual_time`.
//!
//! The broker's clock follows tokio's. In a test with `start_paused = true` that one jumps to the next timer whenever
//! nothing else is left to do. So the test below needs no sleeps, no fake clock and no patience, and it cannot be flaky.

use std::time::Duration;

use broker_core::{Broker, LocalQueue, QueueExt as _};
use broker_mem::MemStorage;
use tokio::time::Instant;

/// How long a worker has an order for itself.
const TIMEOUT: Duration = Duration::from_secs(30);

/// An order that was delivered more often than this takes its worker down each time.
const DELIVERIES_MAX: u32 = 3;

/// The service: ships orders, and sets aside those that keep failing. Returns the first that was set aside.
async fn ship_orders(orders: LocalQueue) -> broker_core::Result<String> {
    loop {
        let order = orders.recv().await?;
        let text = String::from_utf8_lossy(&order.body).into_owned();
        if order.receive_count > DELIVERIES_MAX {
            order.ack().await?;
            return Ok(text);
        }
        if ship(&text) {
            order.ack().await?;
        }
        // Else the worker dies here, as far as the queue can tell: no answer, so the timeout must pass.
    }
}

fn ship(order: &str) -> bool {
    order != "poison"
}

/// What the test looks at: which order was set aside, and how much time passed by the clock of the runtime.
async fn poison_among_orders() -> broker_core::Result<(String, Duration)> {
    let broker = Broker::open(MemStorage::new()).await?;
    let orders = broker.queue("orders").visibility_timeout(TIMEOUT).await?;
    for order in ["socks", "poison", "shoes"] {
        orders.send(order).await?;
    }
    let begin = Instant::now();
    let set_aside = ship_orders(orders).await?;
    Ok((set_aside, begin.elapsed()))
}

#[cfg(test)]
#[tokio::test(start_paused = true)]
async fn a_poison_order_is_set_aside_after_three_timeouts() {
    let (set_aside, took) = poison_among_orders().await.expect("the broker in memory works");
    assert_eq!(set_aside, "poison");
    assert_eq!(took.as_secs(), 90);
}

/// The same outside a test: a runtime whose clock is paused.
fn main() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?;
    let (set_aside, took) = runtime.block_on(poison_among_orders())?;
    println!("{set_aside:?} was set aside after {} s of virtual time", took.as_secs());
    Ok(())
}

//! Retries with exponential backoff: work that fails comes back later, and later each time.
//!
//! Run it with `cargo run -p broker-examples --example delayed_retries`.
//!
//! A delivery knows how often its message was received, and `retry_in` says when it is to be visible again. No timer
//! runs in the program meanwhile, and the wait outlives it: on a durable queue the message is back on time after a
//! restart.

use std::time::Duration;

use broker_core::{Broker, QueueExt as _};
use broker_mem::MemStorage;
use tokio::time::Instant;

/// The wait after the first failure; each later one doubles it.
const FIRST_WAIT: Duration = Duration::from_millis(50);

/// No wait is longer than this.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// After so many deliveries the message is given up.
const DELIVERIES_MAX: u32 = 5;

#[tokio::main]
async fn main() -> broker_core::Result<()> {
    let broker = Broker::open(MemStorage::new()).await?;
    let payments = broker.queue("payments").await?;
    payments.send("pay 3 times too early").await?;
    payments.send("pay never").await?;

    let begin = Instant::now();
    let mut settled = 0;
    while settled < 2 {
        let payment = payments.recv().await?;
        let text = payment.text().unwrap_or("not text");
        let (attempt, at) = (payment.receive_count, begin.elapsed().as_millis());
        match pay(text, attempt) {
            Ok(()) => {
                println!("{at:>4} ms, attempt {attempt}: {text:?} worked");
                payment.ack().await?;
                settled += 1;
            }
            Err(reason) if attempt < DELIVERIES_MAX => {
                let wait = backoff(attempt);
                println!("{at:>4} ms, attempt {attempt}: {text:?} failed ({reason}), again in {wait:?}");
                payment.retry_in(wait).await?;
            }
            Err(reason) => {
                // A real program would keep it aside, in another queue.
                println!("{at:>4} ms, attempt {attempt}: {text:?} is given up ({reason})");
                payment.ack().await?;
                settled += 1;
            }
        }
    }
    Ok(())
}

/// How long to wait after this many deliveries.
fn backoff(deliveries: u32) -> Duration {
    let factor = 2_u32.saturating_pow(deliveries.saturating_sub(1));
    FIRST_WAIT.saturating_mul(factor).min(LONGEST_WAIT)
}

/// Something that fails at times.
fn pay(what: &str, attempt: u32) -> Result<(), &'static str> {
    match what {
        "pay never" => Err("no such account"),
        _ if attempt <= 3 => Err("the bank is closed"),
        _ => Ok(()),
    }
}

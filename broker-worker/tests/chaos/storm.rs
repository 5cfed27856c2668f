//! Many messages, and handlers that do everything wrong, chosen by a seed; on virtual time.

use std::time::Duration;

use broker_core::{Broker, LocalQueue, QueueExt, SendMessage};
use broker_mem::MemStorage;
use broker_worker::{
    Outcome,
    handler::{Each, each},
    queue::{Pollers, QueueMapping, Received},
    telemetry::Counts,
};
use tokio::time::sleep;

use crate::ledger::Ledger;

/// How long messages stay invisible.
const VISIBILITY: Duration = Duration::from_secs(10);
/// A message that failed so often is given up to the dead-letter queue.
const RECEIVES_MAX: u32 = 8;

/// What a handler does with a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deed {
    Work,
    Fail,
    Panic,
    Hang,
    Retry,
    Dead,
    LoseTheLease,
}

/// The same for the same message, delivery and seed.
fn deed(seed: u64, body: &str, delivery: u32) -> Deed {
    let mut hash = seed ^ 0x9e37_79b9_7f4a_7c15 ^ u64::from(delivery).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    for byte in body.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
        hash ^= hash >> 29;
    }
    match hash % 20 {
        0..8 => Deed::Work,
        8..11 => Deed::Fail,
        11..13 => Deed::Panic,
        13..15 => Deed::Hang,
        15..17 => Deed::Retry,
        17 => Deed::Dead,
        _ => Deed::LoseTheLease,
    }
}

/// On a FIFO queue nobody makes messages visible behind the back of the runtime: whoever does so has given up their order.
fn planned(seed: u64, body: &str, message: &Received) -> Deed {
    match deed(seed, body, message.receive_count) {
        Deed::LoseTheLease if message.sequence_number.is_some() => Deed::Hang,
        deed => deed,
    }
}

async fn carry_out(deed: Deed, queue: LocalQueue, message: Received) -> Outcome {
    match deed {
        Deed::Work => {
            sleep(Duration::from_millis(700)).await;
            Outcome::Ack
        }
        Deed::Fail => Outcome::Failed(broker_worker::Failure::new("as planned")),
        Deed::Panic => panic!("as planned"),
        Deed::Hang => std::future::pending().await,
        Deed::Retry => Outcome::retry(Duration::from_secs(3)),
        Deed::Dead => Outcome::dead("as planned"),
        Deed::LoseTheLease => {
            // Somebody makes the message visible, and another worker gets it. Then this one says that it is done.
            let _ = queue.change_visibility(message.receipt, Duration::ZERO).await;
            sleep(Duration::from_secs(1)).await;
            Outcome::Ack
        }
    }
}

fn handler(
    seed: u64,
    queue: &LocalQueue,
    ledger: &Ledger,
) -> Each<String, impl Fn(String, Received) -> futures_util::future::BoxFuture<'static, Outcome> + use<>> {
    let (queue, ledger) = (queue.clone(), ledger.clone());
    each(move |body: String, message: Received| {
        let (queue, ledger) = (queue.clone(), ledger.clone());
        Box::pin(async move {
            ledger.begins(&body, message.receive_count);
            let outcome = carry_out(planned(seed, &body, &message), queue, message).await;
            if outcome == Outcome::Ack {
                ledger.done(&body);
            }
            outcome
        }) as futures_util::future::BoxFuture<'static, Outcome>
    })
}

/// Runs a storm over so many messages. Returns the counts, what was seen, and the bodies of the dead letters.
async fn storm(seed: u64, messages: usize, heartbeat: bool, fifo: bool) -> (Counts, Ledger, Vec<String>) {
    let broker = Broker::open(MemStorage::new()).await.unwrap();
    let names = if fifo { ["dead.fifo", "orders.fifo"] } else { ["dead", "orders"] };
    let (mut dead, mut orders) = (broker.queue(names[0]), broker.queue(names[1]));
    if fifo {
        (dead, orders) = (dead.fifo(), orders.fifo());
    }
    let dead = dead.await.unwrap();
    let queue = orders.visibility_timeout(VISIBILITY).dead_letter(names[0], RECEIVES_MAX).await.unwrap();
    for number in 0..messages {
        let mut message = SendMessage::from(number.to_string());
        if fifo {
            message = message.group_id(format!("g{}", number % 13)).deduplication_id(number.to_string());
        }
        queue.send_one(message).await.unwrap();
    }
    let ledger = Ledger::new();
    let mapping = QueueMapping::new(queue.clone(), handler(seed, &queue, &ledger)).batch_size(3);
    let mapping = mapping.pollers(Pollers::Fixed(7)).heartbeat(heartbeat).timeout(Duration::from_secs(8));
    let running = mapping.start().await.unwrap();
    for _ in 0..10_000 {
        sleep(Duration::from_secs(5)).await;
        if queue.counters().await.unwrap().total() == 0 {
            break;
        }
    }
    assert_eq!(queue.counters().await.unwrap().total(), 0, "seed {seed}: everything comes to an end");
    let report = running.stop(Duration::from_secs(60)).await;
    let mut letters = Vec::new();
    loop {
        let received = dead.receive(broker_core::ReceiveOptions::up_to(10)).await.unwrap();
        if received.is_empty() {
            break;
        }
        for letter in received {
            letters.push(letter.text().unwrap().to_owned());
            dead.delete(letter.receipt).await.unwrap();
        }
    }
    (report.counts, ledger, letters)
}

fn quiet_panics() {
    std::panic::set_hook(Box::new(|info| {
        let planned = info.payload().downcast_ref::<&str>().is_some_and(|text| *text == "as planned");
        if !planned {
            eprintln!("{info}");
        }
    }));
}

/// Nothing is lost: every message was acknowledged once or is a dead letter; and a stale acknowledge did not count.
fn check(storm: u64, messages: usize, counts: Counts, ledger: &Ledger, letters: &[String]) {
    let all = ledger.all();
    // More if a handler was done with what somebody else had finished before: that is gone, as it should be.
    assert!(usize::try_from(counts.acked).unwrap() + letters.len() >= messages, "seed {storm}: {counts}");
    for number in 0..messages {
        let body = number.to_string();
        let dead = letters.iter().filter(|letter| **letter == body).count();
        assert!(dead <= 1, "seed {storm}: {body} is dead {dead} times");
        // On a FIFO queue nobody sees a message that was received each time behind one that failed.
        let seen = all.get(&body).cloned().unwrap_or_default();
        assert!(dead == 1 || seen.done >= 1, "seed {storm}: {body} is gone, and nobody was done with it");
        // Every delivery has its own number, and they come in order.
        assert!(seen.began.windows(2).all(|pair| pair[0].0 < pair[1].0), "seed {storm}: {body} {seen:?}");
        assert!(seen.began.len() <= RECEIVES_MAX as usize, "seed {storm}: {body} {seen:?}");
    }
    let done: usize = all.values().map(|seen| seen.done).sum();
    // What was said to be done, and was not acknowledged, was stale.
    assert!(done as u64 <= counts.acked + counts.stale, "seed {storm}: {done} done, {counts}");
    assert!(counts.failed > 0 && counts.retried > 0 && counts.dead > 0, "{counts}");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_lost_and_no_stale_acknowledge_counts() {
    quiet_panics();
    for seed in 0..12 {
        let (counts, ledger, letters) = storm(seed, 200, false, false).await;
        check(seed, 200, counts, &ledger, &letters);
        assert!(counts.stale > 0, "seed {seed}: {counts}");
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_lost_with_heartbeats() {
    quiet_panics();
    for seed in 100..112 {
        let (counts, ledger, letters) = storm(seed, 200, true, false).await;
        check(seed, 200, counts, &ledger, &letters);
        assert!(counts.stale > 0, "seed {seed}: {counts}");
    }
}

// On a FIFO queue the order of a group holds, too: a message begins only when all before it are done or dead.
#[tokio::test(start_paused = true)]
async fn nothing_is_lost_or_overtaken_on_a_fifo_queue() {
    quiet_panics();
    for seed in 200..212 {
        let (counts, ledger, letters) = storm(seed, 130, false, true).await;
        check(seed, 130, counts, &ledger, &letters);
        let seen = ledger.all();
        for number in 13..130_u32 {
            let (before, after) = (seen.get(&(number - 13).to_string()), seen.get(&number.to_string()));
            let (Some(before), Some(after)) = (before, after) else { continue };
            let (last, first) = (before.began.last().unwrap().1, after.began[0].1);
            assert!(last <= first, "seed {seed}: {number} overtook the one before it");
        }
    }
}

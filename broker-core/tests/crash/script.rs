//! A workload that is the same every time: what sweeps run again and again.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use broker_core::{
    Broker, Clock, Entries, Error, LocalQueue, ManualClock, MemoryBounds, ReceiveOptions, SendMessage,
    storage::Storage,
};

use crate::ledger::Ledger;

/// Bounds so small that paging, the time index and cold leases are part of every run.
pub(crate) const TINY: MemoryBounds =
    MemoryBounds { ready: 3, delayed: 2, staged: 2, staged_bytes: 64, searched: 6 };

/// A small generator of numbers, seeded, so that a script can be run again.
#[derive(Debug, Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `limit`.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).unwrap() % limit
    }
}

/// A broker with one queue on a store, and the time it lives in.
pub(crate) struct World {
    pub(crate) clock: ManualClock,
    pub(crate) broker: Broker,
    pub(crate) queue: LocalQueue,
}

impl World {
    pub(crate) async fn open(store: Arc<dyn Storage>, millis: u64) -> Result<Self, Error> {
        let clock = ManualClock::new(millis);
        let broker = Broker::builder_on(store).clock(clock.clone()).seed(3).memory(TINY).open().await?;
        let queue = broker.queue("swept").visibility_timeout(Duration::from_secs(10)).await?;
        Ok(Self { clock, broker, queue })
    }
}

const STEPS: usize = 40;

/// Runs the script until it ends or the store fails. The ledger knows what was promised until then.
pub(crate) async fn run(world: &World, seed: u64, ledger: &mut Ledger) -> Result<(), Error> {
    let mut dice = Dice::new(seed);
    for _ in 0..STEPS {
        step(world, &mut dice, ledger).await?;
        tokio::task::yield_now().await;
    }
    Ok(())
}

async fn step(world: &World, dice: &mut Dice, ledger: &mut Ledger) -> Result<(), Error> {
    let World { clock, queue, .. } = world;
    match dice.below(20) {
        0..=4 => {
            let delay = if dice.below(3) == 0 { Some(Duration::from_secs(30)) } else { None };
            let body = ledger.try_send();
            let mut message = SendMessage::from(body.clone());
            message.delay = delay;
            ledger.sent(body, queue.send(message).await?.id);
        }
        5..=7 => {
            let bodies: Vec<_> = (0..=dice.below(5)).map(|_| ledger.try_send()).collect();
            let entries: Entries<_> = bodies.iter().map(|body| SendMessage::from(body.clone())).collect();
            let sent = queue.send_batch(entries).await?.all()?;
            bodies.into_iter().zip(sent).for_each(|(body, sent)| ledger.sent(body, sent.id));
        }
        8..=12 => {
            let got = queue.receive(ReceiveOptions::up_to(1 + dice.below(6))).await?;
            for message in got {
                ledger.received(&message);
            }
        }
        13..=15 => {
            if let Some((receipt, id)) = ledger.pick(dice) {
                ledger.try_delete(id);
                let deleted = queue.delete(receipt).await?;
                ledger.deleted(id, deleted);
            }
        }
        16 => {
            if let Some((receipt, _)) = ledger.pick(dice) {
                queue.change_visibility(receipt, Duration::from_secs(dice.below(2) as u64 * 15)).await?;
            }
        }
        17 if dice.below(4) == 0 => {
            ledger.try_purge();
            queue.purge().await?;
            ledger.purged();
        }
        _ => clock.advance(Duration::from_secs(1 + dice.below(20) as u64)),
    }
    Ok(())
}

/// Takes everything out of the queue, each message with its delivery count. Every lease and delay is over by then.
pub(crate) async fn drain(world: &World) -> BTreeMap<String, (broker_core::MessageId, u32)> {
    world.clock.advance(Duration::from_secs(13 * 3600));
    let total = world.queue.counters().await.unwrap();
    let mut found = BTreeMap::new();
    loop {
        let got = world.queue.receive(ReceiveOptions::up_to(10)).await.unwrap();
        if got.is_empty() {
            assert_eq!(found.len() as u64, total.total(), "the counters tell what is there");
            assert_eq!(world.queue.counters().await.unwrap().total(), 0);
            return found;
        }
        for message in got {
            let body = message.text().unwrap().to_owned();
            let twice = found.insert(body, (message.id, message.receive_count));
            assert!(twice.is_none(), "a message is stored once");
            world.queue.delete(message.receipt).await.unwrap();
        }
    }
}

/// The time of a world's clock in milliseconds.
pub(crate) fn millis(world: &World) -> u64 {
    world.clock.now().as_millis()
}

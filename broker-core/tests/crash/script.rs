//! A workload that is the same every time: what sweeps run again and again.

use std::time::Duration;

use broker_core::{DeadLettered, Entries, Error, LocalQueue, MoveTask, ReceiveOptions};

use crate::{
    dice::Dice,
    ledger::{Ledger, Receipt},
    world::{GROUPS, Kind, World},
};

const STEPS: usize = 50;

/// Runs the script until it ends or the store fails. The ledger knows what was promised until then.
pub(crate) async fn run(world: &World, seed: u64, ledger: &mut Ledger) -> Result<(), Error> {
    let mut dice = Dice::new(seed);
    for _ in 0..STEPS {
        match (&world.dead, dice.below(4)) {
            (Some(dead), 0) => dead_step(world, dead, &mut dice, ledger).await?,
            _ => step(world, &mut dice, ledger).await?,
        }
        tokio::task::yield_now().await;
    }
    Ok(())
}

async fn step(world: &World, dice: &mut Dice, ledger: &mut Ledger) -> Result<(), Error> {
    let World { clock, queue, .. } = world;
    match dice.below(20) {
        0..=4 => {
            let delay = if dice.below(3) == 0 { Some(Duration::from_secs(30)) } else { None };
            let mut message = world.message(&ledger.try_send(), dice.below(GROUPS));
            message.delay = delay.filter(|_| world.kind != Kind::Fifo);
            let sent = queue.send(message.clone()).await?;
            ledger.sent(message, sent, world.millis());
        }
        5..=7 => {
            let count = 1 + dice.below(5);
            let message = |_| world.message(&ledger.try_send(), dice.below(GROUPS));
            let messages: Vec<_> = (0..count).map(message).collect();
            let sent = queue.send_batch(messages.iter().cloned().collect::<Entries<_>>()).await?.all()?;
            messages
                .into_iter()
                .zip(sent)
                .for_each(|(message, sent)| ledger.sent(message, sent, world.millis()));
        }
        8..=12 => {
            for message in queue.receive(ReceiveOptions::up_to(1 + dice.below(6))).await? {
                ledger.received(&message, false);
            }
        }
        13..=15 => {
            if let Some(receipt) = ledger.pick(dice) {
                ledger.try_delete(receipt);
                if let Some(deleted) = unless_expired(queue_of(world, receipt).delete(receipt.handle).await)?
                {
                    ledger.deleted(receipt, deleted);
                }
            }
        }
        16 => {
            if let Some(receipt) = ledger.pick(dice) {
                let timeout = Duration::from_secs(dice.below(2) as u64 * 15);
                let queue = queue_of(world, receipt);
                unless_expired(queue.change_visibility(receipt.handle, timeout).await)?;
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

/// What only happens where there is a dead-letter queue.
async fn dead_step(
    world: &World,
    dead: &LocalQueue,
    dice: &mut Dice,
    ledger: &mut Ledger,
) -> Result<(), Error> {
    match dice.below(7) {
        0 | 1 => {
            for message in dead.receive(ReceiveOptions::up_to(1 + dice.below(3))).await? {
                ledger.received(&message, true);
            }
        }
        2 | 3 => {
            if let Some(receipt) = ledger.pick(dice).filter(|receipt| !receipt.in_dead) {
                let given_up = world.queue.dead_letter(receipt.handle, "a bad message").await;
                if let Some(DeadLettered::Moved { .. }) = unless_expired(given_up)? {
                    ledger.given_up(receipt.id);
                }
            }
        }
        4 => {
            let nth = dice.below(8);
            if let Some((message, original)) = ledger.duplicates(world.millis()).nth(nth) {
                assert_eq!(world.queue.send(message).await?, original);
            }
        }
        5 => {
            ledger.try_redrive();
            let task = MoveTask::from(dead.name()).to(world.queue.name());
            world.broker.start_move_task(task).await?;
            world.moves_end().await?;
        }
        // Leases end, and what was received too often waits to be moved.
        _ => world.clock.advance(Duration::from_secs(11)),
    }
    Ok(())
}

fn queue_of(world: &World, receipt: Receipt) -> &LocalQueue {
    if receipt.in_dead { world.dead.as_ref().expect("it came from there") } else { &world.queue }
}

/// An expired receipt of a FIFO queue changes nothing.
fn unless_expired<T>(outcome: Result<T, Error>) -> Result<Option<T>, Error> {
    match outcome {
        Err(Error::ReceiptHandleExpired { .. }) => Ok(None),
        outcome => outcome.map(Some),
    }
}

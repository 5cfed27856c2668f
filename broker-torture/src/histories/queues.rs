//! What operations do with queues: sending, receiving, settling.

use std::time::Duration;

use broker_core::{Entries, ReceiptHandle, ReceiveOptions, Result, SendMessage};

use super::{
    op::Op,
    world::{CLICKS, LEASE, LINE, ORDERS, SCRATCH, WORK, World},
};

impl Op {
    pub(super) async fn send(self, world: &mut World) -> Result<()> {
        let body = world.body();
        match self {
            Self::Send => drop(world.queue(ORDERS).await?.send(body).await?),
            Self::SendDelayed => {
                let message = SendMessage::new(body).delay(Duration::from_secs(20));
                world.queue(ORDERS).await?.send(message).await?;
            }
            Self::SendThree => {
                let batch: Entries<_> = (0..3).map(|at| SendMessage::from(format!("{body}.{at}"))).collect();
                world.queue(ORDERS).await?.send_batch(batch).await?.all()?;
            }
            Self::SendBuffered => drop(world.queue(SCRATCH).await?.send(body).await?),
            _ => {
                let id = if self == Self::SendAgain { "again".to_owned() } else { body.clone() };
                let group = if self == Self::SendToGroupB { "b" } else { "a" };
                let message = SendMessage::new(body).group_id(group).deduplication_id(id);
                world.queue(LINE).await?.send(message).await?;
            }
        }
        Ok(())
    }

    pub(super) async fn receive(self, world: &mut World) -> Result<()> {
        let options = |max| ReceiveOptions::up_to(max).wait_time(Duration::ZERO);
        match self {
            Self::ReceiveInOrder => {
                let got = world.queue(LINE).await?.receive(options(2)).await?;
                world.known.line.extend(got.iter().map(|message| message.receipt));
            }
            Self::Work => {
                let clicks = world.broker.open_stream(CLICKS).await?;
                let Some(queue) = clicks.open_queue(WORK) else { return Ok(()) };
                // Longer than any history, since what it does is looked at in numbers.
                let hour = Duration::from_secs(3_600);
                let got = queue.receive(options(1).visibility_timeout(hour)).await?;
                world.known.work.extend(got.iter().map(|message| message.receipt));
            }
            _ => {
                let max = if self == Self::ReceiveOne { 1 } else { 3 };
                let got = world.queue(ORDERS).await?.receive(options(max)).await?;
                world.known.orders.extend(got.iter().map(|message| message.receipt));
            }
        }
        Ok(())
    }

    pub(super) async fn settle(self, world: &mut World) -> Result<()> {
        let last = |receipts: &[ReceiptHandle]| receipts.last().copied();
        if self == Self::WorkDone {
            let clicks = world.broker.open_stream(CLICKS).await?;
            let (Some(queue), Some(receipt)) = (clicks.open_queue(WORK), last(&world.known.work)) else {
                return Ok(());
            };
            return queue.acknowledge(receipt).await.map(drop);
        }
        let (name, receipts) = match self {
            Self::DeleteInOrder | Self::ReleaseInOrder => (LINE, &world.known.line),
            _ => (ORDERS, &world.known.orders),
        };
        let (Some(receipt), queue) = (last(receipts), world.queue(name).await?) else { return Ok(()) };
        match self {
            Self::Delete | Self::DeleteInOrder => drop(queue.delete(receipt).await?),
            Self::GiveUp => drop(queue.dead_letter(receipt, "a bad order").await?),
            Self::Extend => drop(queue.change_visibility(receipt, LEASE * 2).await?),
            _ => drop(queue.change_visibility(receipt, Duration::ZERO).await?),
        }
        Ok(())
    }
}

//! The operations of a queue on a stream.

use std::{pin::pin, sync::Arc, time::Duration};

use super::{
    cell::StreamQueueCell,
    message::{StreamMessage, StreamQueueCounters},
};
use crate::{
    clock::millis,
    codec::Malformed,
    error::Result,
    ids::ReceiptHandle,
    pipeline::Ticket,
    queue::{
        LocalQueue,
        entries::{Entries, Outcomes},
        fetch::damaged_row,
        message::Message,
        options::{ChangeVisibility, Deleted, ReceiveOptions, VisibilityChanged},
        row::{RowContent, UnstampedRow},
        shell::Operation,
    },
    storage::Durability,
    stream::{LocalStream, record::Record},
};

/// A work queue over the records of a stream. Cheap to clone; all clones are the same queue.
///
/// Made by [`LocalStream::queue`].
#[derive(Clone)]
pub struct StreamQueue {
    pub(super) stream: LocalStream,
    pub(super) cell: Arc<StreamQueueCell>,
}

impl std::fmt::Debug for StreamQueue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StreamQueue").field("name", &self.cell.name).finish_non_exhaustive()
    }
}

/// How long a receive waits that does not say.
const WAIT: Duration = Duration::from_secs(9);
/// Records pulled at once: enough for a few receives.
const PULLED: usize = 50;

impl StreamQueue {
    /// The queue's name.
    pub fn name(&self) -> &str {
        &self.cell.name
    }

    pub(crate) fn ready(&self) -> LocalQueue {
        LocalQueue { cell: self.cell.ready.clone(), broker: self.stream.broker.clone() }
    }

    fn dead(&self) -> LocalQueue {
        LocalQueue { cell: self.cell.dead.clone(), broker: self.stream.broker.clone() }
    }

    /// Receives records: those that came back first, then the next ones of the stream, in no order. Waits up to 9 seconds for
    /// one unless the options say otherwise. Everything else is as with [`LocalQueue::receive`], cancel safety included; records
    /// that were received too often become dead letters, and those that have expired in the stream are left out.
    pub async fn receive(&self, options: ReceiveOptions) -> Result<Vec<StreamMessage>> {
        let engine = &self.stream.cell.engine;
        options.check(&engine.limits)?;
        let wait = options.wait_time.unwrap_or(WAIT.min(engine.limits.wait_max));
        let deadline = engine.timeline.now().saturating_add(millis(wait));
        let ready = self.ready();
        let mut pulled: Vec<Record> = Vec::new();
        loop {
            // Enabled before the look: what happens after it is not missed.
            let mut news = pin!(self.stream.cell.news().notified());
            news.as_mut().enable();
            let messages = ready.receive_within(&options, 0).await?;
            if !messages.is_empty() {
                let found = self.cell.resolve(&self.stream, &ready, messages, &pulled).await?;
                if !found.is_empty() {
                    return Ok(found.into_iter().map(stream_message).collect());
                }
                continue;
            }
            // Before the look at the stream: what is committed after that is waited for.
            let coming = self.stream.cell.coming();
            let more = self.cell.pull(&self.stream, PULLED.max(options.max_messages)).await?;
            if !more.is_empty() || self.cell.behind(&self.stream) > 0 {
                pulled = more;
                continue;
            }
            let left = deadline.saturating_sub(engine.timeline.now());
            if left == 0 {
                return Ok(Vec::new());
            }
            let committed = Ticket::wait_if_any(coming.as_ref());
            tokio::select! {
                biased;
                committed = committed => committed?,
                () = news => self.stream.check_there()?,
                came_back = ready.receive_within(&options, left) => {
                    let found = self.cell.resolve(&self.stream, &ready, came_back?, &[]).await?;
                    if !found.is_empty() {
                        return Ok(found.into_iter().map(stream_message).collect());
                    }
                }
            }
        }
    }

    /// The record of this receipt is done. As [`LocalQueue::delete`].
    pub async fn acknowledge(&self, receipt: ReceiptHandle) -> Result<Deleted> {
        self.ready().delete(receipt).await
    }

    /// Several in one commit. As [`LocalQueue::delete_batch`].
    pub async fn acknowledge_batch(&self, receipts: Entries<ReceiptHandle>) -> Result<Outcomes<Deleted>> {
        self.ready().delete_batch(receipts).await
    }

    /// Changes how long a received record stays invisible. As [`LocalQueue::change_visibility`].
    pub async fn update_visibility(
        &self,
        receipt: ReceiptHandle,
        timeout: Duration,
    ) -> Result<VisibilityChanged> {
        self.ready().change_visibility(receipt, timeout).await
    }

    /// Several in one commit. As [`LocalQueue::change_visibility_batch`].
    pub async fn update_visibility_batch(
        &self,
        changes: Entries<ChangeVisibility>,
    ) -> Result<Outcomes<VisibilityChanged>> {
        self.ready().change_visibility_batch(changes).await
    }

    /// Receives dead letters, which stay invisible to others as received records do. As [`receive`](Self::receive), without
    /// the stream.
    pub async fn receive_dead_letters(&self, options: ReceiveOptions) -> Result<Vec<StreamMessage>> {
        options.check(&self.stream.cell.engine.limits)?;
        let wait = options.wait_time.map_or(0, millis);
        let dead = self.dead();
        let messages = dead.receive_within(&options, wait).await?;
        let found = self.cell.resolve(&self.stream, &dead, messages, &[]).await?;
        Ok(found.into_iter().map(stream_message).collect())
    }

    /// Discards a dead letter. As [`LocalQueue::delete`].
    pub async fn acknowledge_dead_letter(&self, receipt: ReceiptHandle) -> Result<Deleted> {
        self.dead().delete(receipt).await
    }

    /// Changes how long a received dead letter stays invisible. As [`LocalQueue::change_visibility`].
    pub async fn update_dead_letter_visibility(
        &self,
        receipt: ReceiptHandle,
        timeout: Duration,
    ) -> Result<VisibilityChanged> {
        self.dead().change_visibility(receipt, timeout).await
    }

    /// Makes a dead letter work again: it is visible at once, and counts as never received. In one commit; `Gone` means that it
    /// was restored or is gone already. Cancel safe in this sense: a dropped call has restored it or not.
    pub async fn restore_dead_letter(&self, receipt: ReceiptHandle) -> Result<Deleted> {
        let dead = self.dead();
        let place = dead.open_receipt(receipt)?;
        let (partition, _) = dead.cell.operate(Durability::Buffered, None, |op| Ok(op.state.partition()))?;
        let pipeline = &self.stream.cell.engine.pipeline;
        let Some(row) = pipeline.read(move |store| store.row(partition, place.seq)).await? else {
            return Ok(Deleted::Gone);
        };
        let damaged = |what: Malformed| damaged_row(partition, place.seq, what);
        let (message, _) = RowContent::read(&row).map_err(damaged)?.into_message();
        let step = |from: &mut Operation<'_>, to: &mut Operation<'_>| {
            if let Err(outcome) = from.state.can_give_up(place)? {
                return Ok(outcome);
            }
            let Some(lease) = from.state.give_up(place, from.now, from.batch) else {
                return Ok(Deleted::Gone);
            };
            let row = UnstampedRow::new(&message, None);
            to.state.append_moved(lease.sent_at, to.now, None, |head| row.stamp(head), to.batch);
            Ok(Deleted::Gone)
        };
        let (outcome, ticket) = dead.cell.operate_both(&self.cell.ready, Durability::Synced, step)?;
        ticket.wait().await?;
        Ok(outcome)
    }

    /// How many records there are. Cancel safe.
    pub async fn counters(&self) -> Result<StreamQueueCounters> {
        let own = self.ready().counters().await?;
        let dead = self.dead().counters().await?.total();
        let behind = self.cell.behind(&self.stream);
        Ok(StreamQueueCounters { visible: own.visible, in_flight: own.in_flight, behind, dead })
    }
}

fn stream_message((message, record): (Message, Record)) -> StreamMessage {
    StreamMessage {
        record: record.number,
        receipt: message.receipt,
        partition_key: record.partition_key,
        data: record.data,
        arrived_at: record.arrived_at,
        first_received_at: message.first_received_at,
        receive_count: message.receive_count,
    }
}

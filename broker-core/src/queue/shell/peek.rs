//! Looking at messages in passing.

use super::{LocalQueue, QueueCell};
use crate::{
    error::Result,
    ids::SequenceNumber,
    queue::{
        fetch::damaged_row,
        inspect::{PeekOptions, Peeked},
        message::Message,
        row::RowContent,
        state::{QueueState, Rows, Sight, Stored},
    },
    storage::Page,
};

/// One peek reads no more than this, and one message.
const PEEKED_BYTES_MAX: usize = 4 * 1024 * 1024;

impl LocalQueue {
    /// Looks at messages in the order of the queue without touching them: none is leased, counted or moved. In flight,
    /// delayed and blocked ones are shown too, each with what it is doing. Cancel safe.
    ///
    /// Fewer than asked for may be returned although there are more, so that one call reads at most about 4 MiB.
    /// Continue behind the last one; nothing is returned only at the end. Each call sees the queue as it is then. If a
    /// stored message is damaged, the error names it.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// # let broker = broker_core::Broker::open(broker_mem::MemStorage::new()).await?;
    /// use broker_core::PeekOptions;
    ///
    /// let orders = broker.queue("orders").await?;
    /// orders.send("order 1").await?;
    /// let mut page = PeekOptions::up_to(100);
    /// loop {
    ///     let peeked = orders.peek(page).await?;
    ///     let Some(last) = peeked.last() else { break };
    ///     page = page.after(last.sequence_number);
    ///     for order in peeked {
    ///         println!("{}: {}", order.id, order.state); // …: can be received
    ///     }
    /// }
    /// # Ok::<(), broker_core::Error>(()) }).unwrap();
    /// ```
    pub async fn peek(&self, options: PeekOptions) -> Result<Vec<Peeked>> {
        options.check()?;
        let cell = &*self.cell;
        let mut from = options.after.map_or(0, |last| last.seq() + 1);
        loop {
            let Rows { partition, range } = cell.look_inside(|state, _| state.rows()).await?;
            let rows = Rows { partition, range: range.start.max(from)..range.end };
            let page = Page { entries: options.max, bytes: PEEKED_BYTES_MAX };
            let page = cell.engine.pipeline.read(move |store| Stored::read(store, &rows, page)).await?;
            let Some(last) = page.last() else { return Ok(Vec::new()) };
            from = last.seq + 1;
            let (sights, messages) = cell.peek_at(partition, &page).await?;
            if !messages.is_empty() {
                let explained = self.explanations(sights).await?.into_iter();
                let peeked = messages.into_iter().zip(explained);
                return Ok(peeked.map(|((seq, message), state)| Peeked::new(message, seq, state)).collect());
            }
        }
    }
}

impl QueueCell {
    /// What those of these messages are doing that are still there.
    async fn peek_at(
        &self,
        partition: u64,
        page: &[Stored],
    ) -> Result<(Vec<Sight>, Vec<(SequenceNumber, Message)>)> {
        let look = |state: &QueueState, now| {
            if state.partition() != partition {
                return Vec::new();
            }
            let sights = page.iter().map(|stored| (stored, state.sight(stored.seq, Some(stored), now)));
            let there = sights.filter_map(|(stored, sight)| {
                let sight = sight.filter(|sight| !matches!(sight, Sight::Ended(_)))?;
                Some((stored, state.lease_in_memory(stored.seq).unwrap_or(stored.lease()), sight))
            });
            there.collect()
        };
        let mut sights = Vec::new();
        let mut messages = Vec::new();
        for (stored, lease, sight) in self.look_inside(look).await? {
            let content = RowContent::read(&stored.row);
            let content = content.map_err(|what| damaged_row(partition, stored.seq, what))?;
            sights.push(sight);
            messages.push((SequenceNumber::new(stored.seq), self.message_of(stored.seq, &lease, content)));
        }
        Ok((sights, messages))
    }
}

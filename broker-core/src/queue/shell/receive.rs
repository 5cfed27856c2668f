//! Receiving: leases first, stores the delivery counts, then hands out.

use std::pin::pin;

use super::{LocalQueue, Operation, QueueCell, handout::Handout};
use crate::{
    clock::{Timestamp, millis},
    error::{Error, Result},
    ids::{MessageId, ReceiptHandle, SequenceNumber},
    queue::{
        fetch::damaged_row,
        lease::Lease,
        message::Message,
        options::ReceiveOptions,
        row::RowContent,
        state::{Leased, SpentRule, Want},
    },
    seeded::seeded,
    storage::Durability,
};

/// What a look at the queue came to.
pub(super) enum Look {
    /// Leased these, from this partition.
    Leased(u64, Vec<Leased>),
    /// An earlier receive has these, from this partition, and asks for them again.
    Repeated(u64, Vec<Leased>),
    /// Something must be read first.
    PageIn,
    /// There are messages that were received as often as they may be: this takes the dead-letter queue too.
    Spent,
    /// As many messages are in flight as may be.
    OverLimit(Error),
}

impl LocalQueue {
    /// Receives messages: those that are visible now, or, with a wait time, the first to become so.
    ///
    /// A long poll returns as soon as there is one message, with what there is then; empty only when its time is up.
    /// The delivery counts survive a killed process before this returns.
    ///
    /// A message that was received as often as the queue's [`RedrivePolicy`](crate::RedrivePolicy) allows is moved to the
    /// dead-letter queue instead, in the commit that this call waits for.
    ///
    /// At the in-flight limit ([`Limits::in_flight_max`](crate::Limits)) a short poll fails with [`Error::OverLimit`], or on
    /// a FIFO queue returns nothing; a long poll waits for room, and returns nothing when its time is up. If a stored message is damaged, the error
    /// names it; it stays invisible for its timeout, and the next call returns those behind it.
    ///
    /// Cancel safe: whatever a dropped call had leased is visible again at once, its count as before. (If its
    /// visibility timeout was over by then, the count may stay one higher.) But poll the call or drop it: one that is
    /// kept and not polled, as in a `select!` whose other branch takes long, can hold the wake-up that another waiting
    /// receive needs, and what it has leased.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use broker_core::ReceiveOptions;
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// # let broker = broker_core::Broker::open(broker_mem::MemStorage::new()).await?;
    /// # let orders = broker.queue("orders").await?;
    /// # orders.send("order 1").await?;
    /// let options = ReceiveOptions::up_to(10).wait_time(Duration::from_secs(20));
    /// for message in orders.receive(options).await? {
    ///     println!("{}", message.text().unwrap_or("not text"));
    ///     orders.delete(message.receipt).await?;
    /// }
    /// # Ok::<(), broker_core::Error>(()) }).unwrap();
    /// ```
    pub async fn receive(&self, options: ReceiveOptions) -> Result<Vec<Message>> {
        let cell = &*self.cell;
        options.check(&cell.engine.limits)?;
        if let Some(attempt_id) = options.attempt_id.as_ref().filter(|_| !cell.is_fifo()) {
            return Err(Error::invalid("attempt_id", attempt_id, "is for FIFO queues only"));
        }
        let wait_ms = match options.wait_time {
            Some(wait) => millis(wait),
            None => cell.receive_wait_time_ms(),
        };
        self.receive_within(&options, wait_ms).await
    }

    /// A receive with options that were checked, or need not be.
    pub(crate) async fn receive_within(
        &self,
        options: &ReceiveOptions,
        wait_ms: u64,
    ) -> Result<Vec<Message>> {
        let cell = &*self.cell;
        if wait_ms == 0 {
            return self.try_receive(options).await;
        }
        let deadline = cell.engine.timeline.now().saturating_add(wait_ms);
        // Most receives find something, and need no place among the waiters.
        match self.try_receive(options).await {
            Ok(messages) if messages.is_empty() => {}
            Err(Error::OverLimit { .. }) => {}
            done => return done,
        }
        loop {
            // Enabled before the look: what happens after it is not missed.
            let mut arrival = pin!(cell.waiters.arrival());
            arrival.as_mut().enable();
            let mut stopped = pin!(cell.engine.pipeline.stopped());
            stopped.as_mut().enable();
            match self.try_receive(options).await {
                Ok(messages) if messages.is_empty() => {}
                Err(Error::OverLimit { .. }) => {}
                done => return done,
            }
            if cell.engine.timeline.now() >= deadline {
                return Ok(Vec::new());
            }
            cell.wait(arrival, stopped, deadline).await;
        }
    }

    /// A short poll.
    async fn try_receive(&self, options: &ReceiveOptions) -> Result<Vec<Message>> {
        let cell = &*self.cell;
        loop {
            let look = |op: &mut Operation<'_>| cell.look(op, options, None);
            let (mut look, mut ticket) = cell.operate(Durability::Buffered, None, look)?;
            if matches!(look, Look::Spent) {
                (look, ticket) = self.look_and_move(options).await?;
            }
            let repeated = matches!(look, Look::Repeated(..));
            let (partition, leased) = match look {
                Look::PageIn | Look::Spent => {
                    cell.page_in(Want::Messages(options.max_messages)).await?;
                    continue;
                }
                Look::OverLimit(_) if cell.is_fifo() => return Ok(Vec::new()),
                Look::OverLimit(error) => return Err(error),
                Look::Leased(partition, leased) | Look::Repeated(partition, leased) => (partition, leased),
            };
            let handout = Handout { cell, leased, repeated };
            if !seeded("counted-after-the-hand-out") {
                ticket.wait().await?;
            }
            if handout.leased.is_empty() {
                return Ok(Vec::new());
            }
            let messages = handout.complete(partition).await?;
            if !messages.is_empty() {
                cell.tell_received(&messages);
                return Ok(messages);
            }
        }
    }
}

impl QueueCell {
    /// Leases what a receive is to return. Without a rule it stops at spent messages and changes nothing.
    pub(super) fn look(
        &self,
        op: &mut Operation<'_>,
        options: &ReceiveOptions,
        spent_rule: Option<&mut SpentRule<'_>>,
    ) -> Result<Look> {
        if !op.page_in_here(self, Want::Messages(options.max_messages))? {
            return Ok(Look::PageIn);
        }
        let timeout_ms = options.visibility_timeout.map_or(op.state.settings.visibility_timeout_ms, millis);
        if let Some(id) = &options.attempt_id
            && let Some(leased) = op.state.repeat_attempt(id, op.now, timeout_ms, op.batch)
        {
            return Ok(Look::Repeated(op.state.partition(), leased));
        }
        let max = self.engine.limits.in_flight_max;
        let in_flight = op.state.in_flight();
        if in_flight >= max {
            return Ok(Look::OverLimit(Error::OverLimit { in_flight, max }));
        }
        let mut none_spent = SpentRule::HandOut;
        let spent_rule = match spent_rule {
            Some(rule) => rule,
            None if op.state.has_spent() => return Ok(Look::Spent),
            None => &mut none_spent,
        };
        let want = options.max_messages.min(max - in_flight);
        let leased = op.state.lease(op.now, want, timeout_ms, spent_rule, op.batch);
        if let Some(id) = &options.attempt_id {
            op.state.note_attempt(id, op.now, &leased);
        }
        if timeout_ms == 0 {
            op.state.tick(op.now, op.batch);
        }
        Ok(Look::Leased(op.state.partition(), leased))
    }
}

impl QueueCell {
    pub(super) fn message(&self, partition: u64, leased: &Leased) -> Option<Result<Message>> {
        let Leased { seq, lease, row } = leased;
        let content = match RowContent::read(row.as_ref()?) {
            Ok(content) => content,
            Err(what) => return Some(Err(damaged_row(partition, *seq, what).into())),
        };
        Some(Ok(self.message_of(*seq, lease, content)))
    }

    /// A message as its receiver sees it. What it went through in another queue counts on here.
    pub(super) fn message_of(&self, seq: u64, lease: &Lease, content: RowContent) -> Message {
        let seed = self.engine.seed;
        let of_topic = content.origin.as_ref().is_some_and(|origin| origin.of_topic);
        let (origin, why) = content.origin.map(|origin| (origin.id, origin.why)).unzip();
        let received_before = why.as_ref().map_or(0, |why| why.receive_count);
        let first_received_at = Timestamp::from_millis(lease.first_received_at);
        let id = origin.unwrap_or_else(|| MessageId::new(seed, self.id, seq));
        Message {
            id,
            receipt: ReceiptHandle::new(seed, self.id, seq, lease.deliveries),
            body: content.body,
            attributes: content.attributes,
            group_id: content.group_id,
            trace_header: content.trace_header,
            sent_at: Timestamp::from_millis(lease.sent_at),
            first_received_at: why.as_ref().map_or(first_received_at, |why| why.first_received_at),
            receive_count: received_before.saturating_add(lease.deliveries),
            sequence_number: self.is_fifo().then(|| SequenceNumber::new(seq)),
            // Rule F52.
            deduplication_id: match origin {
                Some(id) if self.is_fifo() && !of_topic => Some(id.to_string()),
                _ => content.deduplication_id,
            },
            dead_letter: why,
        }
    }
}

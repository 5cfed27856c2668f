//! Seeing inside: the stats of a queue, what became of a message, and why a receive finds nothing.

use std::collections::{BTreeMap, BTreeSet};

use super::{LocalQueue, Operation, QueueCell};
use crate::{
    clock::Timestamp,
    error::{Error, Result},
    ids::MessageId,
    queue::{
        fetch::damaged_row,
        inspect::{EmptyReason, Explanation, QueueStats, WhyEmpty},
        redrive::DeadLetter,
        row::{RowHead, origin_in},
        state::{Blocked, Prospect, QueueState, Rows, Sight, Stored, Want},
    },
    storage::{Durability, Page, Storage, StorageError},
};

/// One row is read whole, however large.
const ONE: Page = Page { entries: 1, bytes: 1 };
/// Spent messages that are read to see what is behind them: as many as one receive moves.
const SPENT_READ_MAX: usize = 100;

impl LocalQueue {
    /// Counters, the age of the oldest message, and blocked groups, at this moment: as cheap as
    /// [`counters`](Self::counters), whatever the backlog. Cancel safe.
    pub async fn stats(&self) -> Result<QueueStats> {
        Ok(self.cell.look_at_stats().await?.0)
    }

    /// What this message is doing in this queue, or what became of it. Cancel safe, and changes nothing.
    ///
    /// How a message ended is remembered in memory, for the last thousand or so of the queue. A message that was moved
    /// here, or from here to the dead-letter queue, is found by its id, which it keeps: besides the last thousand, among
    /// the first and the last ten thousand messages of the queue in which it is.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// # let broker = broker_core::Broker::open(broker_mem::MemStorage::new()).await?;
    /// use broker_core::Explanation;
    ///
    /// let orders = broker.queue("orders").await?;
    /// let sent = orders.send("order 1").await?;
    /// assert_eq!(orders.explain(sent.id).await?, Explanation::Visible);
    /// for order in orders.receive(Default::default()).await? {
    ///     println!("{}", orders.explain(order.id).await?); // in flight until … (delivery 1)
    ///     orders.delete(order.receipt).await?;
    /// }
    /// assert!(matches!(orders.explain(sent.id).await?, Explanation::Deleted { .. }));
    /// # Ok::<(), broker_core::Error>(()) }).unwrap();
    /// ```
    pub async fn explain(&self, id: MessageId) -> Result<Explanation> {
        let cell = &*self.cell;
        let (queue, seq) = id.origin(cell.engine.seed);
        let own = (queue == cell.id).then_some(seq);
        let look = |state: &QueueState, now| {
            let seq = state.arrival(id).or(own.filter(|seq| state.has_given_out(*seq)));
            (seq, state.rows(), seq.and_then(|seq| state.sight(seq, None, now)))
        };
        let (seq, rows, mut sight) = cell.look_inside(look).await?;
        if sight.is_none() {
            let partition = rows.partition;
            if let Some((stored, _)) = cell.find(rows, seq, id).await? {
                // It may have gone on meanwhile.
                let again = |state: &QueueState, now| {
                    let there = state.partition() == partition;
                    there.then(|| state.sight(stored.seq, Some(&stored), now)).flatten()
                };
                sight = cell.look_inside(again).await?;
            }
        }
        if let Some(sight) = sight {
            let explained = self.explanations(vec![sight]).await?.pop();
            return Ok(explained.expect("one explanation for one sight"));
        }
        let moved = self.find_dead(id, own.is_some()).await?;
        let gone = if seq.is_some() { Explanation::Gone } else { Explanation::NeverSeen };
        Ok(moved.unwrap_or(gone))
    }

    /// Where the message is in the dead-letter queue, if it is there and came from here.
    async fn find_dead(&self, id: MessageId, own: bool) -> Result<Option<Explanation>> {
        let Some(target) = self.dead_letter_queue() else { return Ok(None) };
        let look = target.look_inside(|state, _| (state.arrival(id), state.rows())).await;
        let (seq, rows) = match look {
            Err(Error::QueueDoesNotExist { name }) if name == target.name => return Ok(None),
            look => look?,
        };
        let why = target.find(rows, seq, id).await?.and_then(|(_, why)| why);
        let why = why.filter(|why| own || why.source == self.cell.name);
        Ok(why.map(|why| Explanation::Moved {
            queue: target.name.clone(),
            receives: why.receive_count,
            at: why.moved_at,
        }))
    }

    /// Sights with the ids of the messages that they are about.
    pub(super) async fn explanations(&self, sights: Vec<Sight>) -> Result<Vec<Explanation>> {
        let blockers = sights.iter().filter_map(|sight| match sight {
            Sight::Blocked(Blocked { behind, .. }) => Some(*behind),
            _ => None,
        });
        let ids = self.cell.ids(blockers.collect()).await?;
        let handed_out = self.dead_letter_queue().is_none();
        let explain = |sight| match sight {
            Sight::Spent { .. } if handed_out => Explanation::Visible,
            sight => Explanation::new(sight, |seq| ids[&seq]),
        };
        Ok(sights.into_iter().map(explain).collect())
    }

    /// Why a receive finds nothing, or that it would find something: what a short poll for one message would come to
    /// now. Receives nothing and changes nothing. Cancel safe.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// # let broker = broker_core::Broker::open(broker_mem::MemStorage::new()).await?;
    /// use broker_core::EmptyReason;
    ///
    /// let orders = broker.queue("orders").await?;
    /// orders.send("order 1").await?;
    /// orders.receive(Default::default()).await?;
    /// let why = orders.why_empty().await?;
    /// assert_eq!(why.reason, EmptyReason::NoneVisible);
    /// println!("{why}"); // all messages are in flight or delayed: 0 visible, 1 in flight, …
    /// # Ok::<(), broker_core::Error>(()) }).unwrap();
    /// ```
    pub async fn why_empty(&self) -> Result<WhyEmpty> {
        let cell = &*self.cell;
        let max = cell.engine.limits.in_flight_max;
        let target = self.dead_letter_queue();
        let look = |op: &mut Operation<'_>, still_delayed| {
            let stats = op.state.overview(still_delayed).stats;
            let at_limit = op.state.in_flight() >= max;
            let prospect = op.state.prospect(target.is_some());
            (stats, prospect, op.state.next_visible(at_limit), at_limit, op.state.in_storage_only())
        };
        let mut looked = cell.describe(&[Want::First, Want::Messages(1)], look).await?;
        // A receive would move spent messages and look behind them; and what was not committed yet can be read now.
        let again = match looked.1 {
            Prospect::OnlySpent(spent) => Some(Want::Unspent(spent.saturating_add(SPENT_READ_MAX))),
            Prospect::Nothing if looked.0.counters.visible > 0 => Some(Want::Messages(1)),
            _ => None,
        };
        if let Some(want) = again {
            looked = cell.describe(&[Want::First, want], look).await?;
        }
        let (QueueStats { counters, groups_blocked, .. }, prospect, next_visible, at_limit, unsearched) =
            looked;
        let reason = match prospect {
            _ if counters.total() == 0 => EmptyReason::NoMessages,
            _ if at_limit => EmptyReason::InFlightLimit { max },
            Prospect::OnlySpent(_) => {
                EmptyReason::OnlySpent { queue: target.map(|cell| cell.name.clone()).unwrap_or_default() }
            }
            Prospect::Blocked(Blocked { group, behind, until }) => EmptyReason::Blocked {
                group_id: group,
                behind: cell.ids(BTreeSet::from([behind])).await?[&behind],
                until: Timestamp::from_millis(until),
                unsearched,
            },
            Prospect::Nothing if counters.visible == 0 => EmptyReason::NoneVisible,
            // Or messages come in faster than they are committed.
            Prospect::Message | Prospect::Nothing => EmptyReason::NotEmpty,
        };
        let next_visible = next_visible.filter(|_| reason != EmptyReason::NotEmpty);
        let next_visible = next_visible.map(Timestamp::from_millis);
        Ok(WhyEmpty { reason, counters, groups_blocked, next_visible })
    }
}

impl QueueCell {
    /// The stats, and when time next changes them.
    pub(super) async fn look_at_stats(&self) -> Result<(QueueStats, Option<u64>)> {
        let look = |op: &mut Operation<'_>, still_delayed| op.state.overview(still_delayed);
        let overview = self.describe(&[Want::First], look).await?;
        let mut stats = overview.stats;
        if let Some(Rows { partition, range }) = overview.oldest_in {
            let first = self.engine.pipeline.read(move |store| store.rows(partition, range, ONE)).await?;
            if let Some((seq, row)) = first.first() {
                let head = RowHead::read(row).map_err(|what| damaged_row(partition, *seq, what))?;
                stats.oldest = Some(Timestamp::from_millis(head.queued_at));
            }
        }
        Ok((stats, overview.next_change))
    }

    /// The message with this sequence, or else one that was moved here with this id, and why.
    async fn find(
        &self,
        rows: Rows,
        seq: Option<u64>,
        id: MessageId,
    ) -> Result<Option<(Stored, Option<Box<DeadLetter>>)>> {
        let find = move |store: &dyn Storage| {
            if let Some(seq) = seq {
                let row = Rows { partition: rows.partition, range: seq..seq + 1 };
                if let Some(stored) = Stored::read(store, &row, ONE)?.pop() {
                    let why = origin_in(&stored.row).ok().flatten().map(|origin| origin.why);
                    return Ok(Some((stored, why)));
                }
            }
            let found = Stored::search(store, &rows, id)?;
            Ok(found.map(|(stored, origin)| (stored, Some(origin.why))))
        };
        self.engine.pipeline.read(find).await
    }

    /// The ids of these messages: those that they were sent with, in whatever queue.
    async fn ids(&self, seqs: BTreeSet<u64>) -> Result<BTreeMap<u64, MessageId>> {
        if seqs.is_empty() {
            return Ok(BTreeMap::new());
        }
        let (seed, queue) = (self.engine.seed, self.id);
        let partition = self.inner.lock().state.partition();
        let read = move |store: &dyn Storage| {
            let id = |seq| {
                let origin = store.row(partition, seq)?.and_then(|row| origin_in(&row).ok().flatten());
                Ok((seq, origin.map_or_else(|| MessageId::new(seed, queue, seq), |origin| origin.id)))
            };
            seqs.into_iter().map(id).collect::<Result<_, StorageError>>()
        };
        self.engine.pipeline.read(read).await
    }

    /// Looks at the queue when nothing that is due is in the time index. Releases what was seen when it is committed.
    pub(super) async fn look_inside<T>(&self, look: impl Fn(&QueueState, u64) -> T) -> Result<T> {
        loop {
            let (seen, ticket) = self.operate(Durability::Buffered, None, |op| {
                let ready = op.page_in_here(self, Want::Nothing)?;
                Ok(ready.then(|| look(op.state, op.now)))
            })?;
            match seen {
                Some(seen) => {
                    ticket.wait().await?;
                    return Ok(seen);
                }
                None => self.page_in(Want::Nothing).await?,
            }
        }
    }
}

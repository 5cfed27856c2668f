//! The commit of a transaction: reads what the decision needs, and tries again until it is made.

use std::sync::Arc;

use super::{
    Committed, Reason, Transaction,
    by_id::ById,
    plan::Parts,
    step::{Known, Missing},
};
use crate::{
    error::{Error, Result},
    pipeline::Ticket,
    queue::shell::{self, QueueCell},
    sync::Ordering,
};

/// What an attempt to commit came to.
pub(super) enum Tried {
    Done(Committed, Ticket),
    /// The subscriptions or the queues of a topic are not what they were.
    Changed,
    /// This must be read first.
    Missing(Missing),
}

/// Leases that must be read, of these messages.
pub(super) type MissingLeases = (Arc<QueueCell>, shell::Missing, Vec<u64>);

impl Transaction {
    /// Does all that was staged, in one commit, or nothing. Returns when that has its [durability](Self::durability).
    ///
    /// If one operation cannot be done it fails with [`Error::TransactionRejected`](crate::Error::TransactionRejected), and nothing has
    /// happened. A transaction that only reads is checked too: if it commits, all that it has read was so at one moment.
    ///
    /// Cancel safe in this sense: a dropped call has done all of it or nothing, and later calls agree on which.
    pub async fn commit(mut self) -> Result<Committed> {
        let committed = match self.attempt_at_once() {
            Ok((_, Some(Tried::Done(committed, ticket)))) => ticket.wait().await.map(|()| committed),
            // Boxed: what is seldom needed is large, and would be moved about with every commit.
            Ok((parts, tried)) => Box::pin(self.go_on(parts, tried)).await,
            Err(error) => Err(error),
        };
        if let Err(Error::TransactionRejected(why)) = &committed
            && matches!(why.reason, Reason::KeyChanged { .. })
            && let Some(conflict) = &self.0.conflict
        {
            conflict.store(true, Ordering::Relaxed);
        }
        committed
    }

    /// An attempt that waits for nothing. None was made if there is no room now.
    fn attempt_at_once(&mut self) -> Result<(Parts, Option<Tried>)> {
        if let Some(overtaken) = &self.0.overtaken {
            return Err(overtaken.clone());
        }
        let parts = self.parts()?;
        let pipeline = self.0.broker.engine().pipeline.clone();
        let admission = match parts.bytes {
            // What makes room is not asked whether there is room for it.
            0 => None,
            bytes => match pipeline.admit_at_once(bytes)? {
                None => return Ok((parts, None)),
                admission => admission,
            },
        };
        let tried = self.attempt(&parts, &mut Known::default(), admission)?;
        Ok((parts, Some(tried)))
    }

    /// Goes on from a first attempt, if one was made.
    async fn go_on(&mut self, mut parts: Parts, mut first: Option<Tried>) -> Result<Committed> {
        loop {
            let mut known = Known::default();
            let mut turns = Vec::new();
            let mut tried = match first.take() {
                Some(tried) => tried,
                None => self.admit_and_attempt(&parts, &mut known).await?,
            };
            while let Tried::Missing(Missing { ids, leases, rows }) = tried {
                if !ids.is_empty() && turns.is_empty() {
                    // Which ids must be looked up is known for certain only from here on.
                    turns = parts.turns().await;
                } else {
                    for (owner, missing) in ids {
                        let found =
                            self.0.broker.engine().pipeline.read(move |store| missing.find(store)).await?;
                        known.looked_up.entry(owner).or_default().add(found);
                    }
                }
                known.leases = read(leases).await?;
                for (cell, partition, seq) in rows {
                    known.rows.insert((cell.id, seq), shell::read_dead_row(&cell, partition, seq).await?);
                }
                tried = self.admit_and_attempt(&parts, &mut known).await?;
            }
            drop(turns);
            if let Tried::Done(committed, ticket) = tried {
                return ticket.wait().await.map(|()| committed);
            }
            parts = self.parts()?;
        }
    }

    async fn admit_and_attempt(&mut self, parts: &Parts, known: &mut Known) -> Result<Tried> {
        let pipeline = self.0.broker.engine().pipeline.clone();
        let admission = match parts.bytes {
            // What makes room is not asked whether there is room for it.
            0 => None,
            bytes => Some(pipeline.admit(bytes).await?),
        };
        self.attempt(parts, known, admission)
    }
}

async fn read(missing: Vec<MissingLeases>) -> Result<ById<shell::ColdLeases, 0>> {
    let mut leases = ById::default();
    for (cell, missing, seqs) in missing {
        if let Some(found) = cell.read_leases(missing, seqs).await? {
            leases.push(cell.id, found);
        }
    }
    Ok(leases)
}

//! A queue on a stream in memory: its positions, and how it pulls records.

use std::{collections::BTreeMap, sync::Arc};

use super::stored::encode_reference;
use crate::{
    error::Result,
    keys,
    queue::{message::SendMessage, row::UnstampedRow, shell::QueueCell},
    storage::Durability,
    stream::{LocalStream, record::Record, shard::ShardId},
    sync::{AsyncMutex, Mutex},
};

/// What all handles of a queue on a stream share.
pub(crate) struct StreamQueueCell {
    pub(crate) name: String,

    /// What was pulled and is not acknowledged.
    pub(crate) ready: Arc<QueueCell>,
    pub(crate) dead: Arc<QueueCell>,
    /// The first sequence of each shard that was not pulled. Never held across an await.
    pub(crate) positions: Mutex<BTreeMap<u32, u64>>,
    /// Held by whoever pulls, so that each record is pulled once.
    pulling: AsyncMutex<()>,
}

impl StreamQueueCell {
    pub(crate) fn new(
        name: String,
        [ready, dead]: [Arc<QueueCell>; 2],
        positions: BTreeMap<u32, u64>,
    ) -> Arc<Self> {
        let (positions, pulling) = (Mutex::new(positions), AsyncMutex::new(()));
        Arc::new(Self { name, ready, dead, positions, pulling })
    }

    /// Records that were not pulled.
    pub(super) fn behind(&self, stream: &LocalStream) -> u64 {
        let inner = stream.cell.up_to_date();
        let positions = self.positions.lock();
        let behind = inner.state.shards().map(|shard| {
            let position = positions.get(&shard.definition.number).copied().unwrap_or(0);
            shard.readable().saturating_sub(position.max(shard.head))
        });
        behind.sum()
    }

    /// Pulls the next records of one shard, if a shard has some. Returns them; what is to be given out is leased as usual.
    /// Cancel safe.
    pub(super) async fn pull(&self, stream: &LocalStream, max: usize) -> Result<Vec<Record>> {
        let _turn = self.pulling.lock().await;
        let next = {
            let inner = stream.cell.up_to_date();
            let positions = self.positions.lock();
            let position = |number: u32| positions.get(&number).copied().unwrap_or(0);
            let mut shards = inner.state.shards();
            // The one that is furthest behind.
            let behind = |shard: &&crate::stream::state::Shard| {
                shard.readable().saturating_sub(position(shard.definition.number).max(shard.head))
            };
            shards.by_ref().max_by_key(behind).filter(|shard| behind(shard) > 0).map(|shard| {
                let number = shard.definition.number;
                (ShardId(number), position(number).max(shard.head))
            })
        };
        let Some((shard, from)) = next else { return Ok(Vec::new()) };
        let (records, next) = stream.fetch(shard, from, max).await?;
        let step = |op: &mut crate::queue::shell::Operation<'_>| {
            for record in &records {
                let message = SendMessage::new(encode_reference(record.number));
                let row = UnstampedRow::new(&message, None);
                let at = record.arrived_at.as_millis();
                op.state.append_moved(at, op.now, None, |head| row.stamp(head), op.batch);
            }
            op.batch.put_meta(&keys::position(self.ready.id, u64::from(shard.0)), &next.to_le_bytes());
            Ok(())
        };
        // What is undone by a power cut is pulled again, in the order in which it was.
        let _ = self.ready.operate(Durability::Buffered, None, step)?;
        self.positions.lock().insert(shard.0, next);
        Ok(records)
    }
}

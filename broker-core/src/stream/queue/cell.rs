//! A queue on a stream in memory: its positions, how it pulls records, and how references become records again.

use std::{collections::BTreeMap, sync::Arc};

use super::stored::{decode_reference, encode_reference};
use crate::{
    error::Result,
    keys,
    queue::{
        LocalQueue,
        message::{Message, SendMessage},
        row::UnstampedRow,
        shell::QueueCell,
    },
    storage::Durability,
    stream::{LocalStream, number::RecordNumber, record::Record, shard::ShardId},
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

    /// The records of these messages. Those that have left the stream leave the queue too.
    pub(super) async fn resolve(
        &self,
        stream: &LocalStream,
        queue: &LocalQueue,
        messages: Vec<Message>,
        pulled: &[Record],
    ) -> Result<Vec<(Message, Record)>> {
        let mut found = Vec::with_capacity(messages.len());
        for message in messages {
            let number = decode_reference(&message.body).ok();
            let record = match number {
                Some(number) => match pulled.iter().find(|record| record.number == number) {
                    Some(record) => Some(record.clone()),
                    None => self.record(stream, number).await?,
                },
                None => None,
            };
            match record {
                Some(record) => found.push((message, record)),
                None => {
                    queue.delete(message.receipt).await?;
                }
            }
        }
        Ok(found)
    }

    async fn record(&self, stream: &LocalStream, number: RecordNumber) -> Result<Option<Record>> {
        let shard = ShardId(number.shard);
        if !stream.has_shard(shard, number.epoch) {
            return Ok(None);
        }
        let (records, _) = stream.fetch(shard, number.seq, 1).await?;
        Ok(records.into_iter().next().filter(|record| record.number == number))
    }
}

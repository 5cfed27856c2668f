//! Making, finding and deleting the queues on a stream.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    cell::StreamQueueCell,
    message::StreamQueueSettings,
    shell::StreamQueue,
    stored::{self, StreamQueueDefinition},
};
use crate::{
    clock::millis,
    error::Result,
    keys,
    queue::{
        record::Record as QueueRecord,
        shell::{Description, QueueCell},
        state::QueueState,
    },
    reclaim,
    storage::Durability,
    stream::{LocalStream, record::StartingPosition, shell::StreamInner},
};

impl LocalStream {
    /// The queue of this name on this stream. If there is none it is made, with these settings, and begins here: at the end,
    /// at the horizon or at a time (section D10). If there is one it is opened, whatever is given.
    ///
    /// Cancel safe in this sense: a dropped call has made the queue or not.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// # let broker = broker_core::Broker::open(broker_mem::MemStorage::new()).await?;
    /// use broker_core::{PutRecord, ReceiveOptions, StartingPosition};
    ///
    /// let clicks = broker.stream("clicks").await?;
    /// let work = clicks.queue("work", StartingPosition::TrimHorizon, &Default::default()).await?;
    /// clicks.put(PutRecord::new("user-7", "buy")).await?;
    /// let job = &work.receive(ReceiveOptions::up_to(1)).await?[0];
    /// assert_eq!(job.partition_key, "user-7");
    /// work.acknowledge(job.receipt).await?;
    /// # Ok::<(), broker_core::Error>(()) }).unwrap();
    /// ```
    pub async fn queue(
        &self,
        name: &str,
        start: StartingPosition,
        settings: &StreamQueueSettings,
    ) -> Result<StreamQueue> {
        let cell = &*self.cell;
        let engine = &cell.engine;
        crate::stream::check::stream_name(name, &engine.limits.streams)?;
        settings.check(&engine.limits)?;
        let known = |queue: Arc<StreamQueueCell>| StreamQueue { stream: self.clone(), cell: queue };
        if let Some(queue) = cell.inner.lock().queues.get(name).cloned() {
            return Ok(known(queue));
        }
        let positions = self.positions(start).await?;
        let (queue, ticket) = {
            // Before the stream's lock, and held until the batch that stores them is submitted.
            let mut ids = engine.ids.lock();
            cell.operate(Durability::Synced, |inner, now| {
                if let Some(queue) = inner.queues.get(name).cloned() {
                    return Ok(queue);
                }
                let StreamInner { state, batch, queues, .. } = inner;
                let new = [(); 4].map(|()| ids.take(batch));
                let definition = StreamQueueDefinition {
                    id: new[0],
                    dead_id: new[2],
                    visibility_timeout_ms: millis(settings.visibility_timeout),
                    dead_letter: settings.dead_letter,
                    created_at: now,
                };
                definition.save(cell.id, name, batch);
                let names = stored::names(&cell.name, name);
                let [own, dead] = definition.settings(state.settings.retention_ms, &names[1]);
                let [own_name, dead_name] = names;
                let mut internal = |name, id, partition, settings| {
                    let record = QueueRecord {
                        partition,
                        head: 0,
                        tail: 0,
                        stored: 0,
                        cold: 0,
                        delayed: 0,
                        as_of: now,
                    };
                    batch.put_meta(&keys::record(id), &record.encode());
                    let state = QueueState::new(id, settings, engine.memory, &record);
                    QueueCell::new(name, engine.clone(), state, Description::at(now))
                };
                let cells =
                    [internal(own_name, new[0], new[1], own), internal(dead_name, new[2], new[3], dead)];
                let positions: BTreeMap<u32, u64> =
                    positions.iter().map(|(shard, progress)| (*shard, progress.next)).collect();
                for (shard, position) in &positions {
                    batch.put_meta(&keys::position(new[0], u64::from(*shard)), &position.to_le_bytes());
                }
                let queue = StreamQueueCell::new(name.to_owned(), cells, positions);
                queues.insert(name.to_owned(), queue.clone());
                Ok(queue)
            })?
        };
        self.broker.add_hidden(&queue.dead);
        ticket.wait().await?;
        Ok(known(queue))
    }

    /// The names of the queues on this stream, in order, as they are in memory.
    pub fn queues(&self) -> Vec<String> {
        self.cell.inner.lock().queues.keys().cloned().collect()
    }

    /// The queue of this name on this stream, if there is one, as it is in memory.
    pub fn open_queue(&self, name: &str) -> Option<StreamQueue> {
        let cell = self.cell.inner.lock().queues.get(name).cloned()?;
        Some(StreamQueue { stream: self.clone(), cell })
    }

    /// Deletes a queue on this stream; one that does not exist is no error. The stream is not touched. Cancel safe in this
    /// sense: a dropped call has deleted it or not.
    pub async fn delete_queue(&self, name: &str) -> Result<()> {
        let (gone, ticket) = self.cell.operate(Durability::Synced, |inner, _| {
            let Some(queue) = inner.queues.remove(name) else { return Ok(None) };
            let batch = &mut inner.batch;
            batch.delete_meta(&keys::stream_queue(self.cell.id, name));
            let id = queue.ready.id;
            batch.delete_meta_range(&keys::position(id, 0), &keys::position(id, u64::MAX));
            let leftovers = [queue.ready.end(batch), queue.dead.end(batch)];
            Ok(Some((queue, leftovers)))
        })?;
        if let Some((queue, leftovers)) = gone {
            self.broker.remove_hidden(&queue.dead);
            for leftover in leftovers {
                reclaim::start(&self.cell.engine, leftover);
            }
        }
        ticket.wait().await
    }
}

//! From references to records: received messages between their lease and their receiver.

use super::{cell::StreamQueueCell, stored::decode_reference};
use crate::{
    error::Result,
    queue::{LocalQueue, message::Message, shell::Operation, state::Place},
    storage::Durability,
    stream::{LocalStream, number::RecordNumber, record::Record, shard::ShardId},
};

/// Messages that have been received and are not with their receiver. Dropped before they are, they go back.
struct Unresolved<'a> {
    queue: &'a LocalQueue,
    messages: Vec<Message>,
}

impl Drop for Unresolved<'_> {
    fn drop(&mut self) {
        if self.messages.is_empty() {
            return;
        }
        let places = self.messages.iter().filter_map(|message| self.queue.open_receipt(message.receipt).ok());
        let places: Vec<Place> = places.collect();
        let taken_back = self.queue.cell.operate(Durability::Buffered, None, |op: &mut Operation<'_>| {
            for place in places {
                op.state.take_back(place.seq, place.delivery, op.now, op.batch);
            }
            Ok(())
        });
        // Nobody waits for it. If the broker has stopped or the queue is gone, there is nothing to give back.
        drop(taken_back);
    }
}

impl StreamQueueCell {
    /// The records of these messages. Those that have left the stream leave the queue too. Cancel safe: dropped, it gives the
    /// messages back. If a record cannot be read, its message stays in flight for its timeout, and the others go back.
    pub(super) async fn resolve(
        &self,
        stream: &LocalStream,
        queue: &LocalQueue,
        messages: Vec<Message>,
        pulled: &[Record],
    ) -> Result<Vec<(Message, Record)>> {
        let mut unresolved = Unresolved { queue, messages };
        let mut records = Vec::with_capacity(unresolved.messages.len());
        while let Some(message) = unresolved.messages.get(records.len()) {
            let record = match decode_reference(&message.body).ok() {
                Some(number) => match pulled.iter().find(|record| record.number == number) {
                    Some(record) => Ok(Some(record.clone())),
                    None => self.record(stream, number).await,
                },
                None => Ok(None),
            };
            if record.is_err() {
                unresolved.messages.remove(records.len());
            }
            records.push(record?);
        }
        for (message, record) in unresolved.messages.iter().zip(&records) {
            if record.is_none() {
                queue.delete(message.receipt).await?;
            }
        }
        let messages = std::mem::take(&mut unresolved.messages);
        Ok(messages
            .into_iter()
            .zip(records)
            .filter_map(|(message, record)| Some((message, record?)))
            .collect())
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

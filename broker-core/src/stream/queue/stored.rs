//! Queues on streams as the catalog stores them, and the references of which their messages consist.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::message::DeadLetterTarget;
use crate::{
    codec::{Malformed, Reader, write_u32, write_u64},
    keys,
    limits::{Limits, MemoryBounds},
    queue::{
        record::Record,
        recovery,
        redrive::RedrivePolicy,
        settings::{QueueSettings, Settings},
        state::QueueState,
    },
    storage::{Batch, Storage, StorageError},
    stream::{group::stored::all, number::RecordNumber},
};

/// A queue on a stream as the catalog stores it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct StreamQueueDefinition {
    /// Of its internal queue.
    pub(crate) id: u64,
    /// Of the one with its dead letters.
    pub(crate) dead_id: u64,
    pub(crate) visibility_timeout_ms: u64,
    pub(crate) dead_letter: DeadLetterTarget,
    pub(crate) created_at: u64,
}

impl StreamQueueDefinition {
    pub(crate) fn save(&self, stream: u64, name: &str, batch: &mut Batch) {
        let json = serde_json::to_vec(self).expect("plain numbers");
        batch.put_meta(&keys::stream_queue(stream, name), &json);
    }

    /// The settings of its two internal queues.
    pub(crate) fn settings(&self, retention_ms: u64, dead: &str) -> [Settings; 2] {
        let defaults = Settings::new(&Limits::unlimited(), usize::MAX, &QueueSettings::new());
        let plain = Settings {
            visibility_timeout_ms: self.visibility_timeout_ms,
            retention_ms,
            max_message_size: usize::MAX,
            ..defaults.expect("a queue without special settings is always possible")
        };
        let redrive_policy = match self.dead_letter {
            DeadLetterTarget::BuiltIn { max_receive_count } => RedrivePolicy::to(dead, max_receive_count),
            DeadLetterTarget::None => RedrivePolicy::None,
        };
        [Settings { redrive_policy, ..plain.clone() }, plain]
    }
}

/// The names under which errors speak of its internal queues.
pub(crate) fn names(stream: &str, queue: &str) -> [String; 2] {
    [format!("{stream}/{queue}"), format!("{stream}/{queue}/dead")]
}

/// A record that a message refers to.
pub(crate) fn encode_reference(number: RecordNumber) -> Vec<u8> {
    let mut out = Vec::with_capacity(16);
    write_u32(&mut out, number.epoch);
    write_u32(&mut out, number.shard);
    write_u64(&mut out, number.seq);
    out
}

pub(crate) fn decode_reference(bytes: &Bytes) -> Result<RecordNumber, Malformed> {
    let mut reader = Reader::new(bytes);
    let number = RecordNumber { epoch: reader.u32()?, shard: reader.u32()?, seq: reader.u64()? };
    reader.end()?;
    Ok(number)
}

/// A queue on a stream as it is read.
pub(crate) struct LoadedStreamQueue {
    pub(crate) name: String,
    pub(crate) definition: StreamQueueDefinition,
    pub(crate) positions: BTreeMap<u32, u64>,
    pub(crate) records: [Record; 2],
    /// Its two internal queues, once they are loaded.
    pub(crate) states: Option<[QueueState; 2]>,
}

/// All queues on a stream.
pub(crate) fn queues(store: &dyn Storage, stream: u64) -> Result<Vec<LoadedStreamQueue>, StorageError> {
    let (from, to) = (keys::stream_queue(stream, ""), keys::stream_queue(stream.saturating_add(1), ""));
    let queue = |(key, value): (Bytes, Bytes)| {
        let damaged = |what: String| StorageError::corrupt(format!("meta key {key:?}"), what);
        let name =
            keys::group_name_of(&key).ok_or_else(|| damaged("the key is not one of a queue".into()))?;
        let definition: StreamQueueDefinition =
            serde_json::from_slice(&value).map_err(|what| damaged(what.to_string()))?;
        let records =
            [recovery::read_record(store, definition.id)?, recovery::read_record(store, definition.dead_id)?];
        let positions = positions(store, definition.id)?;
        Ok(LoadedStreamQueue { name: name.to_owned(), definition, positions, records, states: None })
    };
    all(store, from, &to)?.into_iter().map(queue).collect()
}

fn positions(store: &dyn Storage, queue: u64) -> Result<BTreeMap<u32, u64>, StorageError> {
    let (from, to) = (keys::position(queue, 0).to_vec(), keys::position(queue, u64::MAX));
    let position = |(key, value): (Bytes, Bytes)| {
        let damaged = |what: &str| StorageError::corrupt(format!("meta key {key:?}"), what);
        let shard = keys::queue_and_number_of(&key).and_then(|(_, shard)| u32::try_from(shard).ok());
        let shard = shard.ok_or_else(|| damaged("the key is not one of a position"))?;
        let position = Reader::new(&value).u64().map_err(|what| damaged(what.0))?;
        Ok((shard, position))
    };
    all(store, from, &to)?.into_iter().map(position).collect()
}

impl LoadedStreamQueue {
    /// Loads what was in memory of it.
    pub(crate) fn load(
        &mut self,
        store: &dyn Storage,
        stream: &str,
        retention_ms: u64,
        memory: MemoryBounds,
        now: u64,
    ) -> Result<(), StorageError> {
        let [_, dead_name] = names(stream, &self.name);
        let [own, dead] = self.definition.settings(retention_ms, &dead_name);
        let StreamQueueDefinition { id, dead_id, .. } = self.definition;
        let [record, dead_record] = &self.records;
        self.states = Some([
            recovery::load(store, id, own, memory, record, now)?,
            recovery::load(store, dead_id, dead, memory, dead_record, now)?,
        ]);
        Ok(())
    }

    pub(crate) fn ids(&self) -> [u64; 4] {
        let StreamQueueDefinition { id, dead_id, .. } = self.definition;
        [id, self.records[0].partition, dead_id, self.records[1].partition]
    }
}

//! A checkpoint: everything that is known when it is written, so that no older frame has to be read again.
//!
//! Every segment begins with one, and a store that is closed leaves one at its end.

use std::{collections::BTreeMap, sync::Arc};

use broker_core::storage::StorageError;
use bytes::{BufMut, Bytes};

use crate::{
    fields::Fields,
    files::Handle,
    format::{FRAME_HEADER_BYTES, FrameHeader, Header, Kind, size},
    part::Part,
    state::State,
};

/// What a checkpoint says.
pub(crate) struct Checkpoint {
    /// The number of the last frame of writes before it.
    pub(crate) number: u64,
    /// Where it ends.
    pub(crate) end: u64,
    pub(crate) meta: BTreeMap<Box<[u8]>, Bytes>,
    pub(crate) sealed: Vec<Listed>,
}

/// A sealed segment in a checkpoint.
pub(crate) struct Listed {
    pub(crate) number: u64,
    pub(crate) file_bytes: u64,
    /// How many partitions have rows in it that live.
    parts: u64,
    /// For those with dead rows: which.
    dead: Vec<u8>,
}

/// A checkpoint of `state` as a frame that is to stand at `offset`.
pub(crate) fn encode(state: &State, header: Header, offset: u64, number: u64, synced: u64) -> Vec<u8> {
    let mut bytes = vec![0; FRAME_HEADER_BYTES];
    bytes.put_u64_le(state.sealed.len() as u64);
    for (segment, sealed) in &state.sealed {
        bytes.put_u64_le(*segment);
        bytes.put_u64_le(sealed.file_bytes);
        bytes.put_u64_le(sealed.parts.len() as u64);
        let mut dead = Vec::new();
        // A part that is not in memory any more has no row that lives; one that is whole needs no word but its name.
        for (partition, part) in &sealed.parts {
            dead.put_u64_le(*partition);
            dead.put_u8(u8::from(!part.is_whole()));
            if !part.is_whole() {
                part.encode_dead(&mut dead);
            }
        }
        bytes.put_u64_le(dead.len() as u64);
        bytes.append(&mut dead);
    }
    bytes.put_u64_le(state.meta.len() as u64);
    for (key, value) in &state.meta {
        for text in [&key[..], &value[..]] {
            bytes.put_u64_le(text.len() as u64);
            bytes.put_slice(text);
        }
    }
    let ops = &bytes[FRAME_HEADER_BYTES..];
    let frame = FrameHeader {
        kind: Kind::Checkpoint,
        number,
        synced,
        ops_bytes: ops.len() as u64,
        values_bytes: 0,
        ops_crc: crc32fast::hash(ops),
    };
    bytes[..FRAME_HEADER_BYTES].copy_from_slice(&frame.encode(header, offset));
    bytes
}

impl Checkpoint {
    /// The checkpoint at `offset` of a file of which `room` bytes follow from there.
    pub(crate) fn read(file: &Handle, header: Header, offset: u64, room: u64) -> Result<Self, StorageError> {
        let damaged = |detail| file.corrupt(offset, detail);
        let bytes = file.read(offset, FRAME_HEADER_BYTES)?;
        let frame =
            FrameHeader::decode(&bytes, header, offset).filter(|frame| frame.kind == Kind::Checkpoint);
        let frame =
            frame.ok_or_else(|| damaged("the header of the checkpoint does not match its checksum"))?;
        let length = frame.length(room).ok_or_else(|| damaged("the file ends within the checkpoint"))?;
        let bytes = file.read(offset + FRAME_HEADER_BYTES as u64, size(frame.ops_bytes))?;
        if crc32fast::hash(&bytes) != frame.ops_crc {
            return Err(damaged("the checkpoint does not match its checksum"));
        }
        let (sealed, meta) = decode(&bytes).ok_or_else(|| damaged("the checkpoint is malformed"))?;
        Ok(Self { number: frame.number, end: offset + length, meta, sealed })
    }
}

type Content = (Vec<Listed>, BTreeMap<Box<[u8]>, Bytes>);

fn decode(bytes: &[u8]) -> Option<Content> {
    let mut fields = Fields(bytes);
    let text = |fields: &mut Fields<'_>| {
        let length = u32::try_from(fields.u64()?).ok()?;
        Some(fields.bytes(length)?.to_vec())
    };
    let (mut sealed, mut meta) = (Vec::new(), BTreeMap::new());
    for _ in 0..fields.count(32)? {
        let (number, file_bytes, parts) = (fields.u64()?, fields.u64()?, fields.u64()?);
        sealed.push(Listed { number, file_bytes, parts, dead: text(&mut fields)? });
    }
    for _ in 0..fields.count(16)? {
        let key = text(&mut fields)?;
        meta.insert(key.into_boxed_slice(), text(&mut fields)?.into());
    }
    fields.0.is_empty().then_some((sealed, meta))
}

impl Listed {
    /// The parts that live, with their dead rows, out of those that the segment's own index lists.
    pub(crate) fn living(
        &self,
        mut indexed: BTreeMap<u64, Arc<Part>>,
        file: &Handle,
    ) -> Result<BTreeMap<u64, Arc<Part>>, StorageError> {
        let mut decode = || {
            let (mut fields, mut living) = (Fields(&self.dead), BTreeMap::new());
            for _ in 0..self.parts {
                let partition = fields.u64()?;
                let mut part = indexed.remove(&partition)?;
                if fields.u8()? != 0 {
                    Arc::make_mut(&mut part).decode_dead(&mut fields)?;
                }
                living.insert(partition, part);
            }
            Some(living)
        };
        decode().ok_or_else(|| file.corrupt(0, "its index does not fit the checkpoint that lists it"))
    }
}

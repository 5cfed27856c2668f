//! The index of a sealed segment: the places of its rows, in blocks, and a directory of the blocks.
//!
//! A block is read alone and has a checksum of its own. The directory is read when a store opens, and stays in memory: it
//! has one number for each block.

use std::{collections::BTreeMap, sync::Arc};

use broker_core::storage::StorageError;
use bytes::BufMut;

use crate::{
    fields::Fields,
    files::Handle,
    format::{FRAME_HEADER_BYTES, FrameHeader, Header, Kind, size},
    ops::ROW_BYTES,
    part::Part,
};

/// Rows in a block. A block takes 12 KiB.
pub(crate) const BLOCK_ROWS: u64 = 512;
const ENTRY_BYTES: u64 = 24;
const CRC_BYTES: u64 = 4;

/// Where a row's value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) offset: u64,
    pub(crate) bytes: u32,
    pub(crate) crc: u32,
}

impl Entry {
    /// What the row takes in its segment.
    pub(crate) fn cost(&self) -> u64 {
        u64::from(self.bytes) + ROW_BYTES
    }
}

/// Rows in the order of their sequence.
pub(crate) type Block = Vec<(u64, Entry)>;

/// The rows of a segment that is being written, by partition and sequence.
pub(crate) type Rows = BTreeMap<(u64, u64), Entry>;

/// Where the block of that number is, and how many rows it has, in a part of `count` rows whose blocks begin at `first`.
pub(crate) fn block_place(first: u64, count: u64, number: u64) -> (u64, u64) {
    let rows = BLOCK_ROWS.min(count - number * BLOCK_ROWS);
    (first + number * (BLOCK_ROWS * ENTRY_BYTES + CRC_BYTES), rows)
}

pub(crate) fn read_block(file: &Handle, offset: u64, rows: u64) -> Result<Block, StorageError> {
    let bytes = file.read(offset, size(rows * ENTRY_BYTES + CRC_BYTES))?;
    decode_block(&bytes)
        .ok_or_else(|| file.corrupt(offset, "a block of the index does not match its checksum"))
}

fn decode_block(bytes: &[u8]) -> Option<Block> {
    let (entries, crc) = bytes.split_last_chunk::<4>()?;
    let genuine = crc32fast::hash(entries).to_le_bytes() == *crc;
    let decode = |bytes: &[u8]| {
        let mut fields = Fields(bytes);
        let seq = fields.u64()?;
        Some((seq, Entry { offset: fields.u64()?, bytes: fields.u32()?, crc: fields.u32()? }))
    };
    genuine.then(|| entries.chunks_exact(size(ENTRY_BYTES)).map(decode).collect()).flatten()
}

/// The index of `rows` as a frame that is to stand at `offset`, and the parts that it describes.
pub(crate) fn encode(
    rows: &Rows,
    header: Header,
    offset: u64,
    number: u64,
    synced: u64,
) -> (Vec<u8>, BTreeMap<u64, Arc<Part>>) {
    let (mut directory, mut blocks, mut parts) = (vec![0; FRAME_HEADER_BYTES], Vec::new(), BTreeMap::new());
    let mut rows = rows.iter().peekable();
    while let Some(((partition, _), _)) = rows.peek() {
        let partition = *partition;
        let mut part: Block = Vec::new();
        while let Some(((_, seq), entry)) = rows.next_if(|((owner, _), _)| *owner == partition) {
            part.push((*seq, *entry));
        }
        directory.put_u64_le(partition);
        directory.put_u64_le(blocks.len() as u64);
        directory.put_u64_le(part.len() as u64);
        directory.put_u64_le(part.last().map_or(0, |(seq, _)| *seq));
        directory.put_u64_le(part.iter().map(|(_, entry)| entry.cost()).sum());
        for block in part.chunks(size(BLOCK_ROWS)) {
            directory.put_u64_le(block[0].0);
            encode_block(block, &mut blocks);
        }
    }
    let ops = &directory[FRAME_HEADER_BYTES..];
    let frame = FrameHeader {
        kind: Kind::Index,
        number,
        synced,
        ops_bytes: ops.len() as u64,
        values_bytes: blocks.len() as u64,
        ops_crc: crc32fast::hash(ops),
    };
    let values_at = offset + directory.len() as u64;
    for (partition, part) in
        decode_directory(ops, values_at, frame.values_bytes).expect("as it was just written")
    {
        parts.insert(partition, Arc::new(part));
    }
    directory[..FRAME_HEADER_BYTES].copy_from_slice(&frame.encode(header, offset));
    directory.append(&mut blocks);
    (directory, parts)
}

fn encode_block(block: &[(u64, Entry)], out: &mut Vec<u8>) {
    let start = out.len();
    for (seq, entry) in block {
        out.put_u64_le(*seq);
        out.put_u64_le(entry.offset);
        out.put_u32_le(entry.bytes);
        out.put_u32_le(entry.crc);
    }
    let crc = crc32fast::hash(&out[start..]);
    out.put_u32_le(crc);
}

/// Reads the directory of the index at `offset`. The blocks are not read.
pub(crate) fn read(
    file: &Handle,
    header: Header,
    offset: u64,
    room: u64,
) -> Result<BTreeMap<u64, Arc<Part>>, StorageError> {
    let damaged = |detail| file.corrupt(offset, detail);
    let bytes = file.read(offset, FRAME_HEADER_BYTES)?;
    let frame = FrameHeader::decode(&bytes, header, offset);
    let frame = frame.filter(|frame| frame.kind == Kind::Index && frame.length(room).is_some());
    let frame = frame.ok_or_else(|| damaged("the header of the index does not match its checksum"))?;
    let ops_at = offset + FRAME_HEADER_BYTES as u64;
    let ops = file.read(ops_at, size(frame.ops_bytes))?;
    if crc32fast::hash(&ops) != frame.ops_crc {
        return Err(damaged("the directory of the index does not match its checksum"));
    }
    let parts = decode_directory(&ops, ops_at + frame.ops_bytes, frame.values_bytes);
    let parts = parts.ok_or_else(|| damaged("the directory of the index is malformed"))?;
    Ok(parts.into_iter().map(|(partition, part)| (partition, Arc::new(part))).collect())
}

fn decode_directory(ops: &[u8], values_at: u64, values_bytes: u64) -> Option<Vec<(u64, Part)>> {
    let (mut fields, mut parts) = (Fields(ops), Vec::new());
    while !fields.0.is_empty() {
        let (partition, blocks_at, count) = (fields.u64()?, fields.u64()?, fields.u64()?);
        let (last, live_bytes) = (fields.u64()?, fields.u64()?);
        let blocks = count.div_ceil(BLOCK_ROWS);
        let taken = count.checked_mul(ENTRY_BYTES)?.checked_add(blocks * CRC_BYTES)?;
        if count == 0 || blocks_at.checked_add(taken)? > values_bytes || blocks > fields.0.len() as u64 / 8 {
            return None;
        }
        let fences = (0..blocks).map(|_| fields.u64()).collect::<Option<Vec<u64>>>()?;
        parts.push((partition, Part::new(values_at + blocks_at, count, last, live_bytes, fences)));
    }
    Some(parts)
}

/// Every row that the index of a segment lists.
pub(crate) fn read_rows(file: &Handle, parts: &BTreeMap<u64, Arc<Part>>) -> Result<Rows, StorageError> {
    let mut rows = Rows::new();
    for (partition, part) in parts {
        for number in 0..part.blocks() {
            let (offset, count) = part.block_place(number);
            rows.extend(
                read_block(file, offset, count)?.into_iter().map(|(seq, entry)| ((*partition, seq), entry)),
            );
        }
    }
    Ok(rows)
}

//! The writes of a frame, as they are stored. Live commits and recovery apply the same bytes.

use std::io::IoSlice;

use broker_core::storage::{Batch, Op};
use bytes::BufMut;

use crate::{fields::Fields, format::FRAME_HEADER_BYTES, format::FrameHeader, format::Kind};

/// What a stored row takes beside its value: its part of the frame, and its part of the index.
pub(crate) const ROW_BYTES: u64 = 25 + 24;

/// The most memory that a writer keeps for its next frame.
const KEPT_BYTES: usize = 4 << 20;

mod tag {
    //! The first byte of each write. Never used again for anything else.
    pub(super) const PUT_ROW: u8 = 1;
    pub(super) const DELETE_ROW: u8 = 2;
    pub(super) const TRIM_ROWS: u8 = 3;
    pub(super) const PUT_META: u8 = 4;
    pub(super) const DELETE_META: u8 = 5;
    pub(super) const DELETE_META_RANGE: u8 = 6;
    pub(super) const FORGET: u8 = 7;
}

/// One write as it is stored. A row's value stands behind all writes of its frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Logged<'a> {
    PutRow {
        partition: u64,
        seq: u64,
        bytes: u32,
        crc: u32,
    },
    DeleteRow {
        partition: u64,
        seq: u64,
    },
    TrimRows {
        partition: u64,
        below: u64,
    },
    PutMeta {
        key: &'a [u8],
        value: &'a [u8],
    },
    DeleteMeta {
        key: &'a [u8],
    },
    DeleteMetaRange {
        from: &'a [u8],
        to: &'a [u8],
    },
    /// No row of that segment is left, and its file goes as soon as this is durable.
    Forget {
        segment: u64,
    },
}

/// The writes in a frame's buffer. The item is `None` where they are malformed, and then the last one.
pub(crate) struct Ops<'a>(Fields<'a>);

impl<'a> Ops<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(Fields(bytes))
    }

    fn parse(&mut self) -> Option<Logged<'a>> {
        let fields = &mut self.0;
        Some(match fields.u8()? {
            tag::PUT_ROW => Logged::PutRow {
                partition: fields.u64()?,
                seq: fields.u64()?,
                bytes: fields.u32()?,
                crc: fields.u32()?,
            },
            tag::DELETE_ROW => Logged::DeleteRow { partition: fields.u64()?, seq: fields.u64()? },
            tag::TRIM_ROWS => Logged::TrimRows { partition: fields.u64()?, below: fields.u64()? },
            tag::PUT_META => {
                let (key, value) = two(fields)?;
                Logged::PutMeta { key, value }
            }
            tag::DELETE_META => {
                let bytes = fields.u32()?;
                Logged::DeleteMeta { key: fields.bytes(bytes)? }
            }
            tag::DELETE_META_RANGE => {
                let (from, to) = two(fields)?;
                Logged::DeleteMetaRange { from, to }
            }
            tag::FORGET => Logged::Forget { segment: fields.u64()? },
            _ => return None,
        })
    }
}

impl<'a> Iterator for Ops<'a> {
    type Item = Option<Logged<'a>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.0.is_empty() {
            return None;
        }
        let parsed = self.parse();
        if parsed.is_none() {
            self.0 = Fields(&[]);
        }
        Some(parsed)
    }
}

fn two<'a>(fields: &mut Fields<'a>) -> Option<(&'a [u8], &'a [u8])> {
    let (first, second) = (fields.u32()?, fields.u32()?);
    Some((fields.bytes(first)?, fields.bytes(second)?))
}

/// The first part of a frame of writes in a buffer: room for its header, and its writes. The rows' values follow, from where
/// they are.
#[derive(Default)]
pub(crate) struct Frame {
    pub(crate) bytes: Vec<u8>,
}

impl Frame {
    /// Begins anew, in the memory of the frame before, unless that was a very large one.
    pub(crate) fn begin(&mut self) {
        if self.bytes.capacity() > KEPT_BYTES {
            self.bytes = Vec::new();
        }
        self.bytes.clear();
        self.bytes.resize(FRAME_HEADER_BYTES, 0);
    }

    pub(crate) fn put(&mut self, op: Logged<'_>) {
        let out = &mut self.bytes;
        let mut numbers = |tag, first, second| {
            out.put_u8(tag);
            out.put_u64_le(first);
            out.put_u64_le(second);
        };
        match op {
            Logged::PutRow { partition, seq, bytes, crc } => {
                numbers(tag::PUT_ROW, partition, seq);
                out.put_u32_le(bytes);
                out.put_u32_le(crc);
            }
            Logged::DeleteRow { partition, seq } => numbers(tag::DELETE_ROW, partition, seq),
            Logged::TrimRows { partition, below } => numbers(tag::TRIM_ROWS, partition, below),
            Logged::PutMeta { key, value } => put_two(out, tag::PUT_META, key, value),
            Logged::DeleteMetaRange { from, to } => put_two(out, tag::DELETE_META_RANGE, from, to),
            Logged::DeleteMeta { key } => {
                out.put_u8(tag::DELETE_META);
                out.put_u32_le(length(key));
                out.put_slice(key);
            }
            Logged::Forget { segment } => {
                out.put_u8(tag::FORGET);
                out.put_u64_le(segment);
            }
        }
    }

    /// Everything that a batch writes. Returns the rows' values, which are to follow.
    pub(crate) fn put_batch<'a>(&mut self, batch: &'a Batch) -> Vec<IoSlice<'a>> {
        let mut values = Vec::new();
        for op in batch.ops() {
            self.put(match op {
                Op::PutRow { partition, seq, value } => {
                    values.push(IoSlice::new(value));
                    Logged::PutRow { partition, seq, bytes: length(value), crc: crc32fast::hash(value) }
                }
                Op::DeleteRow { partition, seq } => Logged::DeleteRow { partition, seq },
                Op::TrimRows { partition, below } => Logged::TrimRows { partition, below },
                Op::PutMeta { key, value } => Logged::PutMeta { key, value },
                Op::DeleteMeta { key } => Logged::DeleteMeta { key },
                Op::DeleteMetaRange { from, to } => Logged::DeleteMetaRange { from, to },
            });
        }
        values
    }

    pub(crate) fn ops(&self) -> &[u8] {
        &self.bytes[FRAME_HEADER_BYTES..]
    }

    /// The header for this frame with so many bytes of values; its place and number are for whoever writes it.
    pub(crate) fn header(&self, values_bytes: u64, number: u64, synced: u64) -> FrameHeader {
        FrameHeader {
            kind: Kind::Writes,
            number,
            synced,
            ops_bytes: self.ops().len() as u64,
            values_bytes,
            ops_crc: crc32fast::hash(self.ops()),
        }
    }

    /// Where the values begin, in the frame.
    pub(crate) fn values_at(&self) -> u64 {
        self.bytes.len() as u64
    }
}

fn put_two(out: &mut Vec<u8>, tag: u8, first: &[u8], second: &[u8]) {
    out.put_u8(tag);
    out.put_u32_le(length(first));
    out.put_u32_le(length(second));
    out.put_slice(first);
    out.put_slice(second);
}

fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).expect("rows are at most 64 MiB, and the broker owes far smaller keys")
}

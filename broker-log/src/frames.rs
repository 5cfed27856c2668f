//! The frames of a segment, read one after the other and believed only when everything in them matches its checksum.

use broker_core::storage::StorageError;

use crate::{
    files::Handle,
    format::{FRAME_HEADER_BYTES, FRAME_MAGIC, FrameHeader, Header, Kind, size},
    ops::{Logged, Ops},
    seeded::seeded,
};

/// Read at once.
const WINDOW_BYTES: u64 = 1 << 20;

/// See the module.
pub(crate) struct Frames<'a> {
    file: &'a Handle,
    header: Header,
    file_bytes: u64,
    window: Vec<u8>,
    window_at: u64,
}

/// What is at a place of a segment.
pub(crate) enum Next {
    /// A whole frame of writes.
    Writes { ops: Vec<u8>, values_at: u64, end: u64 },
    /// The index: the frames end here.
    Index,
    /// Something else, or nothing.
    Broken { detail: &'static str },
}

impl<'a> Frames<'a> {
    pub(crate) fn new(file: &'a Handle, header: Header, file_bytes: u64) -> Self {
        Self { file, header, file_bytes, window: Vec::new(), window_at: 0 }
    }

    /// What is at `at`, behind the frame of writes of the number `last`.
    pub(crate) fn next(&mut self, at: u64, last: u64) -> Result<Next, StorageError> {
        let broken = |detail| Ok(Next::Broken { detail });
        let header = self.header;
        let Some(bytes) = self.get(at, FRAME_HEADER_BYTES as u64)? else {
            return broken("the file ends within the header of a frame");
        };
        let Some(frame) = FrameHeader::decode(bytes, header, at) else {
            return broken("the header of a frame does not match its checksum");
        };
        let expected = if frame.kind == Kind::Writes { last.checked_add(1) } else { Some(last) };
        if Some(frame.number) != expected {
            return broken("a frame has the number of another one");
        }
        match frame.kind {
            Kind::Writes => {}
            Kind::Index => return Ok(Next::Index),
            Kind::Checkpoint => return broken("a checkpoint where there is no place for one"),
        }
        let Some(length) = frame.length(self.file_bytes - at) else {
            return broken("the file ends within a frame");
        };
        let ops_at = at + FRAME_HEADER_BYTES as u64;
        let body = self.get(ops_at, length - FRAME_HEADER_BYTES as u64)?.unwrap_or_default();
        let (ops, values) = body.split_at(size(frame.ops_bytes));
        if crc32fast::hash(ops) != frame.ops_crc {
            return broken("the writes of a frame do not match their checksum");
        }
        if !values_match(ops, values) {
            return broken("a row of a frame does not match its checksum");
        }
        Ok(Next::Writes { ops: ops.to_vec(), values_at: ops_at + frame.ops_bytes, end: at + length })
    }

    /// Whether a later frame says that what is at `at` was durable.
    pub(crate) fn was_durable(&mut self, at: u64) -> Result<bool, StorageError> {
        Ok(self.find(at + 1, |frame| frame.synced > at)?.is_some())
    }

    /// The first header of a frame at or behind `from` that is as wanted, and its place.
    pub(crate) fn find(
        &mut self,
        mut from: u64,
        wanted: impl Fn(&FrameHeader) -> bool,
    ) -> Result<Option<(u64, FrameHeader)>, StorageError> {
        let header = self.header;
        while let Some(bytes) = self.get(from, WINDOW_BYTES.min(self.file_bytes.saturating_sub(from)))? {
            if bytes.len() < FRAME_HEADER_BYTES {
                break;
            }
            for start in 0..=bytes.len() - FRAME_HEADER_BYTES {
                // Most of what is behind a torn tail are zeros.
                if bytes[start] == FRAME_MAGIC[0]
                    && let Some(frame) = FrameHeader::decode(&bytes[start..], header, from + start as u64)
                    && wanted(&frame)
                {
                    return Ok(Some((from + start as u64, frame)));
                }
            }
            from += (bytes.len() - FRAME_HEADER_BYTES + 1) as u64;
        }
        Ok(None)
    }

    /// The bytes at a place; `None` if the file ends before. Their number is checked before anything is allocated.
    fn get(&mut self, at: u64, bytes: u64) -> Result<Option<&[u8]>, StorageError> {
        let Some(end) = at.checked_add(bytes).filter(|end| *end <= self.file_bytes) else { return Ok(None) };
        if at < self.window_at || end > self.window_at + self.window.len() as u64 {
            self.window.resize(size(bytes.max(WINDOW_BYTES).min(self.file_bytes - at)), 0);
            self.window_at = at;
            self.file.read_into(&mut self.window, at)?;
        }
        let start = size(at - self.window_at);
        Ok(Some(&self.window[start..start + size(bytes)]))
    }
}

/// Whether the values are those that the writes were made for, no more and no less.
fn values_match(ops: &[u8], mut values: &[u8]) -> bool {
    for op in Ops::new(ops) {
        match op {
            Some(Logged::PutRow { bytes, crc, .. }) => {
                let Some((value, rest)) = values.split_at_checked(size(u64::from(bytes))) else {
                    return false;
                };
                if crc32fast::hash(value) != crc && !seeded("log-frame-not-checked") {
                    return false;
                }
                values = rest;
            }
            Some(_) => {}
            None => return false,
        }
    }
    values.is_empty()
}

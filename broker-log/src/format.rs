//! The fixed parts of a segment file: its header and the headers of its frames. `docs/LOG-FORMAT.md` draws them.
//!
//! Numbers are little-endian. A frame's checksum is salted with its segment's number and salt and with its own place, so
//! that neither another segment's frame, nor one that moved, nor one inside a row is taken for a frame.

use broker_core::storage::StorageError;
use bytes::BufMut;
use crc32fast::Hasher;

use crate::{fields::Fields, files::Handle};

/// The version that this build writes, and the newest that it reads.
pub(crate) const FORMAT_VERSION: u32 = 1;
pub(crate) const HEADER_BYTES: u64 = 64;
pub(crate) const FRAME_HEADER_BYTES: usize = 48;
pub(crate) const TRAILER_BYTES: usize = 48;

const MAGIC: [u8; 8] = *b"brokrlog";
pub(crate) const FRAME_MAGIC: [u8; 4] = *b"Frm\x01";
const TRAILER_MAGIC: [u8; 8] = *b"brokrend";

/// A length that fits this machine's memory, having been checked against a file or a buffer.
pub(crate) fn size(bytes: u64) -> usize {
    usize::try_from(bytes).expect("a buffer's length fits the address space")
}

/// What a segment says of itself at its beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) number: u64,
    pub(crate) salt: u64,
}

impl Header {
    pub(crate) fn encode(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(size(HEADER_BYTES));
        bytes.put_slice(&MAGIC);
        bytes.put_u32_le(FORMAT_VERSION);
        bytes.put_u32_le(crc32fast::hash(&bytes));
        bytes.put_u64_le(self.number);
        bytes.put_u64_le(self.salt);
        bytes.put_u32_le(crc32fast::hash(&bytes));
        bytes.resize(size(HEADER_BYTES), 0);
        bytes
    }

    /// Reads the header of the segment `number`.
    pub(crate) fn read(file: &Handle, number: u64) -> Result<Self, StorageError> {
        let bytes = file.read(0, size(HEADER_BYTES))?;
        let damaged = |detail| file.corrupt(0, detail);
        // The first 16 bytes are the same in every version, so that a newer one is told from damage.
        if bytes[..8] != MAGIC || bytes[12..16] != crc32fast::hash(&bytes[..12]).to_le_bytes() {
            return Err(damaged("it does not begin as a segment does"));
        }
        let mut fields = Fields(&bytes[8..]);
        let version = fields.u32().expect("64 bytes were read");
        if version > FORMAT_VERSION {
            let place = file.place().to_owned();
            return Err(StorageError::NewerFormat { place, found: version, supported: FORMAT_VERSION });
        }
        if bytes[32..36] != crc32fast::hash(&bytes[..32]).to_le_bytes() {
            return Err(damaged("its header does not match its checksum"));
        }
        let mut fields = Fields(&bytes[16..]);
        let (found, salt) = (fields.u64().expect("64 bytes"), fields.u64().expect("64 bytes"));
        if found != number {
            return Err(damaged("it is another segment under this one's name"));
        }
        Ok(Self { number, salt })
    }

    pub(crate) fn checksum(self, offset: u64, bytes: &[u8]) -> u32 {
        let mut hasher = Hasher::new();
        hasher.update(&self.salt.to_le_bytes());
        hasher.update(&self.number.to_le_bytes());
        hasher.update(&offset.to_le_bytes());
        hasher.update(bytes);
        hasher.finalize()
    }
}

/// What a frame holds. The numbers are stored and never used again for anything else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The writes of one commit, or of the store itself.
    Writes = 1,
    /// Everything that was known when it was written.
    Checkpoint = 2,
    /// Where the rows of the segment are; no frame of writes stands behind it.
    Index = 3,
}

/// The header of a frame: `ops` and `values` follow it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FrameHeader {
    pub(crate) kind: Kind,
    /// Frames of writes count up through all segments; the others have the number of the last one before them.
    pub(crate) number: u64,
    /// Everything in this file before here was durable when the frame was written.
    pub(crate) synced: u64,
    pub(crate) ops_bytes: u64,
    pub(crate) values_bytes: u64,
    pub(crate) ops_crc: u32,
}

impl FrameHeader {
    pub(crate) fn encode(&self, header: Header, offset: u64) -> [u8; FRAME_HEADER_BYTES] {
        let mut bytes = [0; FRAME_HEADER_BYTES];
        let mut rest = &mut bytes[8..];
        rest.put_u32_le(self.kind as u32);
        rest.put_u32_le(self.ops_crc);
        rest.put_u64_le(self.number);
        rest.put_u64_le(self.synced);
        rest.put_u64_le(self.ops_bytes);
        rest.put_u64_le(self.values_bytes);
        bytes[..4].copy_from_slice(&FRAME_MAGIC);
        let crc = header.checksum(offset, &bytes[8..]);
        bytes[4..8].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// `None` if this is no frame of this segment at this place.
    pub(crate) fn decode(bytes: &[u8], header: Header, offset: u64) -> Option<Self> {
        let body = bytes.get(8..FRAME_HEADER_BYTES)?;
        let genuine = bytes[..4] == FRAME_MAGIC && bytes[4..8] == header.checksum(offset, body).to_le_bytes();
        let mut fields = Fields(body);
        let kind = match fields.u32()? {
            1 => Kind::Writes,
            2 => Kind::Checkpoint,
            3 => Kind::Index,
            _ => return None,
        };
        let ops_crc = fields.u32()?;
        let (number, synced) = (fields.u64()?, fields.u64()?);
        let (ops_bytes, values_bytes) = (fields.u64()?, fields.u64()?);
        genuine.then_some(Self { kind, number, synced, ops_bytes, values_bytes, ops_crc })
    }

    /// The number of the last frame of writes before it.
    pub(crate) fn before(&self) -> u64 {
        if self.kind == Kind::Writes { self.number.saturating_sub(1) } else { self.number }
    }

    /// The length of header, ops and values; `None` if that is more than `room`.
    pub(crate) fn length(&self, room: u64) -> Option<u64> {
        let length = self.ops_bytes.checked_add(self.values_bytes)?.checked_add(FRAME_HEADER_BYTES as u64)?;
        (length <= room).then_some(length)
    }
}

/// The last bytes of a segment that was sealed or closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Trailer {
    /// Where the frame of the index is.
    pub(crate) index: u64,
    /// Where the checkpoint is that the store left when it was closed; zero in a sealed segment.
    pub(crate) checkpoint: u64,
    /// The length of the whole file.
    pub(crate) file_bytes: u64,
}

impl Trailer {
    pub(crate) fn encode(&self, header: Header) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(TRAILER_BYTES);
        bytes.put_slice(&TRAILER_MAGIC);
        bytes.put_u64_le(self.index);
        bytes.put_u64_le(self.checkpoint);
        bytes.put_u64_le(self.file_bytes);
        bytes.put_u64_le(0);
        let crc = header.checksum(self.file_bytes, &bytes);
        bytes.put_u32_le(crc);
        bytes.put_u32_le(0);
        bytes
    }

    /// The trailer at the end of a file, if there is one.
    pub(crate) fn read(file: &Handle, header: Header, file_bytes: u64) -> Result<Option<Self>, StorageError> {
        let Some(at) = file_bytes.checked_sub(TRAILER_BYTES as u64) else { return Ok(None) };
        let bytes = file.read(at, TRAILER_BYTES)?;
        Ok(Self::decode(&bytes, header, file_bytes))
    }

    fn decode(bytes: &[u8], header: Header, file_bytes: u64) -> Option<Self> {
        let genuine = bytes[..8] == TRAILER_MAGIC
            && bytes[40..44] == header.checksum(file_bytes, &bytes[..40]).to_le_bytes()
            && bytes[44..] == [0; 4];
        let mut fields = Fields(&bytes[8..]);
        let found = Self { index: fields.u64()?, checkpoint: fields.u64()?, file_bytes: fields.u64()? };
        (genuine && found.file_bytes == file_bytes).then_some(found)
    }
}

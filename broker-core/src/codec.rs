//! Reading and writing the small binary records that the broker stores: fixed little-endian numbers, length-prefixed
//! bytes. A reader never goes past its input and never allocates more than the input holds.

use bytes::Bytes;

/// Why stored bytes could not be read: what was expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed(pub(crate) &'static str);

pub(crate) fn write_u32(out: &mut Vec<u8>, value: u32) {
    out.extend_from_slice(&value.to_le_bytes());
}

pub(crate) fn write_u64(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(&value.to_le_bytes());
}

/// Writes a length and the bytes. Whatever is written this way has passed a limit far below 4 GiB.
pub(crate) fn write_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    let length = u32::try_from(bytes.len()).expect("limits keep every stored field below 4 GiB");
    write_u32(out, length);
    out.extend_from_slice(bytes);
}

/// Takes fields off the front of a record.
pub(crate) struct Reader<'a> {
    whole: &'a Bytes,
    at: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(whole: &'a Bytes) -> Self {
        Self::behind(whole, 0)
    }

    /// A reader of what is behind the first `at` bytes.
    pub(crate) fn behind(whole: &'a Bytes, at: usize) -> Self {
        Self { whole, at }
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let end = self.at.checked_add(count).filter(|end| *end <= self.whole.len());
        let end = end.ok_or(Malformed("the record ends inside a field"))?;
        let taken = &self.whole[self.at..end];
        self.at = end;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        Ok(self.take(N)?.try_into().expect("take returns exactly N bytes"))
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Malformed> {
        Ok(self.array::<1>()?[0])
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Malformed> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub(crate) fn u64(&mut self) -> Result<u64, Malformed> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// A length-prefixed field, sharing the record's memory.
    pub(crate) fn bytes(&mut self) -> Result<Bytes, Malformed> {
        let length = self.u32()? as usize;
        let start = self.at;
        self.take(length)?;
        Ok(self.whole.slice(start..start + length))
    }

    /// A length-prefixed field that must be UTF-8.
    pub(crate) fn str(&mut self) -> Result<&'a str, Malformed> {
        let length = self.u32()? as usize;
        std::str::from_utf8(self.take(length)?).map_err(|_| Malformed("a text field is not UTF-8"))
    }

    /// All that is left, sharing the record's memory.
    pub(crate) fn rest(self) -> Bytes {
        self.whole.slice(self.at..)
    }

    /// Refuses bytes behind the last field: they would mean that the record is not what it claims to be.
    pub(crate) fn end(self) -> Result<(), Malformed> {
        if self.at == self.whole.len() { Ok(()) } else { Err(Malformed("bytes behind the last field")) }
    }
}

//! An open file of the simulated disk.

use std::io::{Error, ErrorKind, IoSlice, Result};

use super::{Call, Disk};
use crate::files::File;

/// See the module.
pub(super) struct Open {
    pub(super) disk: Disk,
    pub(super) inode: usize,
}

fn index(offset: u64) -> usize {
    usize::try_from(offset).expect("small files")
}

impl File for Open {
    fn size(&self) -> Result<u64> {
        Ok(self.disk.0.lock().inodes[self.inode].len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<()> {
        let state = self.disk.0.lock();
        let from = index(offset);
        let bytes = state.inodes[self.inode].get(from..from + buffer.len());
        buffer.copy_from_slice(bytes.ok_or_else(|| Error::from(ErrorKind::UnexpectedEof))?);
        Ok(())
    }

    fn write_at(&self, slices: &[IoSlice<'_>], offset: u64) -> Result<()> {
        let call = Call::Write { inode: self.inode, offset: index(offset), bytes: concat(slices) };
        self.disk.0.lock().call(call)
    }

    fn set_len(&self, bytes: u64) -> Result<()> {
        self.disk.0.lock().call(Call::SetLen { inode: self.inode, bytes: index(bytes) })
    }

    fn sync(&self) -> Result<()> {
        self.disk.0.lock().call(Call::Sync { inode: self.inode, all: false })
    }

    fn sync_all(&self) -> Result<()> {
        self.disk.0.lock().call(Call::Sync { inode: self.inode, all: true })
    }
}

fn concat(slices: &[IoSlice<'_>]) -> Vec<u8> {
    slices.iter().flat_map(|slice| slice.iter().copied()).collect()
}

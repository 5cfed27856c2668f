//! Reading user keys, and staging what is to become of them.

use bytes::Bytes;

use super::{OperationKind, Transaction};
use crate::{
    error::Result,
    keys,
    space::{KeyPage, KeyRange, KeyWrites, Scan, Space},
};

impl Transaction {
    /// The value of a key, if it has one; what this transaction has written counts.
    ///
    /// What it says holds until the transaction commits, or it does not commit. Fails with
    /// [`Error::TransactionRejected`](crate::Error::TransactionRejected) as soon as it is certain that it cannot. Cancel safe: a dropped call
    /// has read the key or not.
    pub async fn get(&mut self, space: &Space, key: impl AsRef<[u8]> + Send) -> Result<Option<Bytes>> {
        let key = key.as_ref();
        self.check_own(&space.cell.engine, "space", &space.cell.name)?;
        KeyWrites::check_key(key)?;
        let stored = keys::user_key(space.cell.id, key);
        self.room(key.len())?;
        let number = self.count(OperationKind::Get, key.len());
        if self.0.writes.has(&stored) {
            return Ok(self.0.writes.value(&stored));
        }
        let range = KeyRange::one(stored.clone());
        let covered = range.clone();
        let read = self
            .0
            .reads
            .read(&space.cell, &range, number, move |store| Ok((store.meta(&stored)?, covered.clone())));
        read.await?.map_err(|overtaken| self.overtaken_by(overtaken))
    }

    /// A page of keys, as [`Space::scan`] reads it; what this transaction has written counts. That no other keys come between, and that
    /// none goes, holds until the transaction commits, or it does not commit. Cancel safe as [`get`](Self::get) is.
    pub async fn scan(
        &mut self,
        space: &Space,
        prefix: impl AsRef<[u8]> + Send,
        after: Option<&[u8]>,
        max: usize,
    ) -> Result<KeyPage> {
        let prefix = prefix.as_ref();
        self.check_own(&space.cell.engine, "space", &space.cell.name)?;
        let scan = Scan::new(space.cell.id, prefix, after, max)?;
        let bytes = prefix.len() + after.unwrap_or_default().len();
        self.room(bytes)?;
        let number = self.count(OperationKind::Scan, bytes);
        let range = scan.range().clone();
        let read = self.0.reads.read(&space.cell, &range, number, move |store| {
            let scanned = scan.read(store)?;
            let covered = scanned.covered.clone();
            Ok((scanned, covered))
        });
        let scanned = read.await?.map_err(|overtaken| self.overtaken_by(overtaken))?;
        let covered = scanned.covered.clone();
        Ok(scanned.with(self.0.writes.within(&covered), max))
    }

    /// Sets a key. Returns the operation's number.
    pub fn put(&mut self, space: &Space, key: impl AsRef<[u8]>, value: impl Into<Bytes>) -> Result<usize> {
        self.write(space, key.as_ref(), Some(value.into()), OperationKind::Put)
    }

    /// Removes a key; one that is not there is no error. Returns the operation's number.
    pub fn delete(&mut self, space: &Space, key: impl AsRef<[u8]>) -> Result<usize> {
        self.write(space, key.as_ref(), None, OperationKind::Delete)
    }

    fn write(
        &mut self,
        space: &Space,
        key: &[u8],
        value: Option<Bytes>,
        kind: OperationKind,
    ) -> Result<usize> {
        self.check_own(&space.cell.engine, "space", &space.cell.name)?;
        let bytes = key.len() + value.as_ref().map_or(0, Bytes::len);
        let number = self.room(bytes)?;
        self.0.writes.add(&space.cell, key, value, number)?;
        Ok(self.count(kind, bytes))
    }
}

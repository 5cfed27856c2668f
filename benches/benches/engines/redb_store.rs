//! redb under the storage trait, as far as the benches need it.

use std::{fmt::Display, ops::Range, path::Path};

use broker_core::storage::{Batch, Durability, Op, Page, Profile, Storage, StorageError};
use bytes::Bytes;
use redb::{Database, ReadableDatabase, TableDefinition};

const ROWS: TableDefinition<'_, (u64, u64), &[u8]> = TableDefinition::new("rows");
const META: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("meta");

pub(crate) struct RedbStore(Database);

fn failed(error: impl Display) -> StorageError {
    StorageError::Engine(error.to_string())
}

impl RedbStore {
    pub(crate) fn open(path: &Path) -> Self {
        Self(Database::create(path).expect("a database"))
    }
}

impl Storage for RedbStore {
    fn commit(&self, batch: &Batch, durability: Durability) -> Result<(), StorageError> {
        let mut writing = self.0.begin_write().map_err(failed)?;
        let wanted = if durability == Durability::Synced {
            redb::Durability::Immediate
        } else {
            redb::Durability::None
        };
        writing.set_durability(wanted).map_err(failed)?;
        {
            let mut rows = writing.open_table(ROWS).map_err(failed)?;
            let mut meta = writing.open_table(META).map_err(failed)?;
            for op in batch.ops() {
                match op {
                    Op::PutRow { partition, seq, value } => {
                        rows.insert((partition, seq), &value[..]).map_err(failed)?;
                    }
                    Op::DeleteRow { partition, seq } => {
                        rows.remove((partition, seq)).map_err(failed)?;
                    }
                    Op::PutMeta { key, value } => {
                        meta.insert(key, value).map_err(failed)?;
                    }
                    Op::DeleteMeta { key } => {
                        meta.remove(key).map_err(failed)?;
                    }
                    Op::TrimRows { .. } | Op::DeleteMetaRange { .. } => {
                        return Err(failed("not in this bench"));
                    }
                }
            }
        }
        writing.commit().map_err(failed)
    }

    fn row(&self, partition: u64, seq: u64) -> Result<Option<Bytes>, StorageError> {
        let reading = self.0.begin_read().map_err(failed)?;
        let rows = reading.open_table(ROWS).map_err(failed)?;
        let found = rows.get((partition, seq)).map_err(failed)?;
        Ok(found.map(|value| Bytes::copy_from_slice(value.value())))
    }

    fn rows(&self, partition: u64, range: Range<u64>, page: Page) -> Result<Vec<(u64, Bytes)>, StorageError> {
        let reading = self.0.begin_read().map_err(failed)?;
        let rows = reading.open_table(ROWS).map_err(failed)?;
        let (mut found, mut bytes) = (Vec::new(), 0);
        for entry in rows.range((partition, range.start)..(partition, range.end)).map_err(failed)? {
            let (key, value) = entry.map_err(failed)?;
            bytes += value.value().len();
            found.push((key.value().1, Bytes::copy_from_slice(value.value())));
            if found.len() >= page.entries || bytes >= page.bytes {
                break;
            }
        }
        Ok(found)
    }

    fn meta(&self, _: &[u8]) -> Result<Option<Bytes>, StorageError> {
        Err(failed("not in this bench"))
    }

    fn meta_range(&self, _: &[u8], _: &[u8], _: Page) -> Result<Vec<(Bytes, Bytes)>, StorageError> {
        Err(failed("not in this bench"))
    }

    fn room(&self, _: usize) -> Result<(), StorageError> {
        Ok(())
    }

    fn profile(&self) -> Profile {
        let (survives_kill, survives_power_loss, can_block) = (true, true, true);
        Profile { survives_kill, survives_power_loss, can_block, value_bytes_max: 1 << 30 }
    }
}

//! Files in memory for `broker-log`, which can be looked at and changed from outside.

use std::{
    collections::BTreeMap,
    io::{Error, ErrorKind, IoSlice, Result},
    sync::{Arc, Mutex, MutexGuard},
};

use broker_log::files::{File, Files};

/// No file grows beyond this, whatever a damaged store asks for.
const FILE_BYTES_MAX: usize = 1 << 20;

type Content = Arc<Mutex<Vec<u8>>>;

/// See the module. Clones are the same files.
#[derive(Clone, Default)]
pub(crate) struct Disk(Arc<Mutex<BTreeMap<String, Content>>>);

struct Open(Content);

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("nothing panics with it")
}

impl Disk {
    /// What is in all files now.
    pub(crate) fn copy(&self) -> BTreeMap<String, Vec<u8>> {
        locked(&self.0).iter().map(|(name, content)| (name.clone(), locked(content).clone())).collect()
    }

    /// Puts back what was in all files then.
    pub(crate) fn restore(&self, then: &BTreeMap<String, Vec<u8>>) {
        let content =
            |(name, bytes): (&String, &Vec<u8>)| (name.clone(), Arc::new(Mutex::new(bytes.clone())));
        *locked(&self.0) = then.iter().map(content).collect();
    }

    /// Lets `change` have the file of that number, counted in the order of names and from the beginning again.
    pub(crate) fn change(&self, number: usize, change: impl FnOnce(&mut Vec<u8>)) {
        let files = locked(&self.0);
        let Some(at) = number.checked_rem(files.len()) else { return };
        let (_, content) = files.iter().nth(at).expect("within their number");
        change(&mut locked(content));
    }
}

impl Files for Disk {
    fn list(&self) -> Result<Vec<String>> {
        Ok(locked(&self.0).keys().cloned().collect())
    }

    fn open(&self, name: &str) -> Result<Arc<dyn File>> {
        let found = locked(&self.0).get(name).cloned();
        Ok(Arc::new(Open(found.ok_or(ErrorKind::NotFound)?)))
    }

    fn create(&self, name: &str) -> Result<Arc<dyn File>> {
        let mut files = locked(&self.0);
        if files.contains_key(name) {
            return Err(ErrorKind::AlreadyExists.into());
        }
        let content = files.entry(name.to_owned()).or_default();
        Ok(Arc::new(Open(content.clone())))
    }

    fn rename(&self, from: &str, to: &str) -> Result<()> {
        let mut files = locked(&self.0);
        let content = files.remove(from).ok_or(ErrorKind::NotFound)?;
        files.insert(to.to_owned(), content);
        Ok(())
    }

    fn remove(&self, name: &str) -> Result<()> {
        locked(&self.0).remove(name).map(drop).ok_or_else(|| ErrorKind::NotFound.into())
    }

    fn sync_dir(&self) -> Result<()> {
        Ok(())
    }

    fn salt(&self) -> Result<u64> {
        Ok(7)
    }

    fn place(&self, name: &str) -> String {
        name.to_owned()
    }
}

impl File for Open {
    fn size(&self) -> Result<u64> {
        Ok(locked(&self.0).len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<()> {
        let content = locked(&self.0);
        let from = usize::try_from(offset).unwrap_or(usize::MAX);
        let found = content.get(from..from.saturating_add(buffer.len()));
        buffer.copy_from_slice(found.ok_or(ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write_at(&self, slices: &[IoSlice<'_>], offset: u64) -> Result<()> {
        let bytes: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
        let mut content = locked(&self.0);
        let from = usize::try_from(offset).unwrap_or(usize::MAX);
        let end = from.saturating_add(bytes.len());
        if end > FILE_BYTES_MAX {
            return Err(ErrorKind::StorageFull.into());
        }
        let length = content.len().max(end);
        content.resize(length, 0);
        content[from..end].copy_from_slice(&bytes);
        Ok(())
    }

    fn set_len(&self, bytes: u64) -> Result<()> {
        let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
        if bytes > FILE_BYTES_MAX {
            return Err(Error::from(ErrorKind::StorageFull));
        }
        locked(&self.0).resize(bytes, 0);
        Ok(())
    }

    fn sync(&self) -> Result<()> {
        Ok(())
    }

    fn sync_all(&self) -> Result<()> {
        Ok(())
    }
}

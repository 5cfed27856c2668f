//! A broker for each account and region, opened when somebody asks for it.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use broker_aws::{Realm, Realms};
use broker_core::{Broker, BrokerBuilder, Error, Limits, Result};
use broker_log::LogStorage;
use broker_mem::MemStorage;
use parking_lot::Mutex;

/// The most realms: each has a store of its own, and anybody can name another one.
const REALMS_MAX: usize = 64;

/// Where stores are.
#[derive(Debug, Clone)]
pub(crate) enum Store {
    /// In memory.
    Memory,
    /// Under this directory, as ACCOUNT/REGION.
    Directory(PathBuf),
}

/// The realms that were opened so far.
#[derive(Clone)]
pub(crate) struct OpenRealms {
    shared: Arc<Shared>,
}

struct Shared {
    store: Store,
    limits: Limits,
    open: Mutex<BTreeMap<Realm, Broker>>,
    /// Held while a realm is opened, so that none is opened twice.
    opening: tokio::sync::Mutex<()>,
}

impl OpenRealms {
    /// Opens this realm, and all that have a directory.
    pub(crate) async fn open(store: Store, limits: Limits, home: &Realm) -> Result<Self> {
        let found = match &store {
            Store::Memory => Vec::new(),
            Store::Directory(directory) => stored(directory).map_err(|error| refused(directory, &error))?,
        };
        let (open, opening) = (Mutex::default(), tokio::sync::Mutex::default());
        let realms = Self { shared: Arc::new(Shared { store, limits, open, opening }) };
        for realm in found.iter().chain([home]) {
            realms.broker(realm).await?;
        }
        Ok(realms)
    }

    /// Closes all brokers.
    pub(crate) async fn close(&self) -> Result<()> {
        for (_, broker) in self.opened().await {
            broker.close().await?;
        }
        Ok(())
    }

    async fn open_store(&self, realm: &Realm) -> Result<BrokerBuilder> {
        let Store::Directory(directory) = &self.shared.store else {
            return Ok(Broker::builder(MemStorage::new()));
        };
        let path = directory.join(realm.account()).join(realm.region());
        let opened = tokio::task::spawn_blocking(move || {
            fs::create_dir_all(&path).map_err(|error| refused(&path, &error))?;
            LogStorage::open(&path).map_err(Error::from)
        });
        Ok(Broker::builder(opened.await.map_err(|error| refused(directory, &error))??))
    }
}

#[async_trait::async_trait]
impl Realms for OpenRealms {
    async fn broker(&self, realm: &Realm) -> Result<Broker> {
        let known = || self.shared.open.lock().get(realm).cloned();
        if let Some(broker) = known() {
            return Ok(broker);
        }
        let _opening = self.shared.opening.lock().await;
        if let Some(broker) = known() {
            return Ok(broker);
        }
        if self.shared.open.lock().len() >= REALMS_MAX {
            return Err(Error::TooMany { what: "accounts and regions", max: REALMS_MAX });
        }
        let builder = self.open_store(realm).await?;
        let broker = builder.limits(self.shared.limits.clone()).open().await?;
        self.shared.open.lock().insert(realm.clone(), broker.clone());
        Ok(broker)
    }

    async fn opened(&self) -> Vec<(Realm, Broker)> {
        self.shared.open.lock().iter().map(|(realm, broker)| (realm.clone(), broker.clone())).collect()
    }
}

/// The realms that have a directory; what else is there is left alone.
fn stored(directory: &Path) -> io::Result<Vec<Realm>> {
    let mut realms = Vec::new();
    for account in names(directory)? {
        if Realm::new(&account, Realm::default().region()).is_err() {
            continue;
        }
        let regions = names(&directory.join(&account))?;
        realms.extend(regions.iter().filter_map(|region| Realm::new(&account, region).ok()));
    }
    Ok(realms)
}

fn names(directory: &Path) -> io::Result<Vec<String>> {
    match fs::read_dir(directory) {
        Ok(entries) => {
            let named =
                |entry: io::Result<fs::DirEntry>| entry.map(|entry| entry.file_name().into_string().ok());
            entries.filter_map(|entry| named(entry).transpose()).collect()
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

fn refused(directory: &Path, error: &dyn std::fmt::Display) -> Error {
    let value = directory.display().to_string();
    Error::InvalidParameter { field: "data directory", value, reason: error.to_string() }
}

//! A broker in memory for each realm, opened when the first request for it comes.

use std::{collections::HashMap, sync::Arc};

use async_trait::async_trait;
use broker_core::{Broker, BrokerBuilder, Error, Result};
use broker_mem::MemStorage;
use tokio::sync::Mutex;

use crate::{Realm, Realms};

/// The most realms: a test needs a handful, and a client could name any number.
const REALMS_MAX: usize = 64;

type Configure = dyn Fn(&Realm, BrokerBuilder) -> BrokerBuilder + Send + Sync;

/// A broker in memory for each realm. What is in one is never seen in another. Cheap to clone; all clones have the same brokers.
#[derive(Clone)]
pub struct InMemory {
    brokers: Arc<Mutex<HashMap<Realm, Broker>>>,
    configure: Arc<Configure>,
}

impl InMemory {
    /// Opens each broker as `configure` says, which gets a builder over an empty store.
    pub fn new(configure: impl Fn(&Realm, BrokerBuilder) -> BrokerBuilder + Send + Sync + 'static) -> Self {
        Self { brokers: Arc::default(), configure: Arc::new(configure) }
    }
}

impl Default for InMemory {
    fn default() -> Self {
        Self::new(|_, builder| builder)
    }
}

#[async_trait]
impl Realms for InMemory {
    async fn broker(&self, realm: &Realm) -> Result<Broker> {
        let mut brokers = self.brokers.lock().await;
        if let Some(broker) = brokers.get(realm) {
            return Ok(broker.clone());
        }
        if brokers.len() >= REALMS_MAX {
            return Err(Error::TooMany { what: "accounts and regions", max: REALMS_MAX });
        }
        let broker = (self.configure)(realm, Broker::builder(MemStorage::new())).open().await?;
        brokers.insert(realm.clone(), broker.clone());
        Ok(broker)
    }

    async fn opened(&self) -> Vec<(Realm, Broker)> {
        let brokers = self.brokers.lock().await;
        brokers.iter().map(|(realm, broker)| (realm.clone(), broker.clone())).collect()
    }
}

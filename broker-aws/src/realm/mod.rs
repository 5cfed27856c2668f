//! Realms: an account and a region, and the broker that has what is in them.
//!
//! | file | what it is for |
//! |---|---|
//! | `name` | the names of accounts and regions, which may become names of directories |

mod name;

use async_trait::async_trait;
use broker_core::{Broker, Error, Result};
pub use name::Realm;
pub(crate) use name::is_account;

/// Which broker has what is in a realm.
///
/// Implementors owe: the same broker for the same realm for as long as the service lives, and never one broker for two realms.
/// A realm comes from a request, so whoever opens a broker for each must bound how many. The names in it have been checked:
/// an account is 12 digits, a region 1 to 32 small letters, digits and hyphens, so both may be names of directories.
#[async_trait]
pub trait Realms: Send + Sync + 'static {
    /// The broker of this realm. Its text, if it fails, is shown to the client.
    async fn broker(&self, realm: &Realm) -> Result<Broker>;

    /// The brokers that are open: what can be measured.
    async fn opened(&self) -> Vec<(Realm, Broker)>;
}

/// One broker for one realm; all others are refused.
#[derive(Clone)]
pub struct SingleRealm {
    realm: Realm,
    broker: Broker,
}

impl SingleRealm {
    /// What is in this realm is in this broker.
    pub fn new(realm: Realm, broker: Broker) -> Self {
        Self { realm, broker }
    }
}

#[async_trait]
impl Realms for SingleRealm {
    async fn broker(&self, realm: &Realm) -> Result<Broker> {
        if *realm == self.realm {
            return Ok(self.broker.clone());
        }
        let reason = format!("this service has {} only", self.realm);
        Err(Error::InvalidParameter { field: "realm", value: realm.to_string(), reason })
    }

    async fn opened(&self) -> Vec<(Realm, Broker)> {
        vec![(self.realm.clone(), self.broker.clone())]
    }
}

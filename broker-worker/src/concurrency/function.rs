//! One function: its reservation, versions, aliases, and what is provisioned for them. Pure.

use std::collections::BTreeMap;

use super::{
    bucket::Bucket,
    environments::Environments,
    error::ConcurrencyError,
    provisioned::{Provisioned, ProvisionedStatus},
};

/// How the version that was not published is called.
pub(super) const LATEST: &str = "$LATEST";

/// A function of an account.
#[derive(Debug)]
pub(super) struct Function {
    pub(super) reserved: Option<u32>,
    /// Invocations that run and are not provisioned.
    pub(super) on_demand: u32,
    pub(super) environments: Environments,
    pub(super) rate: Bucket,
    /// The newest version; those before it exist too.
    versions: u32,
    aliases: BTreeMap<String, u32>,
    provisioned: BTreeMap<String, Share>,
}

/// What is provisioned for a version or an alias.
#[derive(Debug)]
struct Share {
    requested: u32,
    in_use: u32,
    status: ProvisionedStatus,
}

impl Share {
    /// How much concurrency it takes from others: also before it is ready, or there might be none left then.
    fn takes(&self) -> u32 {
        if let ProvisionedStatus::Failed { .. } = self.status { 0 } else { self.requested }
    }

    fn is_available(&self) -> bool {
        self.status == ProvisionedStatus::Ready && self.in_use < self.requested
    }
}

impl Function {
    pub(super) fn new(now: u64) -> Self {
        Self {
            reserved: None,
            on_demand: 0,
            environments: Environments::new(now),
            rate: Bucket::full(now),
            versions: 0,
            aliases: BTreeMap::new(),
            provisioned: BTreeMap::new(),
        }
    }

    pub(super) fn publish(&mut self) -> u32 {
        self.versions = self.versions.saturating_add(1);
        self.versions
    }

    /// Makes an alias point to a version. What is provisioned for the alias is that version's from now on.
    pub(super) fn alias(&mut self, alias: &str, version: u32) -> bool {
        let exists = (1..=self.versions).contains(&version);
        if exists {
            self.aliases.insert(alias.to_owned(), version);
        }
        exists
    }

    /// The version that is meant; zero for the one that was not published.
    fn version(&self, qualifier: &str) -> Option<u32> {
        let published = || qualifier.parse().ok().filter(|version| (1..=self.versions).contains(version));
        if qualifier == LATEST { Some(0) } else { self.aliases.get(qualifier).copied().or_else(published) }
    }

    pub(super) fn has(&self, qualifier: &str) -> bool {
        self.version(qualifier).is_some()
    }

    /// How much is provisioned in all.
    pub(super) fn taken(&self) -> u32 {
        self.provisioned.values().map(Share::takes).fold(0, u32::saturating_add)
    }

    /// Refuses what cannot have provisioned concurrency. What it has is replaced, and not counted.
    pub(super) fn check_provision(&self, qualifier: &str, asked: u32) -> Result<(), ConcurrencyError> {
        let version = self.version(qualifier).unwrap_or_default();
        if qualifier == LATEST {
            return Err(ConcurrencyError::Unpublished);
        }
        if asked == 0 {
            return Err(ConcurrencyError::NothingProvisioned { asked });
        }
        let of_same = |other: &&String| *other != qualifier && self.version(other) == Some(version);
        match self.provisioned.keys().find(of_same) {
            Some(_) if self.aliases.contains_key(qualifier) => Err(ConcurrencyError::VersionIsProvisioned),
            Some(_) => Err(ConcurrencyError::AliasIsProvisioned),
            None => match self.reserved {
                Some(reserved) if self.taken_but(qualifier).saturating_add(asked) > reserved => {
                    let provisioned = self.taken_but(qualifier).saturating_add(asked);
                    Err(ConcurrencyError::MoreThanReserved { provisioned, reserved })
                }
                _ => Ok(()),
            },
        }
    }

    /// How much is provisioned but for this one.
    pub(super) fn taken_but(&self, qualifier: &str) -> u32 {
        self.taken() - self.provisioned.get(qualifier).map_or(0, Share::takes)
    }

    pub(super) fn provision(&mut self, qualifier: &str, requested: u32) {
        let in_use = self.provisioned.get(qualifier).map_or(0, |share| share.in_use);
        let status = ProvisionedStatus::InProgress;
        self.provisioned.insert(qualifier.to_owned(), Share { requested, in_use, status });
    }

    pub(super) fn unprovision(&mut self, qualifier: &str) {
        self.provisioned.remove(qualifier);
    }

    pub(super) fn initialized(&mut self, qualifier: &str, status: ProvisionedStatus) -> bool {
        let share = self.provisioned.get_mut(qualifier);
        let found = share.is_some();
        if let Some(share) = share {
            share.status = status;
        }
        found
    }

    pub(super) fn provisioned(&self, qualifier: &str) -> Option<Provisioned> {
        self.provisioned.get(qualifier).map(|share| {
            let allocated = if share.status == ProvisionedStatus::Ready { share.requested } else { 0 };
            let available = allocated.saturating_sub(share.in_use);
            Provisioned { requested: share.requested, allocated, available, status: share.status.clone() }
        })
    }

    /// Takes something that is provisioned for this alias, or for its version. Returns for which.
    pub(super) fn enter_provisioned(&mut self, qualifier: &str) -> Option<String> {
        let version = self.version(qualifier)?.to_string();
        let key = [qualifier, version.as_str()]
            .into_iter()
            .find(|key| self.provisioned.get(*key).is_some_and(Share::is_available))?;
        self.provisioned.get_mut(key)?.in_use += 1;
        Some(key.to_owned())
    }

    pub(super) fn leave_provisioned(&mut self, key: &str) {
        if let Some(share) = self.provisioned.get_mut(key) {
            share.in_use = share.in_use.saturating_sub(1);
        }
    }

    /// Invocations that use what is provisioned.
    pub(super) fn provisioned_in_use(&self) -> u32 {
        self.provisioned.values().map(|share| share.in_use).fold(0, u32::saturating_add)
    }
}

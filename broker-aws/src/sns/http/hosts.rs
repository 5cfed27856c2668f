//! To which hosts requests may go.

use std::{collections::BTreeSet, net::IpAddr};

/// The hosts that SNS may deliver to over HTTP: those on this machine, and those that are named.
///
/// ```
/// use broker_aws::AllowedHosts;
///
/// let hosts = AllowedHosts::loopback().host("hooks.example.com");
/// assert!(hosts.allow("localhost") && hosts.allow("127.0.0.1") && hosts.allow("[::1]"));
/// assert!(hosts.allow("Hooks.Example.com"));
/// assert!(!hosts.allow("example.com"));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AllowedHosts(BTreeSet<String>);

impl AllowedHosts {
    /// Those of this machine: `localhost`, and the addresses that lead back to it.
    pub fn loopback() -> Self {
        Self::default()
    }

    /// This host too, whatever address it has, on any port.
    pub fn host(mut self, host: impl AsRef<str>) -> Self {
        self.0.insert(host.as_ref().to_ascii_lowercase());
        self
    }

    /// Whether requests may go to this host, as a URL spells it, without a port.
    pub fn allow(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(&host);
        let loopback = bare.parse().is_ok_and(|address: IpAddr| address.is_loopback());
        loopback || host == "localhost" || self.0.contains(&host)
    }
}

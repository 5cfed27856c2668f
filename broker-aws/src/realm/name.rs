//! The names of accounts and regions, checked: they come from requests and may become names of directories.

use std::fmt;

use broker_core::{Error, Result};

/// An account and a region.
///
/// ```
/// use broker_aws::Realm;
///
/// let realm = Realm::new("123456789012", "eu-central-1").unwrap();
/// assert_eq!((realm.account(), realm.region()), ("123456789012", "eu-central-1"));
/// assert!(Realm::new("me", "eu-central-1").is_err());
/// assert!(Realm::new("123456789012", "../elsewhere").is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Realm {
    account: String,
    region: String,
}

/// The digits of an account.
const ACCOUNT_DIGITS: usize = 12;
/// The longest region name; the longest of AWS have some 15 characters.
const REGION_CHARS_MAX: usize = 32;
/// The account of clients that name none.
const DEFAULT_ACCOUNT: &str = "000000000000";
/// The region of clients that name none.
const DEFAULT_REGION: &str = "us-east-1";

impl Realm {
    /// An account of 12 digits and a region of 1 to 32 small letters, digits and hyphens.
    pub fn new(account: &str, region: &str) -> Result<Self> {
        if !is_account(account) {
            let reason = format!("must have {ACCOUNT_DIGITS} digits");
            return Err(Error::InvalidParameter { field: "account", value: shown(account), reason });
        }
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if region.is_empty() || region.len() > REGION_CHARS_MAX || !region.bytes().all(allowed) {
            let reason = format!("must be 1 to {REGION_CHARS_MAX} small letters, digits and hyphens");
            return Err(Error::InvalidParameter { field: "region", value: shown(region), reason });
        }
        Ok(Self { account: account.to_owned(), region: region.to_owned() })
    }

    /// The account: 12 digits.
    pub fn account(&self) -> &str {
        &self.account
    }

    /// The region.
    pub fn region(&self) -> &str {
        &self.region
    }
}

/// The account `000000000000` in the region `us-east-1`.
impl Default for Realm {
    fn default() -> Self {
        Self { account: DEFAULT_ACCOUNT.to_owned(), region: DEFAULT_REGION.to_owned() }
    }
}

/// As `account 000000000000 in us-east-1`.
impl fmt::Display for Realm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "account {} in {}", self.account, self.region)
    }
}

/// Whether the text is the number of an account.
pub(crate) fn is_account(text: &str) -> bool {
    text.len() == ACCOUNT_DIGITS && text.bytes().all(|b| b.is_ascii_digit())
}

/// A refused name, cut: it may be as long as a header.
fn shown(name: &str) -> String {
    name.chars().take(REGION_CHARS_MAX).collect()
}

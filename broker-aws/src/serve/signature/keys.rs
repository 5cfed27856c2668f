//! The keys that are known here, and the check of a request against them.

use std::{
    collections::BTreeMap,
    fmt,
    time::{Duration, UNIX_EPOCH},
};

use broker_core::Timestamp;
use hmac::{Hmac, Mac};
use http::request::Parts;
use sha2::{Digest, Sha256};

use super::{
    canonical::{self, hex},
    refused::Refused,
    signed::Signed,
};

/// How far the clocks may differ: what AWS documents.
const SKEW: Duration = Duration::from_secs(300);

/// Access keys with their secrets: a listener that has some takes only what is signed with one of them.
///
/// A key of 12 digits is an account of its own, with queues of its own; all others share one. The signature covers the body, and
/// is good for five minutes.
///
/// ```
/// use broker_aws::serve::AccessKeys;
///
/// let keys = AccessKeys::new().key("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY");
/// assert!(!format!("{keys:?}").contains("wJal"));
/// ```
#[derive(Clone, Default)]
pub struct AccessKeys {
    secrets: BTreeMap<String, String>,
    skew: Option<Duration>,
    once: bool,
}

/// A good signature, until when. In the order of that time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Checked {
    pub(super) good_until: Timestamp,
    pub(super) signature: [u8; 32],
}

impl AccessKeys {
    /// No keys: nothing is taken.
    pub fn new() -> Self {
        Self::default()
    }

    /// One key more.
    pub fn key(mut self, id: impl Into<String>, secret: impl Into<String>) -> Self {
        self.secrets.insert(id.into(), secret.into());
        self
    }

    /// How far the clocks may differ, in whole seconds; by default five minutes. As long can a request be sent again by somebody who saw
    /// it, unless [replays are refused](Self::refuse_replays).
    pub fn clock_skew(self, skew: Duration) -> Self {
        Self { skew: Some(skew), ..self }
    }

    /// Takes each signature once, so that nobody can send what he saw again. Presigned URLs are made to be used again, and can be, as long
    /// as they say. What an earlier listener was sent is not known to the next one.
    ///
    /// Not the default, because some clients, as boto3, sign two equal calls within a second alike, of which the second is refused then.
    /// The SDKs for Rust, JavaScript, Java and Go sign an id with each attempt.
    pub fn refuse_replays(self) -> Self {
        Self { once: true, ..self }
    }

    /// Refuses a request that is not signed with one of the keys, now. Returns the signature if it is to be taken once.
    pub(super) fn check_at(
        &self,
        parts: &Parts,
        body: &[u8],
        now: Timestamp,
    ) -> Result<Option<Checked>, Refused> {
        let signed = Signed::read(parts)?;
        let secret = self.secrets.get(&signed.scope.access_key).ok_or(Refused::UnknownKey)?;
        let good_until = self.check_time(&signed, now)?;
        let request = canonical::request(parts, &signed.headers, body).ok_or(Refused::Mismatch)?;
        let scope = &signed.scope;
        let scope_text = format!("{}/{}/{}/aws4_request", scope.date, scope.region, scope.service);
        let hashed = hex(&Sha256::digest(request.as_bytes()));
        let to_sign = format!("AWS4-HMAC-SHA256\n{}\n{scope_text}\n{hashed}", signed.date);
        let start = format!("AWS4{secret}").into_bytes();
        let parts = [&scope.date, &scope.region, &scope.service, "aws4_request"];
        let key = parts.iter().fold(start, |key, part| mac(&key, part).finalize().into_bytes().to_vec());
        // Compares in a time that does not depend on where they differ.
        mac(&key, &to_sign).verify_slice(&signed.signature).map_err(|_| Refused::Mismatch)?;
        let signature = <[u8; 32]>::try_from(signed.signature).map_err(|_| Refused::Mismatch)?;
        let once = self.once && signed.expires.is_none();
        Ok(once.then_some(Checked { good_until, signature }))
    }

    /// Until when the signature is good.
    fn check_time(&self, signed: &Signed, now: Timestamp) -> Result<Timestamp, Refused> {
        let at =
            read_date(&signed.date).ok_or(Refused::Incomplete("The date must be as 20261126T101500Z."))?;
        let skew = self.skew.unwrap_or(SKEW);
        let (then, here) = (signed.date.clone(), now.to_string());
        if at.since(now) > skew {
            return Err(Refused::NotYet { signed: then, now: here, tolerated: skew.as_secs() });
        }
        let good_for = signed.expires.map_or(skew, Duration::from_secs);
        if now.since(at) > good_for {
            return Err(Refused::Expired { signed: then, now: here, tolerated: good_for.as_secs() });
        }
        let good_for = u64::try_from(good_for.as_millis()).unwrap_or(u64::MAX);
        Ok(Timestamp::from_millis(at.as_millis().saturating_add(good_for)))
    }
}

impl fmt::Debug for AccessKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids: Vec<_> = self.secrets.keys().collect();
        f.debug_struct("AccessKeys").field("ids", &ids).finish_non_exhaustive()
    }
}

fn mac(key: &[u8], text: &str) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(text.as_bytes());
    mac
}

/// Reads `20261126T101500Z`.
fn read_date(text: &str) -> Option<Timestamp> {
    let digits = text.len() == 16 && text.is_ascii();
    let part = |from, to| text.get(from..to).filter(|_| digits);
    let (year, month, day) = (part(0, 4)?, part(4, 6)?, part(6, 8)?);
    let (hour, minute, second) = (part(9, 11)?, part(11, 13)?, part(13, 15)?);
    if part(8, 9)? != "T" || part(15, 16)? != "Z" {
        return None;
    }
    let rfc3339 = format!("{year}-{month}-{day}T{hour}:{minute}:{second}Z");
    let time = humantime::parse_rfc3339(&rfc3339).ok()?.duration_since(UNIX_EPOCH).ok()?;
    u64::try_from(time.as_millis()).ok().map(Timestamp::from_millis)
}

//! Amazon resource names: `arn:aws:SERVICE:REGION:ACCOUNT:RESOURCE`.

use crate::realm::Realm;

/// A resource name, taken apart and not checked further.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Arn<'a> {
    pub(crate) service: &'a str,
    pub(crate) region: &'a str,
    pub(crate) account: &'a str,
    /// What follows the account; it may hold colons.
    pub(crate) resource: &'a str,
}

impl<'a> Arn<'a> {
    /// `None` if the text is no resource name.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.splitn(6, ':');
        let mut next = || parts.next();
        if next()? != "arn" || !next()?.starts_with("aws") {
            return None;
        }
        Some(Self { service: next()?, region: next()?, account: next()?, resource: next()? })
    }

    /// Whether it names something in this realm.
    pub(crate) fn is_in(&self, realm: &Realm) -> bool {
        self.account == realm.account() && self.region == realm.region()
    }
}

/// The resource name of something in a realm.
pub(crate) fn arn(service: &str, realm: &Realm, resource: &str) -> String {
    format!("arn:aws:{service}:{}:{}:{resource}", realm.region(), realm.account())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_comes_apart_as_it_was_put_together() {
        let text = arn("sns", &Realm::default(), "topic:sub:scription");
        assert_eq!(text, "arn:aws:sns:us-east-1:000000000000:topic:sub:scription");
        let parsed = Arn::parse(&text).expect("an ARN");
        assert_eq!((parsed.service, parsed.resource), ("sns", "topic:sub:scription"));
        assert!(parsed.is_in(&Realm::default()));
        for bad in ["", "arn", "arn:aws:sqs", "arn:aws:sqs:us-east-1:000000000000", "urn:aws:a:b:c:d"] {
            assert_eq!(Arn::parse(bad), None, "{bad}");
        }
    }
}

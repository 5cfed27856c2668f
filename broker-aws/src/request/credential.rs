//! Account and region, from the scope of the signature. Nobody checks the signature here.

use http::{HeaderMap, header};

use super::text;
use crate::{
    protocol::query::Node,
    realm::{Realm, is_account},
    wire::{
        arn::Arn,
        error::{WireError, WireResult},
    },
};

/// What a client signs for: `KEY/DATE/REGION/SERVICE/aws4_request`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Scope {
    pub(crate) access_key: String,
    pub(crate) date: String,
    pub(crate) region: String,
    pub(crate) service: String,
}

/// The scope of a request's signature, from the header `Authorization` or the parameter of a presigned URL.
pub(super) fn scope(headers: &HeaderMap, form: Option<&Node>) -> Option<Scope> {
    let of_form = || scope_of_text(form?.text("X-Amz-Credential")?);
    if credential(headers).is_some() { scope_of_header(headers) } else { of_form() }
}

/// What the header `Authorization` says.
pub(crate) fn scope_of_header(headers: &HeaderMap) -> Option<Scope> {
    scope_of_text(credential(headers)?)
}

fn credential(headers: &HeaderMap) -> Option<&str> {
    let signature = text(headers, header::AUTHORIZATION.as_str());
    let (_, rest) =
        signature.filter(|signature| signature.starts_with("AWS4-"))?.split_once("Credential=")?;
    rest.split([',', ' ']).next()
}

/// Reads a credential.
pub(crate) fn scope_of_text(credential: &str) -> Option<Scope> {
    // An access key may hold slashes, the rest may not.
    let mut parts = credential.rsplitn(5, '/');
    let (_request, service, region, date) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let access_key = parts.next()?.into();
    Some(Scope { access_key, date: date.into(), region: region.into(), service: service.into() })
}

/// The realm of a request: the region that it is signed for, and the account that is its access key, if that has 12 digits.
/// Without a signature, that of the topic or subscription that it names, as links in messages do. `home` has what it does not
/// say.
pub(super) fn realm(headers: &HeaderMap, form: Option<&Node>, home: &Realm) -> WireResult<Realm> {
    let Some(scope) = scope(headers, form) else {
        return Ok(form.and_then(named).unwrap_or_else(|| home.clone()));
    };
    let account = if is_account(&scope.access_key) { &scope.access_key } else { home.account() };
    let refused = |error: broker_core::Error| WireError::sender("IncompleteSignature", error.to_string());
    Realm::new(account, &scope.region).map_err(refused)
}

/// The realm of the topic or subscription that a request names.
fn named(form: &Node) -> Option<Realm> {
    let text = form.text("TopicArn").or_else(|| form.text("SubscriptionArn"))?;
    let arn = Arn::parse(text)?;
    Realm::new(arn.account, arn.region).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed(credential: &str) -> HeaderMap {
        let signature = format!("AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=0");
        HeaderMap::from_iter([(header::AUTHORIZATION, signature.parse().expect("a header"))])
    }

    #[test]
    fn a_realm_comes_from_the_signature() {
        let home = Realm::default();
        let realm_of = |credential| realm(&signed(credential), None, &home);
        let realm = |account, region| Realm::new(account, region).expect("a realm");
        let there = realm_of("123456789012/20261126/eu-west-1/sqs/aws4_request");
        assert_eq!(there, Ok(realm("123456789012", "eu-west-1")));
        let key_with_slash = realm_of("AK/IA/20261126/eu-west-1/sqs/aws4_request");
        assert_eq!(key_with_slash, Ok(realm(home.account(), "eu-west-1")));
        assert_eq!(realm_of("short/aws4_request"), Ok(home.clone()));
        let outside = realm_of("AKIA/20261126/..%2f/sqs/aws4_request").expect_err("no region");
        assert_eq!(outside.shape, "IncompleteSignature");
    }

    #[test]
    fn a_request_without_a_signature_is_at_home() {
        let home = Realm::new("123456789012", "eu-west-1").expect("a realm");
        assert_eq!(realm(&HeaderMap::new(), None, &home), Ok(home.clone()));
    }

    // N11, N14
    #[test]
    fn a_link_is_for_the_realm_of_what_it_names() {
        let form = "Action=Unsubscribe&SubscriptionArn=arn:aws:sns:eu-west-1:123456789012:news:id";
        let form = Node::from_pairs(form_urlencoded::parse(form.as_bytes())).expect("a form");
        let there = Realm::new("123456789012", "eu-west-1").expect("a realm");
        assert_eq!(realm(&HeaderMap::new(), Some(&form), &Realm::default()), Ok(there));
    }
}

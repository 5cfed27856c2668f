//! What a request says of its signature, in the header `Authorization` or in the parameters of a presigned URL.

use http::{Method, header, request::Parts};

use super::refused::Refused;
use crate::request::{Scope, scope_of_header, scope_of_text};

/// The only algorithm.
const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// The longest time that a presigned URL can be good for, in seconds: seven days.
const EXPIRES_MAX: u64 = 604_800;

/// What a request says of its signature.
pub(super) struct Signed {
    pub(super) scope: Scope,
    /// As `20261126T101500Z`.
    pub(super) date: String,
    /// In small letters, in order, with semicolons between them.
    pub(super) headers: String,
    pub(super) signature: Vec<u8>,
    /// For how many seconds a presigned URL is good.
    pub(super) expires: Option<u64>,
}

impl Signed {
    pub(super) fn read(parts: &Parts) -> Result<Self, Refused> {
        let mut given = parts.headers.get_all(header::AUTHORIZATION).iter();
        match (given.next(), given.next()) {
            (Some(one), None) => Self::of_header(parts, one.to_str().unwrap_or_default()),
            (Some(_), Some(_)) => Err(Refused::Incomplete("There are two Authorization headers.")),
            (None, _) => Self::of_query(parts),
        }
    }

    fn of_header(parts: &Parts, authorization: &str) -> Result<Self, Refused> {
        let missing = |what| Refused::Incomplete(what);
        let rest = authorization
            .strip_prefix(ALGORITHM)
            .ok_or(missing("Authorization must begin with 'AWS4-HMAC-SHA256'."))?;
        let part = |name: &str| {
            rest.split([',', ' ']).find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='))
        };
        let scope = scope_of_header(&parts.headers)
            .ok_or(missing("Authorization header requires 'Credential' parameter."))?;
        let headers = part("SignedHeaders")
            .ok_or(missing("Authorization header requires 'SignedHeaders' parameter."))?;
        let signature =
            part("Signature").ok_or(missing("Authorization header requires 'Signature' parameter."))?;
        let date = parts.headers.get("x-amz-date").and_then(|date| date.to_str().ok());
        let date =
            date.ok_or(missing("Authorization header requires existence of the 'X-Amz-Date' header."))?;
        Self::new(parts, scope, date, headers, signature, None)
    }

    /// Only for GET: the parameters of a form in the body could say something else.
    fn of_query(parts: &Parts) -> Result<Self, Refused> {
        let pairs: Vec<_> =
            form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes()).collect();
        let part = |name: &'static str| {
            let mut values = pairs.iter().filter(|(key, _)| key == name).map(|(_, value)| &**value);
            values.next().filter(|_| values.next().is_none())
        };
        if part("X-Amz-Algorithm") != Some(ALGORITHM)
            || parts.method != Method::GET
            || parts.headers.contains_key("x-amz-target")
        {
            return Err(Refused::Missing);
        }
        let missing = |what| Refused::Incomplete(what);
        let scope = part("X-Amz-Credential").and_then(scope_of_text);
        let scope = scope.ok_or(missing("The URL needs one parameter 'X-Amz-Credential'."))?;
        let date = part("X-Amz-Date").ok_or(missing("The URL needs one parameter 'X-Amz-Date'."))?;
        let headers = part("X-Amz-SignedHeaders")
            .ok_or(missing("The URL needs one parameter 'X-Amz-SignedHeaders'."))?;
        let signature =
            part("X-Amz-Signature").ok_or(missing("The URL needs one parameter 'X-Amz-Signature'."))?;
        let expires = part("X-Amz-Expires").and_then(|text| text.parse().ok());
        let expires = expires.filter(|seconds| (1..=EXPIRES_MAX).contains(seconds));
        let expires = expires.ok_or(missing("'X-Amz-Expires' must be between 1 and 604800 seconds."))?;
        Self::new(parts, scope, date, headers, signature, Some(expires))
    }

    fn new(
        parts: &Parts,
        scope: Scope,
        date: &str,
        headers: &str,
        signature: &str,
        expires: Option<u64>,
    ) -> Result<Self, Refused> {
        if date.get(..8) != Some(scope.date.as_str()) {
            return Err(Refused::Incomplete("The date in the credential is not that of the request."));
        }
        let signs = |name: &str| headers.split(';').any(|signed| signed == name);
        if !signs("host") || (parts.headers.contains_key("x-amz-target") && !signs("x-amz-target")) {
            return Err(Refused::Incomplete("'Host' and 'X-Amz-Target' must be signed."));
        }
        let signature = unhex(signature).ok_or(Refused::Mismatch)?;
        Ok(Self { scope, date: date.to_owned(), headers: headers.to_owned(), signature, expires })
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |b: u8| char::from(b).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pair = |pair: &[u8]| Some(digit(pair[0])? << 4 | digit(pair[1])?);
    text.len().is_multiple_of(2).then(|| text.as_bytes().chunks_exact(2).map(pair).collect())?
}

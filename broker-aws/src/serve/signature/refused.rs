//! Why a request is refused, and how that is told.

use http::StatusCode;

use crate::protocol::Protocol;

/// Why a request is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(in crate::serve) enum Refused {
    /// It is not signed.
    #[error("Request is missing Authentication Token")]
    Missing,
    /// Its signature has not all parts, or they do not fit together.
    #[error("{0}")]
    Incomplete(&'static str),
    /// Nobody here knows the key.
    #[error("The security token included in the request is invalid.")]
    UnknownKey,
    /// It is older than signatures may be, or the clocks differ.
    #[error("Signature expired: {signed} is now earlier than {now} by more than {tolerated} s.")]
    Expired {
        /// When it was signed.
        signed: String,
        /// The time here.
        now: String,
        /// The seconds that are tolerated.
        tolerated: u64,
    },
    /// It is from the future.
    #[error("Signature not yet current: {signed} is still later than {now} by more than {tolerated} s.")]
    NotYet {
        /// When it was signed.
        signed: String,
        /// The time here.
        now: String,
        /// The seconds that are tolerated.
        tolerated: u64,
    },
    /// It came already.
    #[error(
        "The request was received already: each is taken once, so that nobody can send what he saw again."
    )]
    Again,
    /// It was made with another key, or for another request.
    #[error(
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret \
         Access Key and signing method. Consult the service documentation for details."
    )]
    Mismatch,
}

impl Refused {
    /// Status and code in a protocol.
    pub(in crate::serve) fn told(&self, protocol: Protocol) -> (StatusCode, &'static str) {
        let query = matches!(protocol, Protocol::Query { .. });
        match self {
            Self::Missing if query => (StatusCode::FORBIDDEN, "MissingAuthenticationToken"),
            Self::Missing => (StatusCode::BAD_REQUEST, "MissingAuthenticationTokenException"),
            Self::Incomplete(_) if query => (StatusCode::BAD_REQUEST, "IncompleteSignature"),
            Self::Incomplete(_) => (StatusCode::BAD_REQUEST, "IncompleteSignatureException"),
            Self::UnknownKey if query => (StatusCode::FORBIDDEN, "InvalidClientTokenId"),
            Self::UnknownKey => (StatusCode::BAD_REQUEST, "UnrecognizedClientException"),
            _ if query => (StatusCode::FORBIDDEN, "SignatureDoesNotMatch"),
            _ => (StatusCode::BAD_REQUEST, "InvalidSignatureException"),
        }
    }
}

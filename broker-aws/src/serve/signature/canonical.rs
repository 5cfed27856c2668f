//! What is signed: the request in one spelling.

use std::fmt::Write as _;

use http::{header, request::Parts};
use sha2::{Digest, Sha256};

/// The request in one spelling. `None` if a signed header is missing or is not text.
pub(super) fn request(parts: &Parts, signed_headers: &str, body: &[u8]) -> Option<String> {
    let mut text = format!("{}\n{}\n{}\n", parts.method, path(parts.uri.path()), query(parts));
    for name in signed_headers.split(';') {
        let _ = writeln!(text, "{name}:{}", header(parts, name)?);
    }
    let _ = write!(text, "\n{signed_headers}\n{}", hex(&Sha256::digest(body)));
    Some(text)
}

/// The path, encoded once more than it is in the request, as all services but S3 have it.
fn path(path: &str) -> String {
    let encoded: Vec<_> = path.split('/').map(|part| encode(part.as_bytes())).collect();
    if path.is_empty() { "/".to_owned() } else { encoded.join("/") }
}

/// The parameters in order, without the signature.
fn query(parts: &Parts) -> String {
    let pairs = parts.uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
    let mut pairs: Vec<_> = pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (encode(&decode(name)), encode(&decode(value)))
        })
        .filter(|(name, _)| name != "X-Amz-Signature")
        .collect();
    pairs.sort_unstable();
    let pairs: Vec<_> = pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    pairs.join("&")
}

/// A header with all its values, and no more spaces than it needs.
fn header(parts: &Parts, name: &str) -> Option<String> {
    let values: Option<Vec<_>> =
        parts.headers.get_all(name).iter().map(|value| value.to_str().ok()).collect();
    let values: Vec<_> =
        values?.iter().map(|value| value.split_ascii_whitespace().collect::<Vec<_>>().join(" ")).collect();
    // HTTP/2 has the host elsewhere.
    if values.is_empty() && name == header::HOST {
        return parts.uri.authority().map(ToString::to_string);
    }
    (!values.is_empty()).then(|| values.join(","))
}

fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(byte) {
            text.push(char::from(*byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

/// Percent signs that are not followed by two digits stay.
fn decode(text: &str) -> Vec<u8> {
    let digit =
        |byte: Option<&u8>| char::from(*byte?).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut rest = text.as_bytes();
    let mut decoded = Vec::with_capacity(rest.len());
    while let [first, behind @ ..] = rest {
        let high = digit(behind.first()).filter(|_| *first == b'%');
        if let (Some(high), Some(low)) = (high, digit(behind.get(1))) {
            decoded.push(high << 4 | low);
            rest = &behind[2..];
        } else {
            decoded.push(*first);
            rest = behind;
        }
    }
    decoded
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

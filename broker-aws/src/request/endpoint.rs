//! Under which address a client knows the broker: queue URLs start with it.

use http::{HeaderMap, Uri, header};

use super::text;

/// The address of clients that name no host.
const NOWHERE: &str = "localhost";

/// Scheme and host of a request, as `http://localhost:4566`.
pub(super) fn of_request(headers: &HeaderMap, uri: &Uri) -> String {
    let scheme = uri.scheme_str().unwrap_or("http");
    let host = text(headers, header::HOST.as_str()).filter(|host| is_host(host));
    let host = host.or_else(|| uri.authority().map(http::uri::Authority::as_str)).unwrap_or(NOWHERE);
    format!("{scheme}://{host}")
}

/// Whether a header is a host, perhaps with a port: it becomes part of URLs.
fn is_host(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-._:[]".contains(&b);
    !text.is_empty() && text.bytes().all(allowed)
}

//! What a request to an HTTP endpoint says (rule N43).

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderValue, Request, Uri, header, uri::Authority};

use crate::sns::policy::CONTENT_TYPE;

/// What a message is, by the header that says so.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head<'a> {
    pub(super) kind: &'a str,
    pub(super) message_id: &'a str,
    pub(super) topic_arn: &'a str,
    /// Not while the subscription waits to be confirmed.
    pub(super) subscription_arn: Option<&'a str>,
    pub(super) raw: bool,
    /// The content type, if not the usual one.
    pub(super) content_type: Option<&'a str>,
}

/// The URL of an endpoint, if it is one of this protocol that names a host.
pub(in crate::sns) fn endpoint_url(protocol: &str, endpoint: &str) -> Option<Uri> {
    let url: Uri = endpoint.parse().ok()?;
    let fits = url.scheme_str() == Some(protocol) && url.host().is_some_and(|host| !host.is_empty());
    fits.then_some(url)
}

/// The request with a message. Name and password in the URL become a header.
pub(super) fn request(url: &Uri, head: &Head<'_>, body: Bytes) -> http::Result<Request<Bytes>> {
    let (url, login) = without_login(url)?;
    let mut request = Request::post(url)
        .header(header::CONTENT_TYPE, head.content_type.unwrap_or(CONTENT_TYPE))
        .header(header::USER_AGENT, "Amazon Simple Notification Service Agent")
        .header("x-amz-sns-message-type", head.kind)
        .header("x-amz-sns-message-id", head.message_id)
        .header("x-amz-sns-topic-arn", head.topic_arn);
    if let Some(arn) = head.subscription_arn {
        request = request.header("x-amz-sns-subscription-arn", arn);
    }
    if head.raw {
        request = request.header("x-amz-sns-rawdelivery", "true");
    }
    if let Some(login) = login {
        let mut value = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(login)))?;
        value.set_sensitive(true);
        request = request.header(header::AUTHORIZATION, value);
    }
    request.body(body)
}

/// The URL without name and password, and those.
fn without_login(url: &Uri) -> http::Result<(Uri, Option<String>)> {
    let authority = url.authority().map_or("", Authority::as_str);
    let Some((login, host)) = authority.rsplit_once('@') else { return Ok((url.clone(), None)) };
    let mut parts = url.clone().into_parts();
    parts.authority = Some(Authority::try_from(host)?);
    Ok((Uri::from_parts(parts)?, Some(login.to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: Head<'_> = Head {
        kind: "Notification",
        message_id: "id",
        topic_arn: "arn",
        subscription_arn: None,
        raw: false,
        content_type: None,
    };

    #[test]
    fn a_login_in_the_url_becomes_a_header() {
        let url = endpoint_url("http", "http://me:secret@localhost:8080/hook?a=1").expect("a URL");
        let request = request(&url, &HEAD, Bytes::new()).expect("a request");
        assert_eq!(request.uri(), "http://localhost:8080/hook?a=1");
        assert_eq!(request.headers()["authorization"], "Basic bWU6c2VjcmV0");
    }

    // N10
    #[test]
    fn an_endpoint_is_a_url_of_its_protocol() {
        assert!(endpoint_url("https", "https://example.com").is_some());
        for bad in ["http://example.com", "https://", "https:///a", "example.com", "https://[::1", ""] {
            assert_eq!(endpoint_url("https", bad), None, "{bad}");
        }
    }
}

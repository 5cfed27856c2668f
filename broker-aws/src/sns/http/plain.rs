//! Plain HTTP/1.1 to endpoints: a connection for each request, and no TLS.

use std::{fmt::Display, pin::pin};

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderValue, Request, StatusCode, Uri, header, uri::PathAndQuery};
use http_body_util::Full;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::{Outgoing, Unreachable};

/// Sends requests over plain HTTP/1.1, each on a connection of its own. Endpoints with `https` URLs need an [`Outgoing`] that
/// speaks TLS: this one fails to reach them.
#[derive(Debug, Clone, Copy, Default)]
pub struct PlainHttp;

/// The port of URLs that name none.
const PORT: u16 = 80;

fn failed(error: impl Display) -> Unreachable {
    Unreachable(error.to_string())
}

#[async_trait]
impl Outgoing for PlainHttp {
    async fn send(&self, request: Request<Bytes>) -> Result<StatusCode, Unreachable> {
        let url = request.uri().clone();
        if url.scheme_str() != Some("http") {
            return Err(failed("only plain HTTP is spoken here"));
        }
        let host = url.host().unwrap_or_default();
        let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let stream = TcpStream::connect((address, url.port_u16().unwrap_or(PORT))).await.map_err(failed)?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(failed)?;
        let request = for_connection(&url, request).map_err(failed)?;
        let mut answer = pin!(sender.send_request(request));
        let answer = tokio::select! {
            biased;
            answer = &mut answer => answer,
            // It may have ended with the answer, and has none to give afterwards.
            _ = connection => answer.await,
        };
        Ok(answer.map_err(failed)?.status())
    }
}

/// The request as it goes over a connection to its host: that is in a header, and its path alone in the first line.
fn for_connection(url: &Uri, request: Request<Bytes>) -> http::Result<Request<Full<Bytes>>> {
    let (mut parts, body) = request.into_parts();
    let host = url.authority().map_or("", http::uri::Authority::as_str);
    parts.headers.insert(header::HOST, HeaderValue::from_str(host)?);
    parts.headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    parts.uri = Uri::from(url.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/")));
    Ok(Request::from_parts(parts, Full::new(body)))
}

//! One connection: HTTP/1.1 or HTTP/2 as its client begins, until it is idle for too long or the listener stops.

use std::{convert::Infallible, future::pending, time::Duration};

use hyper::service::service_fn;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use tokio::{net::TcpStream, sync::watch};

use super::{activity::Activity, route::Router};

/// A connection without a request for so long is closed: also one that says nothing at all, or sends its headers byte by byte.
/// Longer than clients keep theirs for reuse, so that it is mostly they who close.
const IDLE_MAX: Duration = Duration::from_secs(60);
/// When a connection is to end, what is being answered on it may take so long. Less than orchestrators wait before they kill.
const END_WITHIN: Duration = Duration::from_secs(10);
/// The most bytes of headers; those of the SDKs are below 4 KiB, and a query request by GET is one long line.
const HEADER_BYTES_MAX: usize = 64 * 1024;
/// The most headers of a request.
const HEADERS_MAX: usize = 100;
/// The most requests at once on one HTTP/2 connection. A Kinesis client has one for each shard that it subscribes to.
const CONCURRENT_STREAMS_MAX: u32 = 256;

/// Answers the requests of a connection until it ends.
pub(super) async fn serve(stream: TcpStream, router: Router, mut stop: watch::Receiver<bool>) {
    // Small answers must not wait for the client's acknowledgement of earlier ones. A closed socket shows soon enough.
    let _ = stream.set_nodelay(true);
    let activity = Activity::default();
    let answer = service_fn(|request| {
        let (router, busy) = (router.clone(), activity.begin());
        async move { Ok::<_, Infallible>(router.answer(request, busy).await) }
    });
    let builder = protocols();
    let connection = builder.serve_connection(TokioIo::new(stream), answer);
    tokio::pin!(connection);
    let mut ending = false;
    loop {
        let asked_to_end = async {
            tokio::select! {
                () = activity.idle_for(IDLE_MAX) => {}
                _ = stop.wait_for(|stop| *stop) => {}
            }
        };
        let too_late = async { if ending { tokio::time::sleep(END_WITHIN).await } else { pending().await } };
        tokio::select! {
            _ = connection.as_mut() => return,
            () = asked_to_end, if !ending => {
                connection.as_mut().graceful_shutdown();
                ending = true;
            }
            () = too_late => return,
        }
    }
}

fn protocols() -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    // Idle connections and slow headers are bounded by `IDLE_MAX`, whatever the protocol.
    builder.http1().header_read_timeout(None).max_buf_size(HEADER_BYTES_MAX).max_headers(HEADERS_MAX);
    let header_bytes = u32::try_from(HEADER_BYTES_MAX).unwrap_or(u32::MAX);
    builder.http2().max_header_list_size(header_bytes).max_concurrent_streams(CONCURRENT_STREAMS_MAX);
    builder
}

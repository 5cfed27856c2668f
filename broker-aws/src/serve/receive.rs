//! The body of a request, within bounds of size and time.

use std::{sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use http::StatusCode;
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The largest body: a batch of 10 MiB in base64, with keys and names.
const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;
/// The most bytes of bodies in memory at once, over all connections.
const ALL_BODIES_BYTES_MAX: usize = 256 * 1024 * 1024;
/// How long a body may take: the largest one at some 270 kB a second.
const BODY_WITHIN: Duration = Duration::from_secs(60);

/// Bounds the memory of all bodies together.
#[derive(Debug, Clone)]
pub(super) struct Room(Arc<Semaphore>);

impl Default for Room {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(ALL_BODIES_BYTES_MAX)))
    }
}

/// A body, and its share of the room.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) body: Bytes,
    /// Held until the request is answered.
    pub(super) share: Option<OwnedSemaphorePermit>,
}

/// Why there is no body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotReceived {
    /// It is too long.
    TooLarge,
    /// It took too long.
    TooSlow,
    /// There is no room for it now.
    NoRoom,
    /// The client went away.
    Gone,
}

impl NotReceived {
    /// Status, code and text of the answer.
    pub(super) fn told(self) -> (StatusCode, &'static str, String) {
        match self {
            Self::TooLarge => {
                let text = format!("The request has a body of more than {BODY_BYTES_MAX} bytes.");
                (StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLarge", text)
            }
            Self::TooSlow => {
                let text = format!("The body did not come within {} seconds.", BODY_WITHIN.as_secs());
                (StatusCode::REQUEST_TIMEOUT, "RequestTimeout", text)
            }
            Self::NoRoom => {
                let text = "Too much is being received at once, try again.".to_owned();
                (StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", text)
            }
            Self::Gone => (StatusCode::BAD_REQUEST, "IncompleteBody", "The body broke off.".to_owned()),
        }
    }
}

/// Reads a body.
pub(super) async fn receive(body: Incoming, room: &Room) -> Result<Received, NotReceived> {
    let announced = body.size_hint().lower();
    if announced > BODY_BYTES_MAX as u64 {
        return Err(NotReceived::TooLarge);
    }
    tokio::time::timeout(BODY_WITHIN, read(body, room)).await.unwrap_or(Err(NotReceived::TooSlow))
}

async fn read(mut body: Incoming, room: &Room) -> Result<Received, NotReceived> {
    let mut first = Bytes::new();
    let mut all = BytesMut::new();
    let mut share: Option<OwnedSemaphorePermit> = None;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| NotReceived::Gone)?.into_data() else { continue };
        if first.len() + all.len() + data.len() > BODY_BYTES_MAX {
            return Err(NotReceived::TooLarge);
        }
        // As long as the largest body at most, which fits.
        let bytes = u32::try_from(data.len()).map_err(|_| NotReceived::TooLarge)?;
        let more = room.0.clone().try_acquire_many_owned(bytes).map_err(|_| NotReceived::NoRoom)?;
        match &mut share {
            Some(share) => share.merge(more),
            None => share = Some(more),
        }
        // Most bodies come in one piece, which needs no copy.
        if all.is_empty() && first.is_empty() {
            first = data;
        } else {
            if all.is_empty() {
                all.extend_from_slice(&std::mem::take(&mut first));
            }
            all.extend_from_slice(&data);
        }
    }
    let body = if all.is_empty() { first } else { all.freeze() };
    Ok(Received { body, share })
}

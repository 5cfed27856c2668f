//! Events as the client's event stream has them: a frame of headers and a payload, each part with its checksum.

use bytes::{BufMut as _, Bytes, BytesMut};

use crate::{protocol::Protocol, wire::error::WireError};

/// The frame that opens a stream: the answer to the request, apart from the events.
pub(super) fn initial_response(protocol: Protocol) -> Bytes {
    let nothing: Bytes = if protocol == Protocol::Cbor { Bytes::from_static(&[0xa0]) } else { "{}".into() };
    event("initial-response", protocol, &nothing)
}

/// An event of this type.
pub(super) fn event(kind: &str, protocol: Protocol, payload: &[u8]) -> Bytes {
    let headers =
        [(":event-type", kind), (":content-type", protocol.content_type()), (":message-type", "event")];
    frame(&headers, payload)
}

/// The error that ends a stream.
pub(super) fn exception(protocol: Protocol, error: &WireError) -> Bytes {
    let told = serde_json::json!({ "message": error.message }).to_string();
    let mut payload = Bytes::from(told);
    if protocol == Protocol::Cbor {
        let mut written = Vec::new();
        let told = [("message", &error.message)].into_iter().collect::<std::collections::BTreeMap<_, _>>();
        // Writing text to memory does not fail.
        let _ = ciborium::into_writer(&told, &mut written);
        payload = written.into();
    }
    let headers = [
        (":exception-type", &*error.shape),
        (":content-type", protocol.content_type()),
        (":message-type", "exception"),
    ];
    frame(&headers, &payload)
}

/// The bytes of a frame beside headers and payload: two lengths and two checksums.
const FRAME_BYTES: usize = 16;
/// The type of a header that is text.
const TEXT: u8 = 7;

fn frame(headers: &[(&str, &str)], payload: &[u8]) -> Bytes {
    let mut written = BytesMut::new();
    for (name, value) in headers {
        // Names and values are ours, and short.
        written.put_u8(u8::try_from(name.len()).unwrap_or(0));
        written.put_slice(name.as_bytes());
        written.put_u8(TEXT);
        written.put_u16(u16::try_from(value.len()).unwrap_or(0));
        written.put_slice(value.as_bytes());
    }
    let total = FRAME_BYTES + written.len() + payload.len();
    let mut frame = BytesMut::with_capacity(total);
    // A payload is a read of a shard, which is bounded far below 4 GiB.
    frame.put_u32(u32::try_from(total).unwrap_or(u32::MAX));
    frame.put_u32(u32::try_from(written.len()).unwrap_or(u32::MAX));
    frame.put_u32(crc32fast::hash(&frame));
    frame.put_slice(&written);
    frame.put_slice(payload);
    frame.put_u32(crc32fast::hash(&frame));
    frame.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn k71_a_frame_without_headers_and_payload_is_as_published() {
        // From the published test vectors of the format.
        let empty = [0, 0, 0, 0x10, 0, 0, 0, 0, 0x05, 0xc2, 0x48, 0xeb, 0x7d, 0x98, 0xc8, 0xff];
        assert_eq!(frame(&[], b"")[..], empty);
    }
}

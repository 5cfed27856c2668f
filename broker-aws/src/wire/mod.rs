//! What is spelled the same in all services: errors, ARNs, URLs, ids, tokens, bytes in texts.
//!
//! | file | what it is for |
//! |---|---|
//! | `error` | an error as clients see it |
//! | `arn`, `queue_url` | the names of things |
//! | `request_id` | the id of each request |
//! | `token` | where a list goes on |
//! | `blob` | bytes: base64 in JSON and XML, as they are in CBOR |

pub(crate) mod arn;
pub(crate) mod blob;
pub(crate) mod error;
pub(crate) mod queue_url;
pub(crate) mod request_id;
pub(crate) mod token;

/// Whether this is the name of a FIFO queue or topic.
pub(crate) fn is_fifo(name: &str) -> bool {
    name.strip_suffix(".fifo").is_some()
}

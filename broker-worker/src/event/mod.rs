//! Events as AWS writes them in JSON, so that a handler written for Lambda's events runs here (rules L35, L36).
//!
//! | file | what it is for |
//! |---|---|
//! | `source` | what AWS calls the place that an event comes from |
//! | `sqs` | the records of a queue's messages; a function on them as a handler |
//! | `digest` | MD5 sums of bodies and attributes, as those records have them |
//! | `partial` | answers that name the items which failed |

mod digest;
mod partial;
mod source;
pub mod sqs;

pub use partial::{Report, read_report};
pub use source::Source;

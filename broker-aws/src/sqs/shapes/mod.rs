//! Inputs and outputs of the operations, as the service model of SQS has them. A field has the name of its member in the
//! JSON; an alias is its name in the query protocol.
//!
//! | file | what it is for |
//! |---|---|
//! | `queue` | operations on queues |
//! | `message` | operations on messages |
//! | `batch` | operations on several messages |
//! | `moves` | move tasks |

mod batch;
mod message;
mod moves;
mod queue;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub(crate) use batch::*;
pub(crate) use message::*;
pub(crate) use moves::*;
pub(crate) use queue::*;

/// Names and values, as of attributes and tags.
pub(crate) type Texts = BTreeMap<String, String>;

//! Inputs and outputs of the operations, as the service model of SNS has them.
//!
//! | file | what it is for |
//! |---|---|
//! | `topic` | operations on topics, their tags and permissions |
//! | `subscription` | operations on subscriptions |
//! | `publish` | messages |

mod publish;
mod subscription;
#[cfg(test)]
mod tests;
mod topic;

use std::collections::BTreeMap;

pub(crate) use publish::*;
pub(crate) use subscription::*;
pub(crate) use topic::*;

/// Names and values, as of attributes.
pub(crate) type Texts = BTreeMap<String, String>;

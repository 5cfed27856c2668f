//! Inputs and outputs of the operations, as the service model of Kinesis has them: the name on the wire, the field, its type.
//! An input may lack anything, an output leaves out what is `None`.
//!
//! | file | what it is for |
//! |---|---|
//! | `stream` | streams, their settings, the account |
//! | `shard` | shards |
//! | `record` | records |
//! | `consumer` | registered consumers and subscriptions |
//! | `resource` | tags and policies |
//! | `queue` | queues on streams |

mod consumer;
mod queue;
mod record;
mod resource;
mod shard;
mod stream;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub(super) use consumer::*;
pub(super) use queue::*;
pub(super) use record::*;
pub(super) use resource::*;
pub(super) use shard::*;
pub(super) use stream::*;

/// Text that may be absent.
pub(super) type Text = Option<String>;

/// Tags by their keys.
pub(super) type TagMap = BTreeMap<String, String>;

/// What is left out of an output.
pub(super) trait Member {
    fn is_absent(&self) -> bool {
        false
    }
}

impl<T> Member for Option<T> {
    fn is_absent(&self) -> bool {
        self.is_none()
    }
}

impl<T> Member for Vec<T> {}
impl Member for String {}
impl Member for bool {}
impl Member for u64 {}
impl Member for super::time::Time {}
impl Member for crate::wire::blob::Blob {}

/// Structures of the service model.
macro_rules! shapes {
    ($($(#[$doc:meta])* $name:ident { $($wire:literal $field:ident: $kind:ty),* $(,)? })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Default, Clone, serde::Serialize, serde::Deserialize)]
        #[serde(default)]
        pub(in crate::kinesis) struct $name {
            $(
                #[serde(rename = $wire, skip_serializing_if = "super::Member::is_absent")]
                pub(in crate::kinesis) $field: $kind,
            )*
        }
    )*};
}

/// Inputs that name a stream: with the three members that do.
macro_rules! stream_inputs {
    ($($(#[$doc:meta])* $name:ident { $($wire:literal $field:ident: $kind:ty),* $(,)? })*) => {
        super::shapes! {$(
            $(#[$doc])*
            $name {
                "StreamName" stream_name: super::Text,
                "StreamARN" stream_arn: super::Text,
                "StreamId" stream_id: super::Text,
                $($wire $field: $kind),*
            }
        )*}
        $(
            impl super::NamesStream for $name {
                fn stream(&self) -> (Option<&str>, Option<&str>) {
                    (self.stream_name.as_deref(), self.stream_arn.as_deref())
                }
            }
        )*
    };
}

/// An input that names a stream.
pub(super) trait NamesStream {
    /// Name and ARN. `StreamId` is reserved by Kinesis, and taken and ignored.
    fn stream(&self) -> (Option<&str>, Option<&str>);
}

use shapes;
use stream_inputs;

//! User keys: small values of the user's own beside the messages, in named spaces, so that a consumer can keep its aggregates,
//! cursors and marks where its messages are, and change them in the same commit ([`Transaction`](crate::Transaction)).
//!
//! | file | what it is for |
//! |---|---|
//! | `check` | what is refused |
//! | `history` | which keys were changed lately, so that a transaction knows whether what it read still holds; pure |
//! | `page` | reading keys in pages |
//! | `reads` | what a transaction has read |
//! | `writes` | what is to be written |
//! | `stored` | spaces as the catalog keeps them |
//! | `shell` | [`Space`] |

mod check;
mod history;
mod page;
mod reads;
mod shell;
mod stored;
mod writes;

pub(crate) use check::space_name;
pub(crate) use history::{History, KeyRange};
pub use page::KeyPage;
pub(crate) use page::Scan;
pub(crate) use reads::{Overtaken, ReadSet};
pub(crate) use shell::SpaceCell;
pub use shell::{Space, SpaceStats};
pub(crate) use stored::{SpaceDefinition, stored};
pub(crate) use writes::KeyWrites;

/// The longest user key, in bytes. A store takes keys of up to 1,024 bytes, of which the broker needs nine.
pub const KEY_BYTES_MAX: usize = 1_000;

/// The largest value of a user key, in bytes: as large as a store takes one.
pub const VALUE_BYTES_MAX: usize = 64 * 1024;

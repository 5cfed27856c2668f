//! The query protocol: parameters of a form, as a tree by the dots in their names, and that tree for serde.
//!
//! | file | what it is for |
//! |---|---|
//! | `tree` | from parameters to a tree |
//! | `read` | from a tree to a struct |

mod read;
mod tree;

pub(crate) use read::read;
pub(crate) use tree::Node;

//! Whether a request is signed with a key that is known here: AWS Signature Version 4.
//!
//! | file | what it is for |
//! |---|---|
//! | `guard` | the check of a listener, which may take each request once |
//! | `keys` | the keys, and the check of a signature |
//! | `signed` | what a request says of its signature |
//! | `canonical` | what is signed: the request in one spelling |
//! | `refused` | why a request is refused |

mod canonical;
mod guard;
mod keys;
mod refused;
mod signed;
#[cfg(test)]
mod tests;

pub(super) use guard::Guard;
pub use keys::AccessKeys;

//! Whether a request is signed with a key that is known here: AWS Signature Version 4.
//!
//! | file | what it is for |
//! |---|---|
//! | `keys` | the keys, and the check |
//! | `signed` | what a request says of its signature |
//! | `canonical` | what is signed: the request in one spelling |
//! | `refused` | why a request is refused |

mod canonical;
mod keys;
mod refused;
mod signed;
#[cfg(test)]
mod tests;

pub use keys::AccessKeys;

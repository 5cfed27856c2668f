//! Filter policies: rules N16, N17 and N60 to N73, the invariants T2 and T7, and 328 cases of other engines.
//!
//! Each test names the rules that it proves; `docs/CONFORMANCE.md` has the way back.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod allocations;
mod arrays;
mod attributes;
mod documents;
mod errors;
mod hostile;
mod limits;
mod naive;
mod operators;
mod random;
mod support;
mod text;
mod vectors;

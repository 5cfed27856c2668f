//! Shared parts of the examples: the logic of the main job, which `examples/departures.rs` only starts, and the shipped
//! departures for the smaller ones.

pub mod departures;
pub mod flights;
pub mod looks;

/// The code in the README is compiled and run like any other example.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;

/// So is that of the page on exactly once.
#[cfg(doctest)]
#[doc = include_str!("../../docs/EXACTLY-ONCE.md")]
pub struct ExactlyOnce;

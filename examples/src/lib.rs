//! Shared parts of the examples: the logic of the main job, which `examples/departures.rs` only starts.

pub mod departures;

//! What a device may do to a store: power cuts at every call, errors at every call, and damage in every bit.
//!
//! `BROKER_LOG_SEEDS` is how many histories are tried; more of them take longer.

mod crash;
mod damage;
mod disk;
mod failing;
mod history;
mod luck;
mod model;
mod pacing;

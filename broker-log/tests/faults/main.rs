//! What a device may do to a store: power cuts at every call, errors at every call, and damage in every bit.
//!
//! `BROKER_LOG_SEEDS` is how many histories are tried; more of them take longer.

mod crash;
mod damage;
mod failing;
mod model;
mod opening;
mod pacing;

/// How many histories a test tries, unless told: so many that it takes some seconds.
fn seeds(usual: u64) -> std::ops::Range<u64> {
    let told = std::env::var("BROKER_LOG_SEEDS").ok();
    0..told.map_or(usual, |text| text.parse().expect("BROKER_LOG_SEEDS is a number"))
}

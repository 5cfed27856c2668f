//! A simulated disk that a test can cut off or let fail at any call, and histories of batches to do so in.
//!
//! Behind the feature `faults`: nothing of it is in a store that ships.

mod cuts;
mod disk;
mod history;
mod luck;

pub use cuts::{Cuts, power_cuts};
pub use disk::{Disk, Failure, Image};
pub use history::{Content, History, Numbers, options};
pub use luck::Luck;

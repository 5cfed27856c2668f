//! Workers of a queue in this process whose number a scaler decides.
//!
//! | file | what it is for |
//! |---|---|
//! | `build` | a pool as it is built |
//! | `running` | a pool as it runs: look at it, deploy to it, stop it |
//! | `control` | the task that samples, asks the scaler, and resizes |
//! | `lanes` | the workers, those of the old and of the new version while one is being replaced |
//! | `capacity` | how many workers this process can bear, for several pools together |
//! | `events` | what a pool does, as it happens |
//!
//! A worker that holds a lease is never ended because there are too many: it finishes its batch, and goes then (rules S42, S43).
//! Where the capacity does not allow as many workers as should be, work waits in the queue, and the pool
//! [says so](PoolEvent::Limited).

mod build;
mod capacity;
mod control;
mod events;
mod lanes;
mod running;

pub use build::Pool;
pub use capacity::Capacity;
pub use events::{PoolEvent, PoolEvents};
pub use running::RunningPool;

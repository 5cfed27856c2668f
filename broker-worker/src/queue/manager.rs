//! The task that keeps the workers of a mapping: it starts them as they are wanted, and sees them end.

use std::sync::Arc;

use broker_core::Timestamp;
use tokio::task::JoinSet;

use super::{
    pollers::Growth,
    worker::{Shared, Worker},
};

/// Keeps the workers until the mapping stops and the last one has ended. Dropped, it ends all of them at once.
pub(super) async fn run(shared: Arc<Shared>) {
    let mut workers = JoinSet::new();
    loop {
        let stopping = shared.stop.is_cancelled();
        if stopping && workers.is_empty() {
            return;
        }
        let growth = if stopping {
            Growth::Enough
        } else {
            shared.state.lock().pollers.grow(shared.clock.now().as_millis())
        };
        let ask_again = async {
            match growth {
                Growth::At(time) => shared.clock.sleep_until(Timestamp::from_millis(time)).await,
                _ => std::future::pending().await,
            }
        };
        if let Growth::Spawn(count) = growth {
            for _ in 0..count {
                workers.spawn(Worker { shared: shared.clone() }.run());
            }
            shared.telemetry.workers(workers.len());
            continue;
        }
        tokio::select! {
            Some(ended) = workers.join_next() => {
                // A worker does not panic; what it is given might, such as a gate.
                if ended.is_err_and(|error| error.is_panic()) {
                    shared.state.lock().pollers.vanished();
                }
                shared.telemetry.workers(workers.len());
            }
            () = shared.wanted.notified() => {}
            () = ask_again => {}
            () = shared.stop.cancelled(), if !stopping => {}
        }
    }
}

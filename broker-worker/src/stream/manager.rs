//! The task that follows the leases: one task for each shard that is this worker's.

use std::{collections::BTreeMap, sync::Arc};

use broker_core::{Error, GroupMember, LeaseChange, Result, ShardId};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{
    mapping::Shared,
    shard::{self, End},
};
use crate::{queue::State, telemetry::WorkerEvent};

/// Runs until the mapping is stopped, or its stream is gone.
pub(super) async fn run(shared: Arc<Shared>, member: Box<dyn GroupMember>) {
    let mut member = Some(member);
    let mut enabled = shared.enabled.subscribe();
    loop {
        if let Some(member) = member.take() {
            set(&shared, State::Enabled);
            if let Err(error) = follow(&shared, member).await {
                tracing::error!(stream = shared.stream.name(), %error, "the stream cannot be used any more");
                broken(&shared, error);
            }
        }
        if shared.stop.is_cancelled() {
            return;
        }
        set(&shared, State::Disabled);
        tokio::select! {
            () = shared.stop.cancelled() => return,
            changed = enabled.wait_for(|enabled| *enabled) => if changed.is_err() { return },
        }
        set(&shared, State::Enabling);
        match shared.stream.join(&shared.function, shared.settings.starting_position).await {
            Ok(joined) => member = Some(joined),
            Err(error) => broken(&shared, error),
        }
    }
}

fn broken(shared: &Shared, error: Error) {
    shared.telemetry.tell(|| WorkerEvent::Broken { error: error.to_string() });
    shared.broken.lock().get_or_insert(error);
    shared.stop.cancel();
    // Whoever waits for the last state.
    shared.changed.notify_waiters();
}

pub(super) fn set(shared: &Shared, state: State) {
    *shared.state.lock() = state;
    shared.changed.notify_waiters();
}

/// The tasks of the shards that a worker has.
struct Shards {
    shared: Arc<Shared>,
    tasks: JoinSet<End>,
    tokens: BTreeMap<ShardId, Tokens>,
}

struct Tokens {
    stop: CancellationToken,
    lost: CancellationToken,
}

/// Follows the leases until the mapping is disabled or stopped. What is being worked on is finished then (rule L34).
async fn follow(shared: &Arc<Shared>, mut member: Box<dyn GroupMember>) -> Result<()> {
    let mut shards = Shards { shared: shared.clone(), tasks: JoinSet::new(), tokens: BTreeMap::new() };
    let mut enabled = shared.enabled.subscribe();
    let outcome = loop {
        let change = tokio::select! {
            biased;
            () = shared.stop.cancelled() => break Ok(()),
            _ = enabled.wait_for(|enabled| !*enabled) => break Ok(()),
            Some(ended) = shards.tasks.join_next() => {
                shared.telemetry.workers(shards.tasks.len());
                match ended {
                    Ok(End::Broken(error)) => break Err(error),
                    // Its lease was given back, and comes again if there is more to do.
                    _ => continue,
                }
            }
            change = member.next() => change,
        };
        match change {
            Ok(change) => shards.follow(change),
            Err(error) => break Err(error),
        }
    };
    if !shared.stop.is_cancelled() {
        set(shared, State::Disabling);
    }
    for tokens in shards.tokens.values() {
        tokens.stop.cancel();
    }
    let mut broken = outcome;
    while let Some(ended) = shards.tasks.join_next().await {
        if let (Ok(End::Broken(error)), Ok(())) = (ended, &broken) {
            broken = Err(error);
        }
        shared.telemetry.workers(shards.tasks.len());
    }
    broken
}

impl Shards {
    fn follow(&mut self, change: LeaseChange) {
        match change {
            LeaseChange::Got(lease) => {
                let tokens = Tokens { stop: CancellationToken::new(), lost: CancellationToken::new() };
                let (stop, lost) = (tokens.stop.clone(), tokens.lost.clone());
                self.tokens.insert(lease.shard(), tokens);
                self.tasks.spawn(shard::run(self.shared.clone(), lease, stop, lost));
                self.shared.telemetry.workers(self.tasks.len());
            }
            LeaseChange::Wanted(shard) => {
                if let Some(tokens) = self.tokens.get(&shard) {
                    tokens.stop.cancel();
                }
            }
            LeaseChange::Lost(shard) => {
                if let Some(tokens) = self.tokens.remove(&shard) {
                    tokens.lost.cancel();
                    tokens.stop.cancel();
                    self.shared.telemetry.shard_lost(shard);
                }
            }
        }
    }
}

//! A history as it was carried out on a store that records its commits, and what a crash in the middle of it may leave.

use std::{collections::BTreeMap, ops::RangeInclusive, sync::Arc};

use broker_core::{
    Result,
    storage::{Batch, Durability, Storage, faults::CrashStorage},
};

use crate::histories::{Known, Op, Seen, World};

/// What there was after an operation.
pub(super) struct Moment {
    /// How many commits there were.
    pub(super) commits: usize,
    pub(super) seen: Seen,
    pub(super) known: Known,
    /// Whether the operation changed anything, and what that has survived when it returned.
    promise: Option<Durability>,
}

/// See the module.
pub(super) struct Recording {
    pub(super) commits: Vec<(Batch, Durability)>,
    /// The first is that of the opening.
    pub(super) after: Vec<Moment>,
    /// A number that stands for all commits, to the last byte.
    pub(super) trace: u64,
}

impl Recording {
    /// Opens what is in the store, which is durable, and does all that.
    pub(super) async fn of(disk: Arc<dyn Storage>, known: Known, history: &[Op]) -> Result<Self> {
        let store = Arc::new(CrashStorage::new(disk));
        let mut world = World::open(store.clone(), known).await?;
        let mut after = vec![Moment::of(&world, &store, None).await?];
        for op in history {
            op.carry_out(&mut world).await?;
            world.known.now_ms = world.now_ms();
            let mut moment = Moment::of(&world, &store, op.promise()).await?;
            if after.last().is_some_and(|before| before.seen == moment.seen) {
                moment.promise = None;
            }
            after.push(moment);
        }
        drop(world);
        Ok(Self { commits: store.applied(), after, trace: store.trace() })
    }

    /// What a crash may leave during the operation of that number, the first being the opening, and after it: how many
    /// commits, and the moments of which one is to be seen then.
    pub(super) fn images(&self, number: usize) -> BTreeMap<usize, RangeInclusive<usize>> {
        let end = self.after[number].commits;
        let begin = number.checked_sub(1).map_or(0, |before| self.after[before].commits);
        let mut images = BTreeMap::new();
        let mut add = |commits: usize, least: usize, most: usize| {
            let all = images.entry(commits).or_insert(least..=most);
            *all = (*all.start()).max(least)..=(*all.end()).min(most);
        };
        // Without a commit of the operation there is only the moment behind it.
        for made in begin + 1..=end.max(begin + 1) {
            let made = made.min(end);
            for acked in [number.saturating_sub(1), number] {
                if acked == number && made < end {
                    continue;
                }
                let durable = |at_least| {
                    let found = self.commits[..made].iter().rposition(|(_, how)| *how >= at_least);
                    found.map_or(0, |at| at + 1)
                };
                add(durable(Durability::Buffered), self.needed(acked, Durability::Buffered), number);
                for commits in durable(Durability::Synced)..=made {
                    add(commits, self.needed(acked, Durability::Synced), number);
                }
            }
        }
        images
    }

    /// What was seen at these moments.
    pub(super) fn seen(&self, moments: RangeInclusive<usize>) -> impl Iterator<Item = &Seen> {
        self.after[moments].iter().map(|moment| &moment.seen)
    }

    /// The newest of the first moments that was promised to survive.
    fn needed(&self, acked: usize, at_least: Durability) -> usize {
        self.after[..=acked].iter().rposition(|moment| moment.promise >= Some(at_least)).unwrap_or(0)
    }
}

impl Moment {
    async fn of(world: &World, store: &CrashStorage, promise: Option<Durability>) -> Result<Self> {
        let seen = Seen::of(&world.broker).await?;
        Ok(Self { commits: store.commits(), seen, known: world.known.clone(), promise })
    }
}

//! Power cuts after every call of a history, and again while the store recovers and goes on.

use std::sync::Arc;

use broker_core::storage::{Durability, Storage, StorageError};

use super::{
    disk::{Disk, Image},
    history::{Content, History, Numbers, options},
    luck::Luck,
};
use crate::{LogOptions, LogStorage};

const COMMITS: usize = 60;
const COMMITS_AFTER: usize = 6;
/// Ways in which the pieces may fall, for each cut.
const MIXED: u64 = 3;

/// What was tried.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cuts {
    /// Calls at which the power was cut, those of stores that had been cut off before not counted.
    pub points: u64,
    /// What cuts have left, each of which was opened and read.
    pub images: u64,
    /// Segments that were begun and removed.
    pub segments: (usize, usize),
}

/// Carries out the history of that seed and cuts the power at each of its calls, in several ways; opens what is left, goes on,
/// and cuts again. An error says at which cut something was lost, or what else went wrong.
pub fn power_cuts(seed: u64) -> Result<Cuts, String> {
    let options = options(seed);
    let mut numbers = Numbers::new(seed + 77);
    let run = Run::new(Disk::default(), History::new(seed), COMMITS, &options, &mut numbers)
        .map_err(|error| format!("seed {seed}: {error}"))?;
    let mut cuts = Cuts { segments: run.disk.named(), ..Cuts::default() };
    for calls in 0..=run.disk.calls() {
        cuts.points += 1;
        let pieces: Vec<_> = (0..MIXED).map(|_| mixed(&mut numbers)).collect();
        for (way, mut luck) in [Luck::Bad, Luck::Good].into_iter().chain(pieces).enumerate() {
            cuts.images += run
                .cut_twice(calls, &mut luck, &options, &mut numbers)
                .map_err(|error| format!("seed {seed}, cut at call {calls}, way {way}{error}"))?;
        }
    }
    Ok(cuts)
}

/// A history as it was carried out on a disk.
struct Run {
    disk: Disk,
    history: History,
    /// For each commit: the calls made before it began, those made when it returned, and its durability.
    commits: Vec<(usize, usize, Durability)>,
    /// Commits that were there at the beginning.
    first: usize,
    /// Calls made when the store was open.
    opened: usize,
}

impl Run {
    /// Opens what is on the disk and commits so often; closes and reopens now and then.
    fn new(
        disk: Disk,
        mut history: History,
        commits: usize,
        options: &LogOptions,
        luck: &mut Numbers,
    ) -> Result<Self, String> {
        let open = || LogStorage::open_on(Arc::new(disk.clone()), options).map_err(|error| told(&error));
        let mut store = open()?;
        let (opened, first) = (disk.calls(), history.after.len() - 1);
        let mut done = Vec::new();
        for _ in 0..commits {
            let (batch, durability) = (history.batch(), history.durability());
            let before = disk.calls();
            store.commit(&batch, durability).map_err(|error| told(&error))?;
            done.push((before, disk.calls(), durability));
            if luck.below(20) == 0 {
                drop(store);
                store = open()?;
            }
        }
        if Content::of(&store).map_err(|error| told(&error))? != *history.last() {
            return Err(": something is lost without any cut".into());
        }
        drop(store);
        Ok(Self { disk, history, commits: done, first, opened })
    }

    /// How many commits must be there after a cut at that call, and how many may be.
    fn bounds(&self, calls: usize) -> (usize, usize) {
        let durable =
            self.commits.iter().rposition(|(_, end, how)| *end <= calls && *how == Durability::Synced);
        let begun = self.commits.iter().filter(|(begin, _, _)| *begin < calls).count();
        (self.first + durable.map_or(0, |at| at + 1), self.first + begun)
    }

    /// Cuts the power, and says what was left and how many commits it has.
    fn cut(&self, calls: usize, luck: &mut Luck, options: &LogOptions) -> Result<(Image, usize), String> {
        let image = self.disk.after_cut(calls, luck);
        let store =
            LogStorage::open_on(Arc::new(Disk::with(&image)), options).map_err(|error| told(&error))?;
        let content = Content::of(&store).map_err(|error| told(&error))?;
        let (found, (least, most)) = (content.commits(), self.bounds(calls));
        if !(least..=most).contains(&found) {
            return Err(format!(": {found} commits, of {least} to {most}"));
        }
        if content != self.history.after[found] {
            return Err(format!(": not the content after {found} commits"));
        }
        Ok((image, found))
    }

    /// Cuts the power at that call, and again in what goes on from there. Returns how many cuts that were.
    fn cut_twice(
        &self,
        calls: usize,
        luck: &mut Luck,
        options: &LogOptions,
        numbers: &mut Numbers,
    ) -> Result<u64, String> {
        let (image, found) = self.cut(calls, luck, options)?;
        let mut images = 1;
        // And again, while it recovers and goes on.
        let fork = self.history.forked(found, numbers.below(u64::MAX));
        let second = Self::new(Disk::with(&image), fork, COMMITS_AFTER, options, numbers)?;
        for end in [second.opened, second.disk.calls()] {
            let calls = numbers.index(end + 1);
            let again = second.cut(calls, &mut mixed(numbers), options);
            again.map_err(|error| format!(", and again at call {calls}{error}"))?;
            images += 1;
        }
        // Had only the process died, what the next one finds is durable from then on.
        if let Luck::Good = luck {
            let fork = self.history.forked(found, numbers.below(u64::MAX));
            let second = Self::new(self.disk.after_kill(calls), fork, COMMITS_AFTER, options, numbers)?;
            let later = second.opened + numbers.index(second.disk.calls() - second.opened + 1);
            for calls in [second.opened, later] {
                let mut luck = if calls == second.opened { Luck::Bad } else { mixed(numbers) };
                let again = second.cut(calls, &mut luck, options);
                again.map_err(|error| format!(", killed, then cut at call {calls}{error}"))?;
                images += 1;
            }
        }
        Ok(images)
    }
}

fn told(error: &StorageError) -> String {
    format!(": {error}")
}

fn mixed(numbers: &mut Numbers) -> Luck {
    Luck::Mixed(Numbers::new(numbers.below(u64::MAX)))
}

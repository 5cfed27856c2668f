//! Power cuts after every call of a history, and again while the store recovers and goes on.

use std::sync::Arc;

use broker_core::storage::{Durability, Storage};
use broker_log::{LogOptions, LogStorage};

use crate::{
    disk::{Disk, Image},
    history::{Content, History, Numbers, options, seeds},
    luck::Luck,
};

const COMMITS: usize = 60;
const COMMITS_AFTER: usize = 6;
/// Ways in which the pieces may fall, for each cut.
const MIXED: u64 = 3;

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
    ) -> Self {
        let open = || LogStorage::open_on(Arc::new(disk.clone()), options).expect("it opens");
        let mut store = open();
        let (opened, first) = (disk.calls(), history.after.len() - 1);
        let mut done = Vec::new();
        for _ in 0..commits {
            let (batch, durability) = (history.batch(), history.durability());
            let before = disk.calls();
            store.commit(&batch, durability).expect("a lawful batch");
            done.push((before, disk.calls(), durability));
            if luck.below(20) == 0 {
                drop(store);
                store = open();
            }
        }
        assert!(Content::of(&store).expect("it can be read") == *history.last(), "without any cut");
        drop(store);
        Self { disk, history, commits: done, first, opened }
    }

    /// How many commits must be there after a cut at that call, and how many may be.
    fn bounds(&self, calls: usize) -> (usize, usize) {
        let durable =
            self.commits.iter().rposition(|(_, end, how)| *end <= calls && *how == Durability::Synced);
        let begun = self.commits.iter().filter(|(begin, _, _)| *begin < calls).count();
        (self.first + durable.map_or(0, |at| at + 1), self.first + begun)
    }

    /// Cuts the power, and says what was left and how many commits it has.
    fn cut(&self, calls: usize, luck: &mut Luck, options: &LogOptions, what: &str) -> (Image, usize) {
        let image = self.disk.after_cut(calls, luck);
        let store = LogStorage::open_on(Arc::new(Disk::with(&image)), options);
        let store = store.unwrap_or_else(|error| panic!("{what}: {error}"));
        let content = Content::of(&store).unwrap_or_else(|error| panic!("{what}: {error}"));
        let (found, (least, most)) = (content.commits(), self.bounds(calls));
        assert!((least..=most).contains(&found), "{what}: {found} commits, of {least} to {most}");
        assert!(content == self.history.after[found], "{what}: not the content after {found} commits");
        (image, found)
    }
}

fn mixed(numbers: &mut Numbers) -> Luck {
    Luck::Mixed(Numbers::new(numbers.below(u64::MAX)))
}

#[test]
fn a_power_cut_at_any_call_leaves_a_prefix_with_all_that_was_synced() {
    let (mut images, mut rolled, mut removed) = (0, 0, 0);
    for seed in seeds(18) {
        let options = options(seed);
        let mut numbers = Numbers::new(seed + 77);
        let run = Run::new(Disk::default(), History::new(seed), COMMITS, &options, &mut numbers);
        let (renames, removals) = run.disk.named();
        (rolled, removed) = (rolled + renames, removed + removals);
        for calls in 0..=run.disk.calls() {
            let pieces: Vec<_> = (0..MIXED).map(|_| mixed(&mut numbers)).collect();
            for (way, mut luck) in [Luck::Bad, Luck::Good].into_iter().chain(pieces).enumerate() {
                let what = format!("seed {seed}, cut at call {calls}, way {way}");
                let (image, found) = run.cut(calls, &mut luck, &options, &what);
                images += 1;
                // And again, while it recovers and goes on.
                let fork = run.history.forked(found, numbers.below(u64::MAX));
                let second = Run::new(Disk::with(&image), fork, COMMITS_AFTER, &options, &mut numbers);
                for end in [second.opened, second.disk.calls()] {
                    let calls = numbers.index(end + 1);
                    let mut luck = mixed(&mut numbers);
                    second.cut(calls, &mut luck, &options, &format!("{what}, and again at call {calls}"));
                    images += 1;
                }
                // Had only the process died, what the next one finds is durable from then on.
                if let Luck::Good = luck {
                    let fork = run.history.forked(found, numbers.below(u64::MAX));
                    let disk = run.disk.after_kill(calls);
                    let second = Run::new(disk, fork, COMMITS_AFTER, &options, &mut numbers);
                    let cuts = [
                        second.opened,
                        second.opened + numbers.index(second.disk.calls() - second.opened + 1),
                    ];
                    for calls in cuts {
                        let mut luck = if calls == second.opened { Luck::Bad } else { mixed(&mut numbers) };
                        second.cut(
                            calls,
                            &mut luck,
                            &options,
                            &format!("{what}, killed, then cut at call {calls}"),
                        );
                        images += 1;
                    }
                }
            }
        }
    }
    println!("{images} images; {rolled} segments were begun and {removed} removed");
    assert!(images == 0 || rolled > 20 && removed > 10, "too little happened");
}

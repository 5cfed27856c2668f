//! Power cuts at many moments of a trace, and whether the store that each leaves opens with all that it must have.

use std::{collections::BTreeMap, fmt, fs, path::Path};

use broker_core::storage::{Durability, Storage};
use broker_sled::SledStorage;
use tempfile::TempDir;

use crate::{
    disk::{Disk, Image, Left, Names},
    rng::Rng,
    trace::Event,
    workload::{self, Mix, State},
};

/// As in `src/keys.rs`.
const SEGMENT_BYTES: u64 = 4 << 20;

/// How much is tried.
#[derive(Clone, Copy)]
pub(crate) struct Effort {
    /// How many moments of a trace, at most.
    pub(crate) cuts: usize,
    /// How many random images of each.
    pub(crate) images: usize,
    pub(crate) seed: u64,
}

/// A run of the program: what was on the disk, what it then did, and the last commit that the disk must have had.
pub(crate) struct Run {
    pub(crate) mix: Mix,
    pub(crate) before: Image,
    pub(crate) events: Vec<Event>,
    pub(crate) acknowledged: u64,
    pub(crate) states: Vec<State>,
}

#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) cuts: usize,
    pub(crate) images: usize,
    pub(crate) lost: usize,
    pub(crate) unopenable: usize,
    /// Neither a prefix of the commits nor an error.
    pub(crate) wrong: usize,
    pub(crate) first_bad: Option<String>,
}

impl Tally {
    pub(crate) fn bad(&self) -> usize {
        self.lost + self.unopenable + self.wrong
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.cuts += other.cuts;
        self.images += other.images;
        self.lost += other.lost;
        self.unopenable += other.unopenable;
        self.wrong += other.wrong;
        self.first_bad = self.first_bad.take().or(other.first_bad);
    }

    fn note(&mut self, found: Result<(), Bad>, what: impl FnOnce() -> String) {
        self.images += 1;
        let Err(bad) = found else { return };
        let (kind, detail) = match &bad {
            Bad::Lost(detail) => (&mut self.lost, detail),
            Bad::Unopenable(detail) => (&mut self.unopenable, detail),
            Bad::Wrong(detail) => (&mut self.wrong, detail),
        };
        *kind += 1;
        self.first_bad.get_or_insert_with(|| format!("{}: {detail}", what()));
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cuts, images, lost, unopenable, wrong, first_bad } = self;
        let ok = images - self.bad();
        write!(
            f,
            "{cuts} cuts, {images} images: {ok} ok, {lost} lost, {unopenable} unopenable, {wrong} wrong"
        )?;
        first_bad.as_ref().map_or(Ok(()), |bad| write!(f, "; first: {bad}"))
    }
}

enum Bad {
    Lost(String),
    Unopenable(String),
    Wrong(String),
}

impl Run {
    /// Cuts the power at moments spread over the run.
    pub(crate) fn cut(&self, names: Names, effort: Effort) -> Tally {
        let mut tally = Tally::default();
        let moments = self.moments(effort);
        self.visit(names, |moment, disk, acknowledged| {
            if moments.binary_search(&moment).is_err() {
                return;
            }
            tally.cuts += 1;
            let synced = disk.is_synced();
            let mut lefts = vec![Left::Nothing];
            if !synced {
                lefts.push(Left::Everything);
                lefts.extend(std::iter::repeat_n(Left::Some, effort.images));
            }
            for (number, left) in lefts.into_iter().enumerate() {
                let mut rng = Rng::new(effort.seed ^ (moment * 64 + number) as u64);
                let found = self.check(&disk.image(left, &mut rng), acknowledged);
                tally.note(found, || {
                    format!("{names:?}, {left:?} left (number {number}) at event {moment} after commit {acknowledged}")
                });
            }
        });
        tally
    }

    /// The disk after a power cut at one moment, and the last commit that it must have.
    pub(crate) fn image_at(&self, moment: usize, left: Left, seed: u64) -> (Image, u64) {
        let mut found = None;
        self.visit(Names::AtOnce, |now, disk, acknowledged| {
            if now == moment {
                found = Some((disk.image(left, &mut Rng::new(seed)), acknowledged));
            }
        });
        found.expect("the moment is in the run")
    }

    /// How often sled began a segment anew that had been in use.
    pub(crate) fn reused_segments(&self) -> usize {
        let mut begun = BTreeMap::<u64, usize>::new();
        for event in &self.events {
            if let Event::Write { path, offset, data } = event
                && path.ends_with("/store/sled/db")
                && offset.is_multiple_of(SEGMENT_BYTES)
                && data.first().is_some_and(|byte| *byte != 0)
            {
                *begun.entry(*offset).or_default() += 1;
            }
        }
        begun.values().map(|times| times - 1).sum()
    }

    /// The most bytes of sled's file that were written and not synced, but for the zeros that recovery writes.
    pub(crate) fn most_unsynced(&self) -> usize {
        let (mut most, mut unsynced) = (0, 0);
        for event in &self.events {
            match event {
                Event::Write { path, data, .. }
                    if path.ends_with("/store/sled/db") && data.iter().any(|byte| *byte != 0) =>
                {
                    unsynced += data.len();
                }
                Event::Sync { path, .. } if path.ends_with("/store/sled/db") => unsynced = 0,
                _ => {}
            }
            most = most.max(unsynced);
        }
        most
    }

    /// Shows the disk after each event.
    fn visit(&self, names: Names, mut visit: impl FnMut(usize, &Disk, u64)) {
        let mut disk = Disk::new(&self.before, names);
        let mut acknowledged = self.acknowledged;
        for (moment, event) in self.events.iter().enumerate() {
            disk.apply(event);
            if let Event::Acknowledged(number) = event {
                acknowledged = acknowledged.max(*number);
            }
            visit(moment, &disk, acknowledged);
        }
    }

    /// A third of the moments are at or next to a sync or an acknowledgement, where promises begin, and a third are
    /// while the most is unsynced.
    fn moments(&self, effort: Effort) -> Vec<usize> {
        let all = self.events.len();
        if effort.cuts >= all {
            return (0..all).collect();
        }
        let (mut near, mut risky, mut unsynced) = (Vec::new(), Vec::new(), 0);
        for (moment, event) in self.events.iter().enumerate() {
            match event {
                Event::Write { data, .. } => unsynced += data.len(),
                Event::Sync { .. } => unsynced = 0,
                _ => {}
            }
            if matches!(event, Event::Sync { .. } | Event::Acknowledged(_)) {
                near.extend([moment.saturating_sub(1), moment]);
            }
            risky.push((unsynced, moment));
        }
        risky.sort_unstable();
        let risky: Vec<_> =
            risky.split_off(all - all / 20 - 1).into_iter().map(|(_, moment)| moment).collect();
        let every: Vec<_> = (0..all).collect();
        let mut rng = Rng::new(effort.seed);
        let mut moments: Vec<_> = [near, risky, every]
            .into_iter()
            .cycle()
            .take(effort.cuts)
            .map(|from| from[rng.below(from.len())])
            .collect();
        moments.sort_unstable();
        moments.dedup();
        moments
    }

    /// Opens what a power cut left, twice, with a commit in between.
    fn check(&self, image: &Image, acknowledged: u64) -> Result<(), Bad> {
        let home = TempDir::new().expect("a temporary directory");
        restore(image, home.path());
        let path = home.path().join("data");
        let (store, found) = self.open(&path)?;
        if found < acknowledged {
            return Err(Bad::Lost(format!("it ends at commit {found}")));
        }
        drop(store);
        let (store, again) = self.open(&path)?;
        if found != again {
            return Err(Bad::Wrong(format!("it ended at commit {found} and then at {again}")));
        }
        if found + 1 < self.states.len() as u64 {
            let committed = store.commit(&workload::commit(self.mix, found + 1).0, Durability::Synced);
            committed.map_err(|error| Bad::Unopenable(error.to_string()))?;
            let state = State::of(&store).map_err(|error| Bad::Wrong(error.to_string()))?;
            self.is_known(&state)?;
        }
        Ok(())
    }

    fn open(&self, path: &Path) -> Result<(SledStorage, u64), Bad> {
        let store = SledStorage::open(path).map_err(|error| Bad::Unopenable(error.to_string()))?;
        let state = State::of(&store).map_err(|error| Bad::Wrong(error.to_string()))?;
        self.is_known(&state)?;
        Ok((store, state.number()))
    }

    /// All of a prefix of the commits, and nothing else.
    fn is_known(&self, state: &State) -> Result<(), Bad> {
        let number = state.number();
        let known = self.states.get(usize::try_from(number).unwrap_or(usize::MAX)) == Some(state);
        if known { Ok(()) } else { Err(Bad::Wrong(format!("it is not what {number} commits make"))) }
    }
}

/// Writes an image to a directory.
pub(crate) fn restore(image: &Image, to: &Path) {
    for (path, content) in image {
        let path = to.join(path);
        match content {
            None => fs::create_dir_all(path).expect("a directory is created"),
            Some(bytes) => fs::write(path, bytes).expect("a file is written"),
        }
    }
}

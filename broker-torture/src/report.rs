//! What a suite has done and found, and the one line that it ends with.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
};

use crate::promises::Promises;

/// A store is given up after so many lives, or whatever stays in it would fill the device.
const LIVES_OF_A_STORE: u64 = 25;

/// The figure that stands for all that was done: equal for equal seeds, in whatever parts and order. It is a sum of numbers that
/// each stand for one run, and is shown as such a number.
pub(crate) const TRACE: &str = "trace";

/// Figures that are the same for all parts of a suite.
const PER_SUITE: [&str; 2] = ["seed", "operations"];

/// What a suite has done and found.
pub(crate) struct Outcome {
    suite: &'static str,
    /// Nothing was done, and why.
    skipped: Option<String>,
    figures: Vec<(&'static str, u64)>,
    /// Each with what it takes to have it again.
    bad: Vec<String>,
}

impl Outcome {
    pub(crate) fn new(suite: &'static str, figures: Vec<(&'static str, u64)>, bad: Vec<String>) -> Self {
        Self { suite, skipped: None, figures, bad }
    }

    pub(crate) fn skipped(suite: &'static str, why: String) -> Self {
        Self { suite, skipped: Some(why), figures: Vec::new(), bad: Vec::new() }
    }

    pub(crate) fn is_of(&self, other: &Self) -> bool {
        self.suite == other.suite
    }

    /// Adds another part of the same suite.
    pub(crate) fn add(&mut self, other: Self) {
        self.skipped = self.skipped.take().or(other.skipped);
        for (name, figure) in other.figures {
            match self.figures.iter_mut().find(|(known, _)| *known == name) {
                // Only a trace can be so large.
                Some((_, sum)) if !PER_SUITE.contains(&name) => *sum = sum.wrapping_add(figure),
                Some(_) => {}
                None => self.figures.push((name, figure)),
            }
        }
        self.bad.extend(other.bad);
    }

    pub(crate) fn is_bad(&self) -> bool {
        !self.bad.is_empty()
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(why) = &self.skipped {
            return write!(f, "{}: SKIPPED, {why}", self.suite);
        }
        write!(f, "{}:", self.suite)?;
        self.figures.iter().try_for_each(|(name, figure)| match *name {
            TRACE => write!(f, " {name}={figure:016x}"),
            _ => write!(f, " {name}={figure}"),
        })?;
        write!(f, " bad={}", self.bad.len())?;
        self.bad.iter().try_for_each(|bad| write!(f, "\n  {bad}"))
    }
}

/// The lives of a suite so far, one store after the other.
pub(crate) struct Tally {
    suite: &'static str,
    lives: u64,
    seed: u64,
    store: u64,
    /// Of the store of now.
    pub(crate) promises: Promises,
    acknowledged: u64,
    bad: Vec<String>,
}

impl Tally {
    pub(crate) fn new(suite: &'static str, lives: u64, seed: u64) -> Self {
        let promises = Promises::default();
        Self { suite, lives, seed, store: 0, promises, acknowledged: 0, bad: Vec::new() }
    }

    /// Where the store is for the life of that number; now and then a new one begins, and the old one goes.
    pub(crate) fn directory(&mut self, home: &Path, life: u64) -> std::io::Result<PathBuf> {
        let path = |store| home.join(format!("store-{store}"));
        if life > 0 && life.is_multiple_of(LIVES_OF_A_STORE) {
            println!("{}: {life} of {} lives", self.suite, self.lives);
            // Nothing is there if its first life ended too early.
            if path(self.store).exists() {
                fs::remove_dir_all(path(self.store))?;
            }
            self.next_store();
        }
        Ok(path(self.store))
    }

    /// Another store has been promised nothing.
    pub(crate) fn next_store(&mut self) {
        self.store += 1;
        self.acknowledged += std::mem::take(&mut self.promises).acknowledged();
    }

    /// Counts what the check of a life has found. A store that broke a promise is not used again.
    pub(crate) fn note(&mut self, life: u64, checked: anyhow::Result<()>) {
        if let Err(error) = checked {
            let told = format!("life {life}, seed {}: {error:#}", self.seed);
            println!("{}: {told}", self.suite);
            self.bad.push(told);
            self.next_store();
        }
    }

    pub(crate) fn into_outcome(mut self, lives: &'static str) -> Outcome {
        self.next_store();
        let figures = vec![
            (lives, self.lives),
            ("stores", self.store),
            ("acknowledged", self.acknowledged),
            ("seed", self.seed),
        ];
        Outcome::new(self.suite, figures, self.bad)
    }
}

//! A child for each of the first calls that it makes to files: strace does something to it at that call.

use std::process::Command;

use crate::{
    life::Life,
    report::{Outcome, Tally},
    store::Store,
    work::mix,
};

/// So many of the first calls are places at which something happens.
const PLACES: u64 = 300;

/// What is done to the children of a suite.
pub(crate) struct Injection {
    pub(crate) suite: &'static str,
    /// What the suite counts.
    pub(crate) figure: &'static str,
    /// The calls that are counted, in each thread for itself.
    pub(crate) calls: &'static str,
    /// A child that has said so much has met its fate, or never will.
    pub(crate) lines_max: u64,
}

impl Injection {
    /// Does it at `places` of the first calls; at each of them if that is all. `fate` says what it is at the child of this number, and
    /// this call.
    pub(crate) fn run(
        &self,
        (store, places, seed): (Store, u64, u64),
        fate: impl Fn(u64, u64) -> String,
    ) -> anyhow::Result<Outcome> {
        if let Err(why) = Command::new("strace").args(["-qq", "-o", "/dev/null", "true"]).output() {
            return Ok(Outcome::skipped(self.suite, format!("strace: {why}")));
        }
        let places = places.min(PLACES);
        let (home, mut tally) = (tempfile::tempdir()?, Tally::new(self.suite, places, seed));
        for number in 0..places {
            // Fewer than all are spread over all.
            let fate = fate(number, 1 + number * PLACES / places);
            let directory = home.path().join(format!("store-{number}"));
            if number > 0 {
                tally.next_store();
            }
            let life = Life { store, directory: &directory, number, seed: mix(seed) };
            let end = life.suffer(self.calls, &fate, self.lines_max, &mut tally.promises);
            let checked = end.and_then(|()| tally.promises.check(store, &directory, true));
            tally.note(number, checked.map_err(|error| error.context(fate)));
            // Nothing is there if it came too early.
            if directory.exists() {
                std::fs::remove_dir_all(&directory)?;
            }
        }
        Ok(tally.into_outcome(self.figure))
    }
}

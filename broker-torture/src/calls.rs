//! SIGKILL at each of the first calls that change files, counted by strace: the creation of a store, and its first commits.

use std::process::Command;

use crate::{
    life::Life,
    report::{Outcome, Tally},
    store::Store,
    work::mix,
};

/// The calls that are counted, in each thread for itself: those that name, cut, write and sync files.
const CALLS: &str = "openat,mkdir,rename,renameat2,unlink,ftruncate,fallocate,pwrite64,writev,pwritev,fsync,fdatasync,\
                     sync_file_range";
/// So many of them are places to die at.
const PLACES: u64 = 300;

/// Kills the child at `places` of the first calls; at each of them if that is all.
pub(crate) fn run(store: Store, places: u64, seed: u64) -> anyhow::Result<Outcome> {
    let suite = store.named("calls_log", "calls_sled");
    if let Err(why) = Command::new("strace").args(["-qq", "-o", "/dev/null", "true"]).output() {
        return Ok(Outcome::skipped(suite, format!("strace: {why}")));
    }
    let places = places.min(PLACES);
    let (home, mut tally) = (tempfile::tempdir()?, Tally::new(suite, places, seed));
    for number in 0..places {
        // Fewer than all are spread over all.
        let call = 1 + number * PLACES / places;
        let directory = home.path().join(format!("store-{number}"));
        if number > 0 {
            tally.next_store();
        }
        let life = Life { store, directory: &directory, number, seed: mix(seed) };
        let fate = format!("signal=SIGKILL:when={call}");
        let end = life.suffer(CALLS, &fate, u64::MAX, &mut tally.promises);
        let checked = end.and_then(|()| tally.promises.check(store, &directory, true));
        tally.note(number, checked);
        std::fs::remove_dir_all(&directory)?;
    }
    Ok(tally.into_outcome("kills"))
}

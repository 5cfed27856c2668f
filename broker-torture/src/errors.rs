//! Calls to files that fail, one or all from one on, with an error of the device or a full one: nothing that was acknowledged before
//! is lost, whatever the broker made of it.

use std::process::Command;

use crate::{
    life::Life,
    report::{Outcome, Tally},
    store::Store,
    work::mix,
};

/// The calls that fail, counted in each thread for itself: those that name, cut, write and sync files.
const CALLS: &str = "mkdir,rename,renameat2,unlink,ftruncate,fallocate,pwrite64,writev,pwritev,fsync,fdatasync,\
                     sync_file_range";
/// So many of them are places to fail at.
const PLACES: u64 = 300;
/// A child that has said so much has met its error, or never will.
const LINES_MAX: u64 = 400;
/// How calls fail. In what goes on, the broker has to stop by itself.
const FAILURES: [&str; 4] =
    ["error=EIO:when={}", "error=ENOSPC:when={}", "error=EIO:when={}+", "error=ENOSPC:when={}+"];

/// Lets calls fail at `places` of the first calls; at each of them if that is all.
pub(crate) fn run(store: Store, places: u64, seed: u64) -> anyhow::Result<Outcome> {
    let suite = store.named("errors_log", "errors_sled");
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
        let failure = FAILURES[usize::try_from(number)? % FAILURES.len()].replace("{}", &call.to_string());
        let end = life.suffer(CALLS, &failure, LINES_MAX, &mut tally.promises);
        let checked = end.and_then(|()| tally.promises.check(store, &directory, true));
        tally.note(number, checked.map_err(|error| error.context(failure)));
        // Nothing is there if it failed too early.
        if directory.exists() {
            std::fs::remove_dir_all(&directory)?;
        }
    }
    Ok(tally.into_outcome("failures"))
}

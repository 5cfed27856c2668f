//! Calls to files that fail, one or all from one on, with an error of the device or a full one: nothing that was acknowledged before
//! is lost, whatever the broker made of it.

use crate::{places::Injection, report::Outcome, store::Store};

/// Those that name, cut, write and sync files.
const CALLS: &str = "mkdir,rename,renameat2,unlink,ftruncate,fallocate,pwrite64,writev,pwritev,fsync,fdatasync,\
                     sync_file_range";
/// A child that has said so much has met its error, or never will.
const LINES_MAX: u64 = 400;

/// Lets calls fail at `places` of the first calls; at each of them if that is all. In turn with either error, once or from there on: in
/// what goes on, the broker has to stop by itself.
pub(crate) fn run(store: Store, places: u64, seed: u64) -> anyhow::Result<Outcome> {
    let suite = store.named("errors_log", "errors_sled");
    let failing = Injection { suite, figure: "failures", calls: CALLS, lines_max: LINES_MAX };
    failing.run((store, places, seed), |number, call| {
        let error = if number % 2 == 0 { "EIO" } else { "ENOSPC" };
        let goes_on = if number % 4 < 2 { "" } else { "+" };
        format!("error={error}:when={call}{goes_on}")
    })
}

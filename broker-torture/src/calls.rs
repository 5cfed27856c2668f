//! SIGKILL at each of the first calls that change files, counted by strace: the creation of a store, and its first commits.

use crate::{places::Injection, report::Outcome, store::Store};

/// Those that name, cut, write and sync files.
const CALLS: &str = "openat,mkdir,rename,renameat2,unlink,ftruncate,fallocate,pwrite64,writev,pwritev,fsync,fdatasync,\
                     sync_file_range";

/// Kills the child at `places` of the first calls; at each of them if that is all.
pub(crate) fn run(store: Store, places: u64, seed: u64) -> anyhow::Result<Outcome> {
    let suite = store.named("calls_log", "calls_sled");
    let kill = Injection { suite, figure: "kills", calls: CALLS, lines_max: u64::MAX };
    kill.run((store, places, seed), |_, call| format!("signal=SIGKILL:when={call}"))
}

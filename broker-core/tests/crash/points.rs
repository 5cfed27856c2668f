//! What the sweeps of scripts share: a script is run until each commit in turn, and what survived is checked.

use std::sync::Arc;

use broker_core::{
    Broker, MemoryBounds, Result,
    storage::faults::{CrashPoint, CrashStorage, Survive},
};
use broker_mem::MemStorage;

/// Almost nothing stays in memory.
const TINY: MemoryBounds = MemoryBounds { ready: 2, delayed: 2, staged: 2, staged_bytes: 100, searched: 4 };

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_time().start_paused(true).build().unwrap().block_on(future)
}

pub(crate) async fn open(store: &Arc<CrashStorage>) -> Result<Broker> {
    Broker::builder_on(store.clone()).memory(TINY).seed(3).open().await
}

/// The broker on what survived.
pub(crate) async fn reopen(store: &CrashStorage, survive: Survive) -> Broker {
    let survivors = Arc::new(store.restart(survive, Arc::new(MemStorage::new())).unwrap());
    open(&survivors).await.unwrap()
}

/// Runs a script on a new store until the point. Returns the store and what was promised until then.
pub(crate) fn run_until<P: Default>(
    point: CrashPoint,
    can_block: bool,
    script: impl AsyncFnOnce(&Arc<CrashStorage>, &mut P) -> Result<()>,
) -> (Arc<CrashStorage>, P) {
    let store = CrashStorage::new(Arc::new(MemStorage::new())).can_block(can_block).crash_at(point);
    let (store, mut promised) = (Arc::new(store), P::default());
    let ended = block_on(script(&store, &mut promised));
    assert!(ended.is_ok() || store.crashed(), "a script fails only by the crash: {ended:?}");
    (store, promised)
}

/// Runs a script until before and after each of its commits, which are at least so many, and checks what survives a kill
/// and power cuts.
pub(crate) fn sweep<P: Default>(
    (commits, commits_min): (usize, usize),
    can_block: bool,
    script: &impl AsyncFn(&Arc<CrashStorage>, &mut P) -> Result<()>,
    check: &impl AsyncFn(&CrashStorage, Survive, &P),
) {
    assert!(commits >= commits_min, "the script commits often enough to be worth sweeping: {commits}");
    for number in 0..commits {
        for point in [CrashPoint::Before(number), CrashPoint::After(number)] {
            let (store, promised) = run_until(point, can_block, script);
            let power_cut = |unsynced| Survive::PowerCut { unsynced };
            for survive in [Survive::Kill, power_cut(0), power_cut(1), power_cut(3)] {
                block_on(check(&store, survive, &promised));
            }
        }
    }
}

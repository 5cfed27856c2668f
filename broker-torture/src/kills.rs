//! SIGKILL under load: what was acknowledged is there, what was deleted stays away, and each hand-out was counted.

use crate::{
    life::Life,
    report::{Outcome, Tally},
    store::Store,
};

/// Kills the child so often.
pub(crate) fn run(store: Store, lives: u64, seed: u64) -> anyhow::Result<Outcome> {
    let home = tempfile::tempdir()?;
    let mut tally = Tally::new(store.named("kills_log", "kills_sled"), lives, seed);
    for number in 0..lives {
        let directory = tally.directory(home.path(), number)?;
        let life = Life { store, directory: &directory, number, seed };
        let end = life.live(&mut tally.promises, true, |child| Ok(child.kill()?));
        let checked = end.and_then(|()| tally.promises.check(store, &directory, true));
        tally.note(number, checked);
    }
    Ok(tally.into_outcome("kills"))
}

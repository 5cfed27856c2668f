//! Power cuts: the file system goes away under the child, and what had not reached the device is gone.

use crate::{
    life::Life,
    machine::Machine,
    report::{Outcome, Tally},
    store::Store,
};

const DEVICE_BYTES: u64 = 1 << 30;

/// Cuts the power so often.
pub(crate) fn run(store: Store, lives: u64, seed: u64) -> anyhow::Result<Outcome> {
    let suite = store.named("power_log", "power_sled");
    let mut machine = match Machine::new(DEVICE_BYTES) {
        Ok(machine) => machine,
        Err(why) => return Ok(Outcome::skipped(suite, format!("{why:#}"))),
    };
    let mut tally = Tally::new(suite, lives, seed);
    for number in 0..lives {
        let directory = tally.directory(machine.mount(), number)?;
        let life = Life { store, directory: &directory, number, seed };
        let end = life.live(&mut tally.promises, false, |_| machine.cut());
        machine.restart()?;
        let checked = end.and_then(|()| tally.promises.check(store, &directory, false));
        tally.note(number, checked);
    }
    Ok(tally.into_outcome("cuts"))
}

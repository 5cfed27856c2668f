//! Power cuts of `broker-log` at the level of its files: after every call that it makes to them, with what was not synced lost,
//! torn and reordered.

use broker_log::faults::power_cuts;

use super::{SUITE, TOLD_MAX};
use crate::{
    report::{Outcome, TRACE},
    work::mix,
};

/// Carries out the histories of these numbers.
pub(crate) fn run(histories: std::ops::Range<u64>, seed: u64) -> Outcome {
    let (mut points, mut images, mut trace, mut bad) = (0, 0, 0_u64, Vec::new());
    let count = histories.end - histories.start;
    for number in histories {
        match power_cuts((seed << 20) + number) {
            Ok(cuts) => {
                (points, images) = (points + cuts.points, images + cuts.images);
                trace = trace.wrapping_add(mix(number ^ mix(cuts.points ^ mix(cuts.images))));
            }
            Err(error) if bad.len() < TOLD_MAX => bad.push(error),
            Err(_) => {}
        }
    }
    let figures = vec![
        ("histories", count),
        ("points", points),
        ("images", images),
        ("files", images),
        ("seed", seed),
        (TRACE, trace),
    ];
    Outcome::new(SUITE, figures, bad)
}

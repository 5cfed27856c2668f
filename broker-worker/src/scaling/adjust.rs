//! By how much a step or a simple policy changes the number of workers.

/// A change of the number of workers (rule S22).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Adjustment {
    /// So many more, or fewer.
    Change(i32),
    /// So many percent more, or fewer, of the workers that there should be now. What is not whole is rounded towards zero,
    /// but what is not zero changes one worker at least.
    Percent(i32),
    /// The same, and at least so many workers, in the direction of the percentage.
    PercentAtLeast {
        /// So many percent more, or fewer.
        percent: i32,
        /// The least change, in workers.
        workers: u32,
    },
    /// Exactly so many workers.
    Exact(u32),
}

impl Adjustment {
    /// By how many workers `current` changes.
    pub fn change(self, current: u32) -> i64 {
        match self {
            Self::Change(change) => i64::from(change),
            Self::Percent(percent) => percent_of(percent, current),
            Self::PercentAtLeast { percent, workers } => {
                let change = percent_of(percent, current);
                change.signum() * change.abs().max(i64::from(workers))
            }
            Self::Exact(workers) => i64::from(workers) - i64::from(current),
        }
    }
}

/// A share of `current`: away from zero up to one worker, beyond that towards zero.
fn percent_of(percent: i32, current: u32) -> i64 {
    let hundredths = i64::from(percent) * i64::from(current);
    match hundredths {
        1..=99 => 1,
        -99..=-1 => -1,
        _ => hundredths / 100,
    }
}

/// What a policy asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ask {
    /// So many workers.
    Count(u32),
    /// So many more, or fewer.
    Change(i64),
    /// So many workers, by what so many had to do.
    Measured {
        /// How many are wanted.
        count: u32,
        /// Over how many the metric was measured.
        over: u32,
    },
}

impl Ask {
    /// The count asked for, if `added` of the `desired` workers came by an ask that this one includes.
    pub(crate) fn count(self, desired: u32, added: u32) -> u32 {
        match self {
            Self::Count(count) => count,
            Self::Change(change) => {
                let count = i64::from(desired) - i64::from(added) + change;
                u32::try_from(count.max(0)).unwrap_or(u32::MAX)
            }
            Self::Measured { count, over } => {
                let more = i64::from(count) - i64::from(over);
                count.min(Self::Change(more).count(desired, added))
            }
        }
    }
}

//! The least and the most workers.

use crate::Error;

/// How many workers there may be. Policies never go beyond.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    min: u32,
    max: u32,
}

impl Bounds {
    /// At least `min`, at most `max`. The least may be zero; the most may be so too, and then nothing runs.
    ///
    /// # Errors
    ///
    /// If `min` is above `max`.
    pub fn new(min: u32, max: u32) -> Result<Self, Error> {
        if min > max {
            return Err(Error::setting("min", min, format!("must not be above max, which is {max}")));
        }
        Ok(Self { min, max })
    }

    /// The least.
    pub fn min(self) -> u32 {
        self.min
    }

    /// The most.
    pub fn max(self) -> u32 {
        self.max
    }

    /// The nearest allowed count.
    pub fn clamp(self, count: u32) -> u32 {
        count.clamp(self.min, self.max)
    }

    /// With another least or most. A least above the most moves the other one along, as the one that is given counts.
    pub(crate) fn with(self, min: Option<u32>, max: Option<u32>) -> Self {
        match (min, max) {
            (Some(min), None) => Self { min, max: self.max.max(min) },
            (None, Some(max)) => Self { min: self.min.min(max), max },
            (Some(min), Some(max)) => Self { min: min.min(max), max },
            (None, None) => self,
        }
    }
}

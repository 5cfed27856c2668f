//! How large and how intricate a policy may be (rules N62, N63; invariant T7).

/// The limits of a policy, as data: SNS has these by default, others are set with
/// [`FilterPolicy::parse_with`](super::FilterPolicy::parse_with).
///
/// Two limits are always there, so that matching is bounded: a key with its parents has up to 4,096 bytes; and of keys
/// whose paths begin with the same name, up to 8 have to match at once, where one that may also be absent counts twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FilterLimits {
    /// The most keys at the top level. 5.
    pub keys_max: usize,
    /// The most combinations of values, as SNS counts them: the product of the lengths of all arrays, each times its
    /// depth; alternatives of `$or` are added. 150.
    pub combinations_max: u64,
    /// The longest text, in bytes. 256 KiB.
    pub bytes_max: usize,
    /// How deep objects and `$or` may be nested. 16; SNS has no such limit of its own.
    pub depth_max: usize,
    /// The most arrays of values. 256; SNS has no such limit of its own.
    pub arrays_max: usize,
}

impl FilterLimits {
    /// Those of SNS, and two of ours that only a hostile policy reaches.
    pub const fn aws() -> Self {
        Self { keys_max: 5, combinations_max: 150, bytes_max: 256 * 1024, depth_max: 16, arrays_max: 256 }
    }

    /// What the engine takes at most, whatever limits are given: memory and time are bounded by it.
    pub const fn most() -> Self {
        Self {
            keys_max: usize::MAX,
            combinations_max: 1_000,
            bytes_max: 256 * 1024,
            depth_max: 16,
            arrays_max: 256,
        }
    }

    /// These limits, and nowhere more than [`most`](Self::most).
    pub(super) fn clamped(&self) -> Self {
        let most = Self::most();
        Self {
            keys_max: self.keys_max.min(most.keys_max),
            combinations_max: self.combinations_max.min(most.combinations_max),
            bytes_max: self.bytes_max.min(most.bytes_max),
            depth_max: self.depth_max.min(most.depth_max),
            arrays_max: self.arrays_max.min(most.arrays_max),
        }
    }
}

impl Default for FilterLimits {
    fn default() -> Self {
        Self::aws()
    }
}

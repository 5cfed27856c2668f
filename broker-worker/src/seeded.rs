//! Bugs that are put in on purpose, with the feature `seeded-bugs`: the module of that name in `broker-core` lists them.

#[cfg(feature = "seeded-bugs")]
pub(crate) use broker_core::storage::faults::seeded;

/// Whether the bug of this name is put in.
#[cfg(not(feature = "seeded-bugs"))]
pub(crate) const fn seeded(_bug: &str) -> bool {
    false
}

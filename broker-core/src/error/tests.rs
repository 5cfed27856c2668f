//! What errors say.

use super::*;

#[test]
fn a_huge_value_is_cut_in_the_error() {
    let error = Error::invalid("name", "ü".repeat(1_000_000), "too long");
    assert!(error.to_string().len() < 300);
}

#[test]
fn every_error_says_how_certain_it_is() {
    let damage = StorageError::corrupt("file db", "checksum");
    assert_eq!(Error::from(damage).certainty(), Certainty::Corrupt);
    let full = Arc::new(StorageError::Engine("disk full".into()));
    assert_eq!(Error::Indeterminate(full.clone()).certainty(), Certainty::Indeterminate);
    assert_eq!(Error::Poisoned(full).certainty(), Certainty::Rejected);
}

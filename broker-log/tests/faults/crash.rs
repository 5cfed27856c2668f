//! Power cuts after every call of a history, and again while the store recovers and goes on.

use broker_log::faults::power_cuts;

use crate::seeds;

#[test]
fn a_power_cut_at_any_call_leaves_a_prefix_with_all_that_was_synced() {
    let (mut images, mut begun, mut removed) = (0, 0, 0);
    for seed in seeds(18) {
        let cuts = power_cuts(seed).unwrap_or_else(|lost| panic!("{lost}"));
        (images, begun, removed) = (images + cuts.images, begun + cuts.segments.0, removed + cuts.segments.1);
    }
    println!("{images} images; {begun} segments were begun and {removed} removed");
    assert!(images == 0 || begun > 20 && removed > 10, "too little happened");
}

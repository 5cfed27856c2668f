//! Bits that flip and files that are cut short: the right data, or an error that names the file, and nothing is deleted.

use std::sync::Arc;

use broker_core::storage::{Durability, Storage, StorageError};
use broker_log::{
    LogOptions, LogStorage,
    faults::{Content, Disk, History, Image},
    verify_on,
};

const COMMITS: usize = 24;
/// A few segments with few frames each, or one with all of them.
const FEW_FRAMES: u64 = 1_500;
const MANY_FRAMES: u64 = 6_000;

/// A store of which everything is synced, in a few segments, as it is while it is open or after it was closed.
fn small_store(closed: bool, segment_bytes: u64) -> (Image, History) {
    let (disk, mut history) = (Disk::default(), History::new(5));
    let options = LogOptions { segment_bytes, prewrite_bytes: 400, reserve_bytes: 0, cached_blocks: 2 };
    let store = LogStorage::open_on(Arc::new(disk.clone()), &options).expect("an empty disk");
    for _ in 0..COMMITS {
        store.commit(&history.batch(), Durability::Synced).expect("a lawful batch");
    }
    let open = disk.now();
    drop(store);
    let mut image = if closed { disk.now() } else { open };
    // What is in it does not matter.
    image.remove("spare");
    (image, history)
}

/// Opens and reads a damaged store. How many commits it has, or nothing if it says that it is damaged.
fn commits_or_error(image: &Image, history: &History, what: &str) -> Option<usize> {
    let disk = Disk::with(image);
    let opened = LogStorage::open_on(Arc::new(disk.clone()), &LogOptions::default());
    let failed = opened.is_err();
    match opened.and_then(|store| Content::of(&store)) {
        Ok(content) => {
            let found = content.commits();
            assert!(content == history.after[found], "{what}: not the content after {found} commits");
            Some(found)
        }
        Err(StorageError::Corrupt { place, .. } | StorageError::NewerFormat { place, .. }) => {
            assert!(place.contains(".log"), "{what}: the error names no file: {place}");
            assert!(!failed || disk.calls() == 0, "{what}: something was written or removed");
            None
        }
        Err(other) => panic!("{what}: an error that does not fit: {other}"),
    }
}

/// Damages each file in each of the ways; `least` commits must be there where there is no error.
fn damage(
    (closed, segment_bytes): (bool, u64),
    least: usize,
    ways: impl Fn(&[u8]) -> Vec<(usize, Vec<u8>)>,
) -> (usize, usize) {
    let (image, history) = small_store(closed, segment_bytes);
    assert!(image.len() > 2 || segment_bytes != FEW_FRAMES, "a few segments");
    assert_eq!(commits_or_error(&image, &history, "undamaged"), Some(COMMITS));
    let report = verify_on(&Disk::with(&image)).expect("it can be read");
    assert!(report.problems.is_empty() && report.rows > 10, "undamaged: {report:?}");
    let (mut tried, mut errors) = (0, 0);
    for (name, good) in &image {
        for (place, bad) in ways(good) {
            let mut image = image.clone();
            image.insert(name.clone(), bad);
            let what = format!("{name} at {place}, closed: {closed}");
            let found = commits_or_error(&image, &history, &what);
            let report = verify_on(&Disk::with(&image));
            if found.is_none() {
                let blind = report.as_ref().is_ok_and(|report| report.problems.is_empty());
                assert!(!blind, "{what}: verifying finds nothing where opening or reading does");
            }
            assert!(found.is_none_or(|found| found >= least), "{what}: only {found:?} commits");
            (tried, errors) = (tried + 1, errors + usize::from(found.is_none()));
        }
    }
    (tried, errors)
}

fn flips(good: &[u8]) -> Vec<(usize, Vec<u8>)> {
    let flip = |bit: usize| {
        let mut bad = good.to_vec();
        bad[bit / 8] ^= 1 << (bit % 8);
        (bit, bad)
    };
    (0..good.len() * 8).map(flip).collect()
}

#[test]
fn every_bit_that_flips_in_a_closed_store_gives_an_error_or_all_of_it() {
    for segment_bytes in [FEW_FRAMES, MANY_FRAMES] {
        let (tried, errors) = damage((true, segment_bytes), COMMITS, flips);
        println!("{tried} flips, {errors} errors");
        assert!(errors > tried / 4, "{errors} of {tried}: the test does not hit what matters");
    }
}

#[test]
fn every_bit_that_flips_in_a_store_that_crashed_costs_at_most_its_last_commit() {
    // The last frame cannot be told from one that was being written.
    for segment_bytes in [FEW_FRAMES, MANY_FRAMES] {
        let (tried, errors) = damage((false, segment_bytes), COMMITS - 1, flips);
        println!("{tried} flips, {errors} errors");
        assert!(errors > tried / 4, "{errors} of {tried}: the test does not hit what matters");
    }
}

#[test]
fn every_truncation_gives_an_error_or_the_first_commits() {
    for closed in [false, true] {
        let (tried, errors) = damage((closed, FEW_FRAMES), 0, |good| {
            (0..good.len()).map(|len| (len, good[..len].to_vec())).collect()
        });
        println!("{tried} truncations, {errors} errors");
        assert!(errors > tried / 4, "{errors} of {tried}: the test does not hit what matters");
    }
}

#[test]
fn a_segment_that_is_missing_is_named() {
    let (image, history) = small_store(true, FEW_FRAMES);
    let newest = image.keys().next_back().expect("segments");
    for name in image.keys().filter(|name| *name != newest) {
        let mut image = image.clone();
        image.remove(name);
        assert_eq!(commits_or_error(&image, &history, name), None, "{name} is missing");
    }
}

#[test]
fn a_newer_format_is_refused_and_left_alone() {
    let (mut image, _) = small_store(true, FEW_FRAMES);
    for bytes in image.values_mut() {
        bytes[8..12].copy_from_slice(&2_u32.to_le_bytes());
        let crc = crc32fast::hash(&bytes[..12]);
        bytes[12..16].copy_from_slice(&crc.to_le_bytes());
    }
    let disk = Disk::with(&image);
    match LogStorage::open_on(Arc::new(disk.clone()), &LogOptions::default()) {
        Err(StorageError::NewerFormat { found: 2, supported: 1, .. }) => assert_eq!(disk.calls(), 0),
        Err(other) => panic!("another error: {other}"),
        Ok(_) => panic!("it opens"),
    }
}

#[test]
fn a_store_without_a_commit_whose_checkpoint_is_damaged_can_be_verified() {
    // What is found behind the damage has the number of no frame of writes, and no frame comes before it.
    let disk = Disk::default();
    drop(LogStorage::open_on(Arc::new(disk.clone()), &LogOptions::default()).expect("an empty disk"));
    let mut image = disk.now();
    let bytes = image.values_mut().next().expect("a segment");
    bytes[100] ^= 1;
    let report = verify_on(&Disk::with(&image)).expect("it can be read");
    assert_eq!(report.problems.len(), 1, "{report:?}");
}

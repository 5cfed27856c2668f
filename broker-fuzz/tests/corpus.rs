//! Everything in `corpus` put to its target again: what the fuzzer once had to find is tried by every run of the tests.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{fs, path::Path};

use broker_fuzz::TARGETS;

fn within(directory: &str) -> Vec<std::path::PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join(directory);
    let mut found: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.sort();
    found
}

#[test]
fn what_the_fuzzer_has_found_does_no_harm() {
    for (name, target) in TARGETS {
        let files = within(&format!("corpus/{name}"));
        let inputs = files.iter().filter(|file| target(&fs::read(file).unwrap())).count();
        // The targets' inputs may change so that old files stand for nothing: then they are to be found again.
        assert!(inputs >= 10, "{name}: only {inputs} of {} files stand for anything", files.len());
    }
}

#[test]
fn every_target_is_here_or_in_the_tests_of_broker_aws() {
    let files = within("../fuzz/fuzz_targets").into_iter();
    let names = files.map(|file| file.file_stem().unwrap().to_str().unwrap().to_owned());
    let names: Vec<_> = names.filter(|name| name != "aws_request").collect();
    assert_eq!(names, TARGETS.map(|(name, _)| name));
}

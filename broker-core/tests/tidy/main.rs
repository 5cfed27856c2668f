//! What a reviewer should not have to look for: module docs, lengths, banned calls, layers, the table of rules.
//!
//! Reads the whole workspace from the directory above this crate. An exception is a line here, with its reason.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod bugs;
mod rules;
mod source;

use source::{Source, functions, has_word, sources, texts, without_tests};

/// No file is longer than this.
const FILE_LINES_MAX: usize = 300;
/// No function is longer than this.
const FUNCTION_LINES_MAX: usize = 70;

/// Files that are longer, each with the reason why. There are none.
const LONGER_FILES: &[(&str, &str)] = &[];

/// Fails with all complaints at once.
#[track_caller]
fn assert_none(complaints: &[String]) {
    assert!(complaints.is_empty(), "{} complaints:\n{}", complaints.len(), complaints.join("\n"));
}

/// One complaint for each source and each thing found in it.
fn complain(of: impl Fn(&Source) -> Vec<String>) -> Vec<String> {
    let sources = sources();
    assert!(sources.len() > 50, "only {} files found: is this the workspace?", sources.len());
    let told = |source: &Source| {
        let found = of(source).into_iter();
        found.map(|what| format!("{}: {what}", source.path)).collect::<Vec<_>>()
    };
    sources.iter().flat_map(told).collect()
}

#[test]
fn every_file_opens_with_what_it_is_for() {
    let undocumented = |source: &Source| !source.text.starts_with("//! ");
    assert_none(&complain(|source| {
        undocumented(source).then(|| "does not open with a `//!` line".to_owned()).into_iter().collect()
    }));
}

#[test]
fn files_are_short() {
    assert_none(&complain(|source| {
        let lines = source.text.lines().count();
        let excepted = LONGER_FILES.iter().any(|(path, _)| *path == source.path);
        match (lines > FILE_LINES_MAX, excepted) {
            (true, false) => vec![format!("{lines} lines, at most {FILE_LINES_MAX}")],
            (false, true) => vec!["is short enough: take it off the list of longer files".into()],
            _ => Vec::new(),
        }
    }));
}

#[test]
fn functions_are_short() {
    assert_none(&complain(|source| {
        let long = functions(&source.code).into_iter().filter(|found| found.lines > FUNCTION_LINES_MAX);
        long.map(|f| format!("fn {} has {} lines, at most {FUNCTION_LINES_MAX}", f.name, f.lines)).collect()
    }));
}

#[test]
fn nothing_is_left_undone() {
    let macros = ["todo!", "unimplemented!", "dbg!"];
    // Spelled apart, or this file would find itself.
    let notes = [["TO", "DO"].concat(), ["FIX", "ME"].concat(), ["X", "XX"].concat()];
    assert_none(&complain(|source| {
        let in_code = macros.iter().filter(|banned| source.code.contains(**banned)).map(ToString::to_string);
        let in_text = notes.iter().filter(|banned| has_word(&source.text, banned)).cloned();
        in_code.chain(in_text).map(|banned| format!("{banned} is not for what is committed")).collect()
    }));
}

#[test]
fn no_test_is_switched_off() {
    let ignored = |source: &Source| source.code.contains("#[ignore");
    assert_none(&complain(|source| {
        ignored(source).then(|| "a test that is ignored proves nothing".to_owned()).into_iter().collect()
    }));
}

#[test]
fn what_ships_does_not_unwrap() {
    assert_none(&complain(|source| {
        let unwraps = !source.is_test() && without_tests(&source.code).contains(".unwrap()");
        let told = "unwraps: `expect` says why it cannot fail";
        unwraps.then(|| told.to_owned()).into_iter().collect()
    }));
}

#[test]
fn who_sleeps_says_why() {
    assert_none(&complain(|source| {
        let reason = source.text.contains("disallowed_methods") && source.text.contains("reason =");
        let unexplained = source.code.contains("thread::sleep") && !reason;
        unexplained
            .then(|| "thread::sleep without an `allow` and its reason".to_owned())
            .into_iter()
            .collect()
    }));
}

#[test]
fn only_the_pipeline_commits() {
    let may = ["broker-core/src/pipeline", "broker-core/src/storage/"];
    assert_none(&complain(|source| {
        let core = source.path.starts_with("broker-core/src/");
        let commits = core && !may.iter().any(|part| source.path.starts_with(part));
        let commits = commits && without_tests(&source.code).contains(".commit(");
        commits.then(|| "commits: only the pipeline does".to_owned()).into_iter().collect()
    }));
}

#[test]
fn the_core_takes_its_locks_from_one_module() {
    let banned =
        ["parking_lot", "atomic::", "tokio::task", "tokio::spawn", "thread::spawn", "tokio::sync::Mutex"];
    let may = ["broker-core/src/sync/", "broker-core/src/storage/", "broker-core/src/seeded.rs"];
    assert_none(&complain(|source| {
        let in_core = source.path.starts_with("broker-core/src/");
        let code = without_tests(&source.code);
        let bound = in_core && !may.iter().any(|part| source.path.starts_with(part));
        let found = banned.iter().filter(|word| bound && code.contains(**word));
        found
            .map(|word| format!("`{word}`: Shuttle would not see it; `crate::sync` has one for it"))
            .collect()
    }));
}

#[test]
fn only_one_module_spells_keys() {
    let meta = [".put_meta(b\"", ".delete_meta(b\"", ".meta(b\"", "put_meta(&["];
    assert_none(&complain(|source| {
        let core = source.path.starts_with("broker-core/src/") && !source.path.contains("/storage/");
        let spelled = meta.iter().filter(|call| core && source.text.contains(**call));
        spelled.map(|call| format!("spells a key in `{call}…`: keys.rs does that")).collect()
    }));
}

#[test]
fn the_state_is_pure() {
    let banned = [
        "async",
        "await",
        "Mutex",
        "RwLock",
        "SystemTime",
        "Instant",
        "tokio",
        "parking_lot",
        "fs",
        "Storage",
        "StorageError",
    ];
    assert_none(&complain(|source| {
        if !source.path.starts_with("broker-core/src/queue/state") {
            return Vec::new();
        }
        let found = banned.iter().filter(|word| has_word(&source.code, word));
        found.map(|word| format!("`{word}` does not belong into the pure state")).collect()
    }));
}

#[test]
fn nothing_names_a_machine() {
    // Spelled apart, or this file would find itself.
    let paths = [
        ["/ro", "ot/"],
        ["/ho", "me/"],
        ["/wo", "rk/"],
        ["/tmp", "/wt-"],
        ["../sha", "red"],
        ["replace", "-with"],
    ];
    let paths = paths.map(|parts| parts.concat());
    let mut complaints = Vec::new();
    for (path, text) in texts() {
        let found = paths.iter().filter(|banned| text.contains(banned.as_str()));
        complaints.extend(found.map(|banned| format!("{path}: names a machine: {banned}")));
        if path.ends_with("Cargo.lock") {
            let registry = "registry+https://github.com/rust-lang/crates.io-index";
            let sources = text.lines().filter(|line| line.starts_with("source = "));
            let foreign = sources.filter(|line| !line.contains(registry));
            complaints.extend(foreign.map(|line| format!("{path}: another source of packages: {line}")));
        }
    }
    assert_none(&complaints);
}

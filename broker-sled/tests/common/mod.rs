//! What several test programs need: files of a store, and children that run one test of the same program.

#![allow(dead_code, reason = "each test program uses a part of this")]

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Where a child finds the directory to work in. A test that is only a child's program does nothing without it.
const HOME: &str = "BROKER_SLED_TEST_HOME";

/// Every file below a directory.
pub(crate) fn files_below(path: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(path).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files.extend(files_below(&path));
        } else {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// The arguments that make this program run one of its tests, and that alone.
pub(crate) fn only(test: &str) -> [&str; 4] {
    ["--exact", test, "--nocapture", "--test-threads=1"]
}

/// This program again, to run one of its tests with `home` to work in.
pub(crate) fn child(test: &str, home: &Path) -> Command {
    let mut command = Command::new(env::current_exe().expect("this program has a path"));
    command.args(only(test)).env(HOME, home);
    command
}

/// The directory to work in, if this is a child.
pub(crate) fn childs_home() -> Option<PathBuf> {
    env::var_os(HOME).map(PathBuf::from)
}

/// Tells the child's directory to a command that runs it indirectly.
pub(crate) fn tell_home<'a>(command: &'a mut Command, home: &Path) -> &'a mut Command {
    command.env(HOME, home)
}

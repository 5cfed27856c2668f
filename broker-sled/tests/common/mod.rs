//! What several test programs need: files of a store, and children that run one test of the same program.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

/// Every file below a directory.
pub fn files_below(path: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(path).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() { files.extend(files_below(&path)) } else { files.push(path) }
    }
    files.sort();
    files
}

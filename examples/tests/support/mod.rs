//! What the tests of this package share: where the example programs are, and how to run one.

use std::{
    path::PathBuf,
    process::{Command, Output},
};

/// A built example. `cargo test -p broker-examples` builds them all beside the tests.
pub(crate) fn example(name: &str) -> Command {
    let test = std::env::current_exe().expect("the system knows this program's file");
    let profile = test.parent().and_then(|deps| deps.parent()).expect("tests are built in PROFILE/deps");
    let path: PathBuf = profile.join("examples").join(name).with_extension(std::env::consts::EXE_EXTENSION);
    assert!(path.is_file(), "{} is missing: build it with `cargo build --examples`", path.display());
    Command::new(path)
}

/// What a program wrote, for assertions.
pub(crate) fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

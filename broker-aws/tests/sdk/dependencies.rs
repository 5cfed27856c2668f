//! What the adapter brings along: no HTTP stack, no TLS, no C code.

use std::process::Command;

/// Crates that must not come in.
const BANNED: [&str; 12] = [
    "hyper",
    "hyper-util",
    "h2",
    "reqwest",
    "rustls",
    "native-tls",
    "openssl",
    "openssl-sys",
    "ring",
    "aws-lc-rs",
    "aws-lc-sys",
    "cc",
];

/// The names of all crates that the feature `sdk` needs, those that build them included.
fn crates() -> Vec<String> {
    let tree = Command::new(env!("CARGO"))
        .args(["tree", "--package", "broker-aws", "--no-default-features", "--features", "sdk"])
        .args(["--edges", "normal,build", "--prefix", "none", "--format", "{p}", "--offline", "--locked"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let tree = String::from_utf8(tree.stdout).expect("text");
    let mut names: Vec<String> =
        tree.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect();
    names.sort_unstable();
    names.dedup();
    names
}

#[test]
fn the_adapter_adds_no_http_stack_no_tls_and_no_c_code() {
    let crates = crates();
    assert!(crates.iter().any(|name| name == "aws-smithy-runtime-api"), "{crates:?}");
    let banned: Vec<_> = crates.iter().filter(|name| BANNED.contains(&name.as_str())).collect();
    assert!(banned.is_empty(), "{banned:?}");
}

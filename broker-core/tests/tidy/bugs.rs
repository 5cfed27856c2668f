//! The bugs that can be put in: each one on the list has its place in the code, and each place its bug on the list.

use crate::{
    assert_none,
    source::{Source, sources},
};

const LIST: &str = "broker-core/src/seeded.rs";

/// The names on the list.
fn listed(list: &str) -> Vec<&str> {
    list.lines().filter_map(|line| line.trim().strip_prefix("(\"")?.split('"').next()).collect()
}

/// What is asked for: `seeded("name")`.
fn asked(text: &str) -> impl Iterator<Item = &str> {
    text.split("seeded(\"").skip(1).filter_map(|rest| rest.split('"').next())
}

#[test]
fn every_seeded_bug_has_its_place() {
    let sources = sources();
    let (lists, others): (Vec<_>, Vec<_>) = sources.iter().partition(|source| source.path == LIST);
    let listed = listed(&lists[0].text);
    assert!(listed.len() >= 24, "only {} bugs found: is this the list?", listed.len());
    let code =
        |source: &&&Source| source.path.contains("/src/") && !source.path.starts_with("broker-torture/");
    let mut complaints = Vec::new();
    for name in &listed {
        let quoted = format!("\"{name}\"");
        if !others.iter().filter(code).any(|source| source.text.contains(&quoted)) {
            complaints.push(format!("{name} is on the list of seeded bugs and nowhere else"));
        }
    }
    for source in others.iter().filter(code) {
        let unknown = asked(&source.text).filter(|name| !listed.contains(name));
        complaints.extend(unknown.map(|name| format!("{}: {name} is no seeded bug", source.path)));
    }
    assert_none(&complaints);
}

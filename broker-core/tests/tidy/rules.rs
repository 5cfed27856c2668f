//! Every rule of queues, of topics, of streams, of the consumer runtime and of transactions has a row in
//! `docs/CONFORMANCE.md`, which names tests that exist, or says
//! why there are none.

use std::{collections::HashSet, fs, ops::RangeInclusive};

use crate::{
    assert_none,
    source::{Source, functions, is_rust, root, sources},
};

/// The letters of the rules and their numbers, which have gaps.
const RULES: [(char, &[RangeInclusive<u32>]); 7] = [
    ('Q', &[1..=11, 20..=27, 30..=36, 40..=46, 50..=61, 70..=78, 80..=90, 100..=105]),
    ('F', &[1..=3, 10..=15, 20..=26, 30..=44, 50..=54]),
    ('N', &[1..=6, 10..=18, 20..=25, 30..=33, 40..=44, 50..=56, 60..=73, 80..=84]),
    ('K', &[1..=2, 10..=12, 20..=25, 30..=34, 40..=46, 50..=57, 60..=61, 70..=71, 90..=90]),
    ('L', &[1..=3, 10..=21, 30..=36, 40..=45, 50..=52, 55..=56, 60..=62, 70..=75, 80..=90, 100..=105]),
    ('S', &[1..=5, 10..=15, 20..=24, 30..=36, 40..=44, 50..=56, 60..=67]),
    // Our own, of transactions.
    ('T', &[1..=19]),
];

/// A row without a test explains itself in at least so many characters.
const REASON_CHARS_MIN: usize = 12;

/// The names of all rules.
fn rules() -> impl Iterator<Item = String> {
    let numbered = |(letter, ranges): (char, &'static [RangeInclusive<u32>])| {
        ranges.iter().cloned().flatten().map(move |number| format!("{letter}{number}"))
    };
    RULES.into_iter().flat_map(numbered)
}

/// The rows of rules in the tables: the rule's name, and the cells behind it.
fn rows(tables: &str) -> Vec<(String, String)> {
    let row = |line: &str| {
        let (rule, cells) = line.strip_prefix('|')?.split_once('|')?;
        let rule = rule.trim().trim_matches('*');
        let number = RULES.iter().find_map(|(letter, _)| rule.strip_prefix(*letter))?;
        number.parse::<u32>().ok()?;
        Some((rule.to_owned(), cells.to_owned()))
    };
    tables.lines().filter_map(row).collect()
}

/// What looks like the name of a test: `file.rs::test`.
fn named_tests(cells: &str) -> Vec<(&str, &str)> {
    let words = cells.split(|c: char| !(c.is_alphanumeric() || "_:/.-".contains(c)));
    words.filter_map(|word| word.rsplit_once("::")).filter(|(file, _)| is_rust(file)).collect()
}

#[test]
fn every_rule_has_a_row_that_names_its_tests() {
    let table = fs::read_to_string(root().join("docs/CONFORMANCE.md")).expect("docs/CONFORMANCE.md is there");
    let rows = rows(&table);
    let mut complaints = Vec::new();
    for rule in rules() {
        if rows.iter().filter(|(name, _)| *name == rule).count() != 1 {
            complaints.push(format!("{rule} has no row of its own"));
        }
    }
    let of = |source: &Source| {
        let file = source.path.rsplit('/').next().unwrap_or_default().to_owned();
        functions(&source.code).into_iter().map(move |found| (file.clone(), found.name))
    };
    let tests: HashSet<(String, String)> =
        sources().iter().filter(|source| source.is_test()).flat_map(of).collect();
    let exists = |(path, name): &(&str, &str)| {
        let file = path.rsplit('/').next().unwrap_or_default();
        tests.contains(&(file.to_owned(), (*name).to_owned()))
    };
    for (rule, cells) in &rows {
        let named = named_tests(cells);
        let missing = named.iter().filter(|test| !exists(test));
        complaints.extend(
            missing.map(|(file, name)| format!("{rule} names {file}::{name}, and there is no such test")),
        );
        let last = cells.trim_end_matches(['|', ' ']).rsplit('|').next().unwrap_or_default();
        if named.is_empty() && last.trim().chars().count() < REASON_CHARS_MIN {
            complaints.push(format!("{rule} names no test and gives no reason"));
        }
    }
    assert_none(&complaints);
}

#[test]
fn rows_and_tests_are_found_in_a_table() {
    let table = "| rule | what |\n|---|---|\n| Q7 | it does | `send.rs::a_b`, rules/x.rs::c_d |\n| **F8** | | not yet |";
    let rows = rows(table);
    assert_eq!(rows[0].0, "Q7");
    assert_eq!(named_tests(&rows[0].1), [("send.rs", "a_b"), ("rules/x.rs", "c_d")]);
    assert_eq!(rows[1].0, "F8");
}

#[test]
fn rules_of_both_kinds_are_looked_for() {
    let rules: HashSet<String> = rules().collect();
    for (rule, exists) in [
        ("Q1", true),
        ("Q105", true),
        ("F1", true),
        ("F39", true),
        ("F54", true),
        ("F4", false),
        ("N60", true),
        ("K57", true),
        ("K58", false),
        ("T19", true),
        ("T20", false),
    ] {
        assert_eq!(rules.contains(rule), exists, "{rule}");
    }
}

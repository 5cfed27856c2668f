//! Do the tests see? Each bug of `broker_core::seeded` is put in, one after the other, and a suite that has nothing to do with
//! it by name must fail. With none put in, all of these suites must pass.
//!
//! The suites are test programs of the workspace, built once with all bugs in them, and suites of this program. The bug is
//! chosen by the environment. What a bug breaks may hang: a suite that does not end in its time has failed too.

mod programs;
mod table;

use std::{collections::BTreeSet, time::Duration};

use anyhow::ensure;
use broker_core::storage::faults::{BUGS, VARIABLE};

use self::{
    programs::{Programs, Ran},
    table::{Check, SEEN_BY},
};
use crate::report::Outcome;

/// A suite without a bug is done in a part of this, on a busy machine too.
const PATIENCE: Duration = Duration::from_secs(600);

/// Runs the suite that is to see a bug, for each bug, or for these.
pub(crate) fn run(only: &[String]) -> anyhow::Result<Outcome> {
    let wanted = |bug: &str| only.is_empty() || only.iter().any(|name| name == bug);
    for (bug, _) in BUGS {
        let rows = SEEN_BY.iter().filter(|(name, _)| name == bug).count();
        ensure!(rows == 1, "{bug} has {rows} rows in the table");
    }
    let rows: Vec<_> = SEEN_BY.iter().filter(|(bug, _)| wanted(bug)).collect();
    ensure!(!rows.is_empty(), "there is no bug of that name");
    let checks: BTreeSet<Check> = rows.iter().map(|(_, check)| *check).collect();
    let programs = Programs::build()?;
    let mut bad = Vec::new();
    for check in &checks {
        let Ran { seconds, failed } = programs.run(*check, (VARIABLE, ""), PATIENCE)?;
        println!(
            "bugs: none in {check}: {} ({seconds} s)",
            if failed.is_none() { "passes" } else { "FAILS" }
        );
        bad.extend(failed.map(|why| format!("{check} fails without any bug: {why}")));
    }
    let mut found = 0;
    for (bug, check) in &rows {
        let Ran { seconds, failed } = programs.run(*check, (VARIABLE, bug), PATIENCE)?;
        match failed {
            Some(why) => {
                println!("bugs: {bug}: found by {check} ({seconds} s): {why}");
                found += 1;
            }
            None => {
                println!("bugs: {bug}: MISSED by {check} ({seconds} s)");
                bad.push(format!("{bug} is not seen by {check}"));
            }
        }
    }
    let (seeded, suites) = (rows.len() as u64, checks.len() as u64);
    let figures = vec![("seeded", seeded), ("found", found), ("missed", seeded - found), ("suites", suites)];
    Ok(Outcome::new("bugs", figures, bad))
}

//! Kills the broker and cuts its power, again and again, and counts what was lost of all that it had acknowledged.
//!
//! A child process works on a store and says on its standard output what it is about to do and what it was promised. The
//! parent ends it in the middle, by SIGKILL or by taking the file system away under it, opens the store again, and
//! compares. Other suites need no child: crashes are simulated, futures dropped, and tasks run in whatever order they can.
//! Each suite ends with one line of figures; the process fails if any of them says `bad` above zero.

#[cfg(feature = "seeded-bugs")]
mod bugs;
mod calls;
mod cancel;
mod child;
mod crash_sim;
mod errors;
mod full;
mod histories;
mod kills;
mod life;
mod machine;
mod models;
mod places;
mod plan;
mod power;
mod promises;
mod report;
mod runner;
#[cfg(test)]
mod same_seed;
mod schedules;
mod soak;
mod store;
mod work;

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, ValueEnum};
use report::Outcome;
use store::Store;

/// Kills the broker and cuts its power, and counts what was lost of all that it had acknowledged.
#[derive(Parser)]
struct Arguments {
    /// Ten times as much.
    #[arg(long)]
    full: bool,
    /// Only these suites; all of them if none is named.
    #[arg(long, value_enum)]
    suite: Vec<Suite>,
    /// Decides sizes and moments; printed, so that a run can be had again as far as the machine allows.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How often each store is killed, and how often its power is cut, instead of the usual number.
    #[arg(long)]
    lives: Option<u64>,
    /// How many suites run side by side, instead of one for each processor.
    #[arg(long)]
    jobs: Option<usize>,
    /// Only these seeded bugs, for the suite of that name.
    #[arg(long)]
    bug: Vec<String>,
    /// For the use of the suite `bugs`: so many schedules, and nothing else.
    #[arg(long, hide = true)]
    schedules: Option<u64>,
    /// How many real minutes the suite `soak` takes, instead of seven simulated days.
    #[arg(long)]
    minutes: Option<u64>,
    /// Where plots are written.
    #[arg(long, default_value = ".")]
    plots: PathBuf,
    /// For the parent's use: the child that works on the store in this directory until it is ended.
    #[arg(long, hide = true, requires = "store")]
    child: Option<PathBuf>,
    #[arg(long, hide = true, value_enum)]
    store: Option<Store>,
    #[arg(long, hide = true, default_value_t = 0)]
    life: u64,
    #[arg(long, hide = true, default_value_t = u64::MAX)]
    lines: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Suite {
    /// Crashes between the batches of every short history.
    CrashSim,
    /// SIGKILL under load.
    Kills,
    /// SIGKILL at each of the first calls that change files; needs strace.
    Calls,
    /// Futures that are dropped, at every await of every operation.
    Cancel,
    /// Calls to files that fail, counted as those of `calls` are; needs strace.
    Errors,
    /// A file system that fills up, and gets room again; needs what `power` needs.
    Full,
    /// Orders in which the tasks of a queue can run, in memory.
    Schedules,
    /// Equal results of the same operations on memory and on a durable store.
    Models,
    /// Seven simulated days of churn, or some real minutes; only when named, or in a full run.
    Soak,
    /// The suites must see each of some fifty bugs that are put in; only when named, and only if built with the feature
    /// `seeded-bugs`.
    Bugs,
    /// Power cuts on a file system of its own; needs root, a loop device, ext4 and Python or `xfs_io`.
    Power,
}

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::parse();
    if let (Some(directory), Some(store)) = (&arguments.child, arguments.store) {
        child::work(store, directory, arguments.life, arguments.seed, arguments.lines)?;
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(outcome) = alone(&arguments)? {
        println!("\n{outcome}");
        return Ok(if outcome.is_bad() { ExitCode::FAILURE } else { ExitCode::SUCCESS });
    }
    let (jobs, last) = plan::of(&arguments);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let at_a_time = arguments.jobs.unwrap_or(cores);
    println!("torture: seed {}, {at_a_time} at a time: {}", arguments.seed, plan::told(&jobs, &last));
    let mut outcomes = runner::run(jobs, at_a_time);
    outcomes.extend(runner::run(last, 1));
    println!();
    for outcome in &outcomes {
        println!("{outcome}");
    }
    let bad = outcomes.iter().any(Outcome::is_bad);
    Ok(if bad { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// What runs alone: the suite that runs the others, and what it runs.
fn alone(arguments: &Arguments) -> anyhow::Result<Option<Outcome>> {
    if arguments.suite.contains(&Suite::Bugs) {
        return bugs(&arguments.bug).map(Some);
    }
    arguments.schedules.map(|schedules| schedules::run(0..schedules, arguments.seed)).transpose()
}

#[cfg(feature = "seeded-bugs")]
fn bugs(only: &[String]) -> anyhow::Result<Outcome> {
    bugs::run(only)
}

#[cfg(not(feature = "seeded-bugs"))]
fn bugs(_only: &[String]) -> anyhow::Result<Outcome> {
    anyhow::bail!("this program was built without the feature `seeded-bugs`")
}

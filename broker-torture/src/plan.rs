//! What a run consists of: how much of each suite, and in which parts.

use crate::{
    Arguments, Suite, calls, cancel,
    crash_sim::{self, Ground},
    errors, full, kills, models, power,
    runner::Job,
    schedules, soak,
    store::Store,
};

/// How often each store is killed, and how often its power is cut, in a run that is not full.
const LIVES: u64 = 50;
/// The same, in a full run.
const LIVES_FULL: u64 = 1_000;
/// How many schedules are tried.
const SCHEDULES: u64 = 200_000;
/// How many runs of operations there are on each store; if a number of lives was named, so many for each of those.
const MODEL_RUNS: u64 = 10_000;
const MODEL_RUNS_PER_LIFE: u64 = 200;
/// How many histories of calls to files there are.
const FILE_HISTORIES: u64 = 120;
/// One in so many short histories has its crashes on the simulated files of `broker-log`, and on sled.
const ON_LOG: usize = 20;
const ON_SLED: usize = 500;
/// How many histories of three operations a full run drops the last one of, besides all of two.
const LONGER_DROPPED: u64 = 45_000;
/// Into how many parts a long suite is cut, so that all processors have something to do until the end.
const PARTS: usize = 4;
/// What a full run does for each of a usual one.
const FULL: u64 = 10;

/// What runs side by side, the longest first, and what runs by itself at the end, since it looks at the process.
pub(crate) fn of(arguments: &Arguments) -> (Vec<Job>, Vec<Job>) {
    let &Arguments { full, seed, .. } = arguments;
    let times = if full { FULL } else { 1 };
    let lives = arguments.lives.unwrap_or(if full { LIVES_FULL } else { LIVES });
    let model_runs = arguments.lives.map_or(MODEL_RUNS * times, |lives| lives * MODEL_RUNS_PER_LIFE);
    let wanted = |suite| arguments.suite.is_empty() || arguments.suite.contains(&suite);
    let (mut jobs, mut alone) = (Vec::new(), Vec::new());
    if wanted(Suite::CrashSim) {
        crashes(&mut jobs, times, seed);
    }
    if wanted(Suite::Cancel) {
        let longer = if full { LONGER_DROPPED } else { 0 };
        for first in 0..PARTS {
            let part = cancel::Part { first, every: PARTS, longer, seed };
            jobs.push(Job::new("cancel", move || part.run()));
        }
    }
    for store in [Store::Log, Store::Sled] {
        if wanted(Suite::Power) {
            jobs.push(Job::new(store.named("power_log", "power_sled"), move || {
                power::run(store, lives, seed)
            }));
        }
        if wanted(Suite::Kills) {
            jobs.push(Job::new(store.named("kills_log", "kills_sled"), move || {
                kills::run(store, lives, seed)
            }));
        }
        if wanted(Suite::Calls) {
            jobs.push(Job::new(store.named("calls_log", "calls_sled"), move || {
                calls::run(store, lives, seed)
            }));
        }
        if wanted(Suite::Errors) {
            jobs.push(Job::new(store.named("errors_log", "errors_sled"), move || {
                errors::run(store, lives, seed)
            }));
        }
        if wanted(Suite::Full) {
            jobs.push(Job::new(store.named("full_log", "full_sled"), move || full::run(store, times)));
        }
        if wanted(Suite::Models) {
            let (suite, runs) = (store.named("models_log", "models_sled"), model_runs / PARTS as u64);
            for part in 0..PARTS as u64 {
                jobs.push(Job::new(suite, move || models::run(store, part * runs..(part + 1) * runs, seed)));
            }
        }
        if arguments.suite.contains(&Suite::Soak) || full && wanted(Suite::Soak) {
            let (plots, minutes) = (arguments.plots.clone(), arguments.minutes);
            alone.push(Job::new(store.named("soak_log", "soak_sled"), move || {
                soak::run(store, seed, minutes, &plots)
            }));
        }
    }
    if wanted(Suite::Schedules) {
        let schedules = SCHEDULES * times / PARTS as u64;
        for part in 0..PARTS as u64 {
            let numbers = part * schedules..(part + 1) * schedules;
            jobs.push(Job::new("schedules", move || schedules::run(numbers, seed)));
        }
    }
    (jobs, alone)
}

/// All short histories in memory, some of them elsewhere, and calls to files; again for other seeds in a full run.
fn crashes(jobs: &mut Vec<Job>, times: u64, seed: u64) {
    for round in 0..times {
        let seed = seed + round * 1_000_000;
        let grounds = [(Ground::Memory, 1), (Ground::Log, ON_LOG), (Ground::Sled, ON_SLED)];
        for (part, (ground, every)) in (0..PARTS).flat_map(|part| grounds.map(|of| (part, of))) {
            let part = crash_sim::Part { ground, every: every * PARTS, first: part * every, seed };
            jobs.push(Job::new(crash_sim::SUITE, move || part.run()));
        }
        for part in 0..PARTS as u64 {
            let histories = FILE_HISTORIES / PARTS as u64;
            let numbers = part * histories..(part + 1) * histories;
            jobs.push(Job::new(crash_sim::SUITE, move || Ok(crash_sim::files::run(numbers, seed))));
        }
    }
}

/// The names of all suites, each once, with the number of parts.
pub(crate) fn told(jobs: &[Job], alone: &[Job]) -> String {
    let mut names: Vec<(&str, usize)> = Vec::new();
    for job in jobs.iter().chain(alone) {
        match names.iter_mut().find(|(name, _)| *name == job.suite) {
            Some((_, parts)) => *parts += 1,
            None => names.push((job.suite, 1)),
        }
    }
    let told =
        names.iter().map(
            |(name, parts)| {
                if *parts == 1 { (*name).to_owned() } else { format!("{name} in {parts} parts") }
            },
        );
    told.collect::<Vec<_>>().join(", ")
}

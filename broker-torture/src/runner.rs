//! Runs suites side by side, tells how far they are, and adds up the parts of one.

use std::{
    collections::VecDeque,
    fs,
    sync::{Mutex, PoisonError},
    thread,
};

use crate::report::Outcome;

/// A suite, or a part of one: parts end with one line together.
pub(crate) struct Job {
    /// The suite, as its line begins.
    pub(crate) suite: &'static str,
    pub(crate) run: Box<dyn FnOnce() -> anyhow::Result<Outcome> + Send>,
}

impl Job {
    pub(crate) fn new(
        suite: &'static str,
        run: impl FnOnce() -> anyhow::Result<Outcome> + Send + 'static,
    ) -> Self {
        Self { suite, run: Box::new(run) }
    }
}

/// Runs all of them, so many at a time, begun in their order. One outcome for each suite, in the order of their first parts.
pub(crate) fn run(jobs: Vec<Job>, at_a_time: usize) -> Vec<Outcome> {
    let count = jobs.len();
    let left = Mutex::new(jobs.into_iter().enumerate().collect::<VecDeque<_>>());
    let done: Mutex<Vec<(usize, Outcome)>> = Mutex::default();
    thread::scope(|scope| {
        for _ in 0..at_a_time.clamp(1, count.max(1)) {
            scope.spawn(|| {
                // A suite that panics takes the process with it, so no lock is found poisoned.
                let next = || left.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                while let Some((number, job)) = next() {
                    println!("{}: part {} of {count} begins", job.suite, number + 1);
                    let before = processor_ms();
                    let outcome = (job.run)().unwrap_or_else(|error| {
                        Outcome::new(job.suite, Vec::new(), vec![format!("it could not go on: {error:#}")])
                    });
                    let spent = processor_ms().saturating_sub(before);
                    println!("{outcome} ({spent} ms of its own processor time)");
                    done.lock().unwrap_or_else(PoisonError::into_inner).push((number, outcome));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(number, _)| *number);
    let mut outcomes: Vec<Outcome> = Vec::new();
    for (_, outcome) in done {
        match outcomes.iter_mut().find(|other| other.is_of(&outcome)) {
            Some(other) => other.add(outcome),
            None => outcomes.push(outcome),
        }
    }
    outcomes
}

/// What this thread has used of the processors, where the system says so; what its children did is not in it.
fn processor_ms() -> u64 {
    let told = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    told.split(' ').next().and_then(|nanos| nanos.parse::<u64>().ok()).unwrap_or(0) / 1_000_000
}

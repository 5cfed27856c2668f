//! How the schedules of a scene are explored.

use std::{future::Future, time::Instant};

use shuttle::{
    Config, MaxSteps, Runner,
    scheduler::{PctScheduler, RandomScheduler, Scheduler},
};

use crate::bounded::Bounded;

/// Enough for the deepest call of the broker in an unoptimised build.
const STACK_BYTES: usize = 512 << 10;
/// No scene is that long: one that is goes in circles.
const STEPS_MAX: usize = 50_000;
/// A scene that has more must be made smaller.
const SCHEDULES_MAX: usize = 20_000_000;
/// How many changes of priority a schedule of PCT has beside those of its tasks: it finds bugs that need as many.
const PCT_DEPTH: usize = 4;

/// Runs the scene with every schedule that has at most so many preemptions, and as many more as `BROKER_PREEMPTIONS` in the
/// environment says.
pub fn all<F>(name: &str, preemptions_max: usize, scene: impl Fn() -> F + Send + Sync + 'static)
where
    F: Future<Output = ()> + 'static,
{
    let preemptions_max = preemptions_max + variable("BROKER_PREEMPTIONS").unwrap_or(0);
    run(name, Bounded::new(preemptions_max, SCHEDULES_MAX), scene);
}

/// Runs the scene with so many schedules as chance has them: half of them uniformly random, half of them with priorities (PCT).
///
/// `BROKER_SCHEDULES` in the environment multiplies them, and `BROKER_SEED` makes them others.
pub fn random<F>(name: &str, schedules: usize, scene: impl Fn() -> F + Send + Sync + Clone + 'static)
where
    F: Future<Output = ()> + 'static,
{
    let half = schedules * variable("BROKER_SCHEDULES").unwrap_or(1) / 2;
    let seed = variable("BROKER_SEED").unwrap_or(1) as u64;
    run(name, RandomScheduler::new_from_seed(seed, half), scene.clone());
    run(name, PctScheduler::new_from_seed(seed, PCT_DEPTH, half), scene);
}

fn variable(name: &str) -> Option<usize> {
    std::env::var(name).ok()?.parse().ok()
}

#[expect(clippy::disallowed_methods, reason = "how long a scene takes is told to people")]
fn run<F>(name: &str, scheduler: impl Scheduler + 'static, scene: impl Fn() -> F + Send + Sync + 'static)
where
    F: Future<Output = ()> + 'static,
{
    let mut config = Config::new();
    config.stack_size = STACK_BYTES;
    config.max_steps = MaxSteps::FailAfter(STEPS_MAX);
    config.silence_warnings = true;
    let begun = Instant::now();
    let schedules = Runner::new(scheduler, config).run(move || shuttle::future::block_on(scene()));
    println!("{name}: schedules={schedules} seconds={:.1}", begun.elapsed().as_secs_f32());
}

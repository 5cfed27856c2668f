//! Soak: seven simulated days of churn, after which memory, threads, files and disk are where they were after two.
//!
//! The clock is moved by hand, so the days take minutes; told a number of real minutes, it takes those instead, and many more days.
//! Queues, groups, deduplication ids, subscriptions and consumer groups come and go; nothing of them may stay behind.

mod churn;

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use broker_core::{Broker, ManualClock};
use broker_plot::Curve;

use crate::{report::Outcome, schedules::Dice, store::Store};
use churn::Churn;

const BEGIN_MS: u64 = 1_700_000_000_000;
const HOURS: u64 = 7 * 24;
/// After so many hours everything that lives for a day has lived, and what comes after may not be more.
const SETTLED_HOURS: usize = 48;
/// What the process has at one time.
const FIGURES: [&str; 4] = ["memory_kib", "threads", "files", "disk_kib"];
/// A figure may be so many percent, and so much, above its largest within the first two days.
const SLACK_PERCENT: u64 = 20;
const SLACK: [u64; 4] = [8 << 10, 2, 4, 2 << 10];
const THREADS: usize = 1;
/// How long a thread for reads and commits waits for work before it ends. By default it is ten seconds, in which each gets some again:
/// then there are always as many as were ever needed at once, which on a busy machine are more and more.
const THREAD_WAITS: Duration = Duration::from_millis(1);

type Sample = [u64; FIGURES.len()];

/// Runs on one store, and leaves a plot in `plots`.
pub(crate) fn run(store: Store, seed: u64, minutes: Option<u64>, plots: &Path) -> anyhow::Result<Outcome> {
    let suite = store.named("soak_log", "soak_sled");
    if !Path::new("/proc/self/status").exists() {
        return Ok(Outcome::skipped(suite, "there is no /proc to look at".into()));
    }
    let home = tempfile::tempdir()?;
    let directory = home.path().join("store");
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().thread_keep_alive(THREAD_WAITS).build()?;
    let (samples, operations) = runtime.block_on(days(store, &directory, seed, minutes))?;
    let plot = plots.join(format!("{suite}.svg"));
    fs::write(&plot, broker_plot::svg("hours", &curves(suite, &samples)))?;
    println!("{suite}: a plot is in {}", plot.display());
    let bad = grown(&samples).into_iter().map(|what| format!("{what}, seed {seed}")).collect();
    Ok(Outcome::new(
        suite,
        vec![("hours", samples.len() as u64), ("operations", operations), ("seed", seed)],
        bad,
    ))
}

/// The figures, each with a sample for every hour.
fn curves(suite: &str, samples: &[Sample]) -> Vec<Curve> {
    let curve = |(figure, name): (usize, &&str)| Curve {
        name: format!("{suite}: {name}"),
        points: (0..).zip(samples.iter().map(|sample| sample[figure])).collect(),
    };
    FIGURES.iter().enumerate().map(curve).collect()
}

/// Returns a sample of each hour, and how many operations there were.
async fn days(
    store: Store,
    directory: &Path,
    seed: u64,
    minutes: Option<u64>,
) -> anyhow::Result<(Vec<Sample>, u64)> {
    let clock = ManualClock::new(BEGIN_MS);
    let broker = Broker::builder_on(store.open(directory)?).clock(clock.clone()).seed(seed).open().await?;
    let (mut churn, mut samples) = (Churn::new(broker, clock.clone(), Dice::new(seed)).await?, Vec::new());
    let begin = tokio::time::Instant::now();
    let is_over = |hour: u64| match minutes {
        None => hour >= HOURS,
        Some(minutes) => hour > HOURS && begin.elapsed() >= Duration::from_secs(60 * minutes),
    };
    for hour in (0..).take_while(|hour| !is_over(*hour)) {
        for minute in 0..60 {
            churn.minute(hour * 60 + minute).await?;
            clock.advance(Duration::from_secs(60));
        }
        samples.push(sample(directory)?);
        if hour % 24 == 23 {
            println!("soak on {store}: day {}, {} operations", hour / 24 + 1, churn.operations);
        }
    }
    let operations = churn.operations;
    churn.close().await?;
    Ok((samples, operations))
}

/// What the process and the directory take now.
fn sample(directory: &Path) -> anyhow::Result<Sample> {
    let status = fs::read_to_string("/proc/self/status")?;
    let number = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
    };
    let files = fs::read_dir("/proc/self/fd")?.count() as u64;
    Ok([number("VmRSS:"), number("Threads:"), files, disk_bytes(directory.to_owned())? >> 10])
}

/// The lengths of all files in a directory and those in it.
fn disk_bytes(directory: PathBuf) -> std::io::Result<u64> {
    let (mut bytes, mut directories) = (0, vec![directory]);
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            match entry.metadata() {
                Ok(found) if found.is_dir() => directories.push(entry.path()),
                Ok(found) => bytes += found.len(),
                // It went meanwhile.
                Err(_) => {}
            }
        }
    }
    Ok(bytes)
}

/// The figures that have no plateau.
fn grown(samples: &[Sample]) -> Vec<String> {
    let (early, late) = samples.split_at(SETTLED_HOURS.min(samples.len()));
    let most = |samples: &[Sample], figure: usize| samples.iter().map(|of| of[figure]).max().unwrap_or(0);
    // How many threads there are at most depends on what else the machine does: one that waits for the disk has another one
    // started. Those that stay behind are there in the quietest hour of a day too.
    let left = |samples: &[Sample]| {
        let days = samples.chunks_exact(24).filter_map(|day| day.iter().map(|of| of[THREADS]).min());
        days.max().unwrap_or(0)
    };
    let grown = FIGURES.iter().zip(SLACK).enumerate().filter_map(|(figure, (name, slack))| {
        let late = if figure == THREADS { left(late) } else { most(late, figure) };
        let early = most(early, figure);
        let allowed = early + early * SLACK_PERCENT / 100 + slack;
        (late > allowed).then(|| format!("{name} grew from {early} in two days to {late}"))
    });
    grown.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_on_growing_is_seen_and_what_levels_off_is_not() {
        let level: Vec<Sample> = (0..HOURS).map(|hour| [hour.min(20) * 4_000, 4, 12, 50_000]).collect();
        assert!(grown(&level).is_empty());
        let leak: Vec<Sample> = (0..HOURS).map(|hour| [80_000, 4, 12 + hour / 6, 50_000]).collect();
        assert_eq!(grown(&leak), ["files grew from 19 in two days to 39"]);
        let busy: Vec<Sample> =
            (0..HOURS).map(|hour| [80_000, 4 + hour % 7 * hour / 20, 12, 50_000]).collect();
        assert!(grown(&busy).is_empty());
        let threads: Vec<Sample> = (0..HOURS).map(|hour| [80_000, 4 + hour / 6, 12, 50_000]).collect();
        assert_eq!(grown(&threads), ["threads grew from 11 in two days to 28"]);
    }
}

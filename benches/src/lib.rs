//! Shared parts of the benches: contests between the broker and its limits, measured in one run.
//!
//! The machine may be shared and noisy. So contestants take turns, round by round, and what is printed at the end is the
//! median of the ratios of the rounds: that holds when the machine's speed drifts. Criterion gives the times.

#![allow(clippy::cast_precision_loss, reason = "ratios need no more than a few digits")]

use std::time::Duration;

use criterion::{BenchmarkGroup, Criterion, Throughput, measurement::WallTime};

/// Runs a number of rounds of some work and says how long they took.
pub type Rounds<'a> = Box<dyn FnMut(u64) -> Duration + 'a>;

/// Several ways to do the same work, the broker's first.
pub struct Contest<'a> {
    name: String,
    /// Messages per round.
    messages: u64,
    turn: Duration,
    contestants: Vec<(String, Rounds<'a>)>,
}

/// Turns that each contestant gets for the ratios.
const TURNS: usize = 15;
/// How long one turn takes, about, unless a contest says otherwise.
const TURN: Duration = Duration::from_millis(60);

impl<'a> Contest<'a> {
    /// A contest whose rounds handle so many messages each.
    pub fn new(name: impl Into<String>, messages: u64) -> Self {
        Self { name: name.into(), messages, turn: TURN, contestants: Vec::new() }
    }

    /// Gives each turn about that long: for work whose rounds vary, such as waiting for a disk.
    pub fn turns_of(mut self, turn: Duration) -> Self {
        self.turn = turn;
        self
    }

    /// Adds a contestant; the first one is compared with the others.
    pub fn enter(&mut self, name: impl Into<String>, rounds: impl FnMut(u64) -> Duration + 'a) -> &mut Self {
        self.contestants.push((name.into(), Box::new(rounds)));
        self
    }

    /// Measures everybody with criterion, then in turns, and prints the ratios.
    pub fn run(&mut self, criterion: &mut Criterion) {
        let mut group = criterion.benchmark_group(&self.name);
        self.measure(&mut group);
        group.finish();
        self.print_ratios();
    }

    fn measure(&mut self, group: &mut BenchmarkGroup<'_, WallTime>) {
        group
            .sample_size(10)
            .warm_up_time(Duration::from_millis(300))
            .measurement_time(Duration::from_secs(1));
        group.throughput(Throughput::Elements(self.messages));
        for (name, rounds) in &mut self.contestants {
            group.bench_function(name.as_str(), |bencher| bencher.iter_custom(&mut *rounds));
        }
    }

    fn print_ratios(&mut self) {
        let turn = self.turn;
        let counts = self.contestants.iter_mut().map(|(_, rounds)| rounds_in_a_turn(rounds, turn));
        let mut counts: Vec<u64> = counts.collect();
        let mut turns: Vec<Vec<f64>> = Vec::new();
        for _ in 0..TURNS {
            let contestants = self.contestants.iter_mut().zip(&mut counts);
            turns.push(contestants.map(|((_, rounds), count)| per_round(rounds, count, turn)).collect());
        }
        let rate = |nanos: f64| self.messages as f64 * 1e9 / nanos;
        let broker = median(turns.iter().map(|turn| turn[0]));
        println!("ratio  {}: {} {:.0} messages/s", self.name, self.contestants[0].0, rate(broker));
        for (at, (name, _)) in self.contestants.iter().enumerate().skip(1) {
            let ratio = median(turns.iter().map(|turn| turn[at] / turn[0]));
            let other = median(turns.iter().map(|turn| turn[at]));
            println!("ratio  {}: {ratio:.2} of {name} ({:.0} messages/s)", self.name, rate(other));
        }
    }
}

/// How many rounds fill a turn.
fn rounds_in_a_turn(rounds: &mut Rounds<'_>, turn: Duration) -> u64 {
    let mut count = 1;
    loop {
        let took = rounds(count);
        if took >= turn / 4 {
            let fill = turn.as_nanos() / took.as_nanos().max(1);
            return (count * u64::try_from(fill).unwrap_or(1)).max(1);
        }
        count *= 4;
    }
}

/// What a round takes, in nanoseconds, in a turn of about `count` rounds. If that is too few, because a pause of the
/// machine passed for work when they were counted, there are more of them from now on.
fn per_round(rounds: &mut Rounds<'_>, count: &mut u64, turn: Duration) -> f64 {
    loop {
        let took = rounds(*count);
        if took >= turn / 3 {
            return took.as_nanos() as f64 / *count as f64;
        }
        *count *= 4;
    }
}

/// The middle one of some numbers.
pub fn median(numbers: impl Iterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = numbers.collect();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

/// Starts this program anew such that the memory of a store that was dropped stays with the process, where the C library is
/// glibc. Otherwise it is given back to the system or not, depending on what happens to lie on top of it, and whoever comes next
/// pays for that: up to half of the time of a bench in memory.
pub fn keep_memory() {
    #[cfg(unix)]
    {
        use std::os::unix::process::CommandExt;
        const THRESHOLD: &str = "MALLOC_TRIM_THRESHOLD_";
        if std::env::var_os(THRESHOLD).is_none()
            && let Ok(program) = std::env::current_exe()
        {
            let mut again = std::process::Command::new(program);
            let error =
                again.args(std::env::args_os().skip(1)).env(THRESHOLD, (1_u64 << 40).to_string()).exec();
            println!("the memory of stores may go back to the system: {error}");
        }
    }
}

/// The memory that this process has resident, in bytes, or zero where the system does not say.
pub fn resident_bytes() -> u64 {
    const PAGE_BYTES: u64 = 4096;
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * PAGE_BYTES
}

/// The processor time that this process has used, in clock ticks of 10 ms, or zero where the system does not say.
pub fn processor_ticks() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The fields behind the program's name in parentheses; user and system time are the 12th and 13th of them.
    let fields = stat.rsplit_once(") ").map_or("", |(_, fields)| fields);
    fields.split(' ').skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum()
}

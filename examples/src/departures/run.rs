//! One run from start to end: opens everything, lets producer and workers work, and reports.

use std::{
    io::{self, Write as _},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use broker_core::{BodyRule, Broker, Limits, LocalQueue};
use broker_worker::Failure;
use parking_lot::Mutex;
use tokio::{sync::watch, task::JoinSet, time::Instant};

use super::{
    consume,
    data_dir::DataDir,
    input::{Input, Survey},
    journal::{Journal, Record},
    options::{Backend, Options},
    produce,
    progress::Progress,
    rejected::{self, DELIVERIES_MAX, DEPARTURES, REJECTED},
    report::{Report, Run},
    row::Columns,
    tally::{Tally, Totals},
};

/// What a run came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The totals are there, and if a check was wanted, it agrees.
    Done,
    /// The check came to other totals.
    Different,
}

/// How long a killed run's messages stay invisible to the next run. Work on a message takes milliseconds; should it
/// ever take longer than this, the row comes twice, which is harmless here.
const VISIBILITY_TIMEOUT: Duration = Duration::from_secs(5);

/// SQS forgets messages after two weeks. An embedded queue need not: a run may be resumed after years.
const RETENTION: Duration = Duration::from_secs(10 * 365 * 86_400);

/// The limits of SQS, but for how long and what: a row that is not even text must be kept, too.
const LIMITS: Limits = Limits { retention_max: RETENTION, body: BodyRule::AnyBytes, ..Limits::aws() };

/// What producer and workers share.
pub(super) struct Shared {
    pub(super) departures: LocalQueue,
    pub(super) rejected: LocalQueue,
    pub(super) columns: Columns,
    pub(super) journal: Journal,
    /// What the journal says. Never held across an await.
    pub(super) tally: Mutex<Tally>,
    pub(super) progress: Progress,
    /// Whether the producer is through.
    pub(super) all_sent: AtomicBool,
    /// Becomes true when every row has its result, or the queue can bring no more.
    pub(super) finished: watch::Sender<bool>,
    /// What ended the work before its time.
    pub(super) trouble: Mutex<Option<anyhow::Error>>,
    pub(super) sent: AtomicU64,
    pub(super) received: AtomicU64,
    pub(super) redelivered: AtomicU64,
}

impl Shared {
    /// Ends the run because of what happened to a worker, and says so to the runtime.
    pub(super) fn give_up(&self, error: anyhow::Error) -> Failure {
        let failure = Failure::new(format_args!("{error:#}"));
        self.trouble.lock().get_or_insert(error);
        self.finished.send_replace(true);
        failure
    }

    /// Adds to the tally what is in the journal now, tells how far it is, and notices the end.
    pub(super) fn journalled(&self, records: &[Record]) -> Result<()> {
        let (done, complete) = {
            let mut tally = self.tally.lock();
            records.iter().try_for_each(|record| tally.apply(record))?;
            (tally.done_count(), tally.is_complete())
        };
        self.progress.show(self.sent.load(Ordering::Relaxed), done);
        if complete {
            self.finished.send_replace(true);
        }
        Ok(())
    }
}

/// Does what the options say.
pub async fn run(options: &Options) -> Result<Verdict> {
    let dir = DataDir::open(&options.data_dir)?;
    let mut out = io::stdout();
    writeln!(out, "data directory: {}", options.data_dir.display())?;
    if options.fresh {
        dir.start_over()?;
    }
    let input = open_input(options, &dir)?;
    let survey = input.survey()?;
    let columns = Columns::find(&survey.header).with_context(|| format!("reading {}", input.name()))?;
    dir.claim(input.name(), &survey.identity, options.backend)?;

    let store = options.backend.open(&dir.store())?;
    // The workers of an earlier run died with it.
    let broker = Broker::builder_on(store).limits(LIMITS).release_in_flight().open().await?;
    let shared = Arc::new(open_shared(options, &dir, &broker, columns.clone(), &survey).await?);
    let before = shared.tally.lock().done_count();
    writeln!(out, "input: {} ({}), {before} rows done before", input.name(), survey.identity)?;
    let begin = Instant::now();
    let producer = produce::send_all(shared.clone(), input.clone(), survey.identity.rows);
    let sending = work(options, &shared, Some(producer)).await?;
    let moved_back = recover(options, &shared, &broker).await?;
    let left_over = consume::drain(&shared).await?;
    let elapsed = begin.elapsed();
    shared.progress.finish();

    let tally = shared.tally.lock().clone();
    let run = Run {
        workers: options.workers,
        elapsed,
        done: tally.done_count() - before,
        sending,
        sent: shared.sent.load(Ordering::Relaxed),
        received: shared.received.load(Ordering::Relaxed),
        redelivered: shared.redelivered.load(Ordering::Relaxed),
        repeats: tally.repeats,
        left_over,
        moved_back,
        dead_letters: rejected::describe(&shared.rejected, &columns).await?,
        departures: shared.departures.counters().await?,
        rejected: shared.rejected.counters().await?,
    };
    broker.close().await?;
    Report { totals: &tally.totals, run: &run }.write(&mut out)?;
    if options.check { check(&mut out, &input, &columns, &tally.totals) } else { Ok(Verdict::Done) }
}

fn open_input(options: &Options, dir: &DataDir) -> Result<Input> {
    Ok(match &options.input {
        None => Input::shipped(options.limit),
        Some(path) if path.as_os_str() == "-" => {
            let kept = dir.keep_stdin(&mut io::stdin().lock())?;
            Input::file(kept, "standard input".into(), options.limit)
        }
        Some(path) => Input::file(path.clone(), path.display().to_string(), options.limit),
    })
}

async fn open_shared(
    options: &Options,
    dir: &DataDir,
    broker: &Broker,
    columns: Columns,
    survey: &Survey,
) -> Result<Shared> {
    let queue = |name: &str| broker.queue(name).visibility_timeout(VISIBILITY_TIMEOUT).retention(RETENTION);
    let rows = survey.identity.rows;
    let mut tally = Tally::new(rows);
    let journal = Journal::open(&dir.journal(), &mut tally)?;
    if options.backend == Backend::Mem {
        // What an earlier run has sent went with it.
        tally.sent_below = 0;
    }
    dir.sync().context("syncing the data directory")?;
    let progress = Progress::new(options.progress, rows, tally.done_count());
    progress.line(0, tally.done_count());
    // First, because the policy of the other names it.
    let rejected = queue(REJECTED).await?;
    Ok(Shared {
        departures: queue(DEPARTURES).dead_letter(REJECTED, DELIVERIES_MAX).await?,
        rejected,
        columns,
        journal,
        finished: watch::Sender::new(tally.is_complete()),
        trouble: Mutex::new(None),
        tally: Mutex::new(tally),
        progress,
        all_sent: AtomicBool::new(false),
        sent: AtomicU64::new(0),
        received: AtomicU64::new(0),
        redelivered: AtomicU64::new(0),
    })
}

/// Runs workers, and a producer if there is one, until every row has its result, the queue can bring no more, or one of
/// them fails. Returns how long the sending took.
async fn work<P>(options: &Options, shared: &Arc<Shared>, producer: Option<P>) -> Result<Duration>
where
    P: Future<Output = Result<()>> + Send + 'static,
{
    let mut tasks = JoinSet::new();
    let begin = Instant::now();
    if let Some(producer) = producer {
        tasks.spawn(async move { producer.await.map(|()| Some(begin.elapsed())) });
    }
    let (running, of_workers) = (consume::start(shared, options.workers.into()).await?, shared.clone());
    tasks.spawn(async move { consume::finish(&of_workers, running).await.map(|()| None) });
    let mut sending = Duration::ZERO;
    while let Some(ended) = tasks.join_next().await {
        // The first failure ends the run, and dropping the set stops the others: as harmless as a kill.
        if let Some(took) = ended.context("a task panicked")?? {
            sending = took;
        }
    }
    Ok(sending)
}

/// When rows are missing although all were sent and the queue is empty, they may be among the dead letters: these are
/// brought back, once. Returns how many there were.
async fn recover(options: &Options, shared: &Arc<Shared>, broker: &Broker) -> Result<u64> {
    if shared.tally.lock().is_complete() {
        return Ok(0);
    }
    let moved = rejected::bring_back(broker).await?;
    if moved > 0 {
        shared.finished.send_replace(false);
        work(options, shared, None::<std::future::Ready<Result<()>>>).await?;
    }
    let tally = shared.tally.lock();
    if !tally.is_complete() {
        let done = tally.done_count();
        bail!("rows were lost: all were sent, {done} have a result, and the queue is empty");
    }
    Ok(moved)
}

/// Adds the input up without any queue and compares.
fn check(out: &mut impl io::Write, input: &Input, columns: &Columns, totals: &Totals) -> Result<Verdict> {
    let mut straight = Totals::default();
    for row in input.open()?.1 {
        match columns.parse(&row?.1) {
            Ok(departure) => straight.add(&departure),
            Err(_) => straight.rejected += 1,
        }
    }
    if straight == *totals {
        writeln!(out, "check: equal to the straight computation over {}", input.name())?;
        return Ok(Verdict::Done);
    }
    writeln!(out, "check: DIFFERENT from the straight computation over {}, which is:", input.name())?;
    super::report::write_totals(out, &straight)?;
    Ok(Verdict::Different)
}

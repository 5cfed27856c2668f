//! The task of a shard: reads, gathers batches, starts them, moves on (rules L31, L80, L90).

use std::{sync::Arc, time::Duration};

use broker_core::{Error, Result, ShardLease, Timestamp};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{
    job::{self, Job, JobDone, JobEnd},
    lanes::{Lanes, Sizes},
    lease::{ShardWork, after, millis},
    mapping::Shared,
    reader::{Found, Reader},
    tumbling::Tumbling,
    wire,
};
use crate::{queue::is_the_end, telemetry::WorkerEvent};

/// After an error of the stream the shard is begun again at its checkpoint, after this time.
const AGAIN: Duration = Duration::from_secs(1);

/// So many records can be behind the checkpoint, which one lane that cannot go on holds back. Then the others wait too: all of them are
/// kept track of, and come again after a restart.
const OPEN_MAX: usize = 100_000;

/// How the task of a shard has ended.
pub(super) enum End {
    /// It was stopped, lost, or is done with a closed shard: whoever has the lease then goes on.
    Left,
    /// The stream cannot be used any more.
    Broken(Error),
}

/// Consumes a shard until its end, or until it is stopped.
pub(super) async fn run(
    mapping: Arc<Shared>,
    lease: Box<dyn ShardLease>,
    stop: CancellationToken,
    lost: CancellationToken,
) -> End {
    let clock = mapping.clock.clone();
    // Of its own, so that what ends the work of this shard does not end the wait after an error.
    let mut shard = Shard::new(mapping, lease, stop.child_token(), lost.clone());
    match shard.run().await {
        Ok(()) | Err(Error::LeaseLost { .. }) => End::Left,
        Err(error) if is_the_end(&error) => End::Broken(error),
        Err(error) => {
            tracing::warn!(shard = %shard.work.lease.shard(), %error, "a shard is begun again at its checkpoint");
            let failed = || WorkerEvent::ReceiveFailed { error: error.to_string() };
            shard.work.mapping.telemetry.tell(failed);
            // What runs is waited for: it must not run beside whoever begins again.
            shard.drain().await;
            tokio::select! {
                () = clock.sleep_until(after(clock.now(), AGAIN)) => {}
                () = stop.cancelled() => {}
            }
            End::Left
        }
    }
}

struct Shard {
    work: Arc<ShardWork>,
    reader: Reader,
    lanes: Lanes,
    tumbling: Option<Tumbling>,
    jobs: JoinSet<JobDone>,
    /// What was started in place of records: the last invocation of a window.
    closing: bool,
}

impl Shard {
    fn new(
        mapping: Arc<Shared>,
        lease: Box<dyn ShardLease>,
        stop: CancellationToken,
        lost: CancellationToken,
    ) -> Self {
        let settings = &mapping.settings;
        let sizes = Sizes {
            batch_size: settings.batch_size,
            window_ms: millis(settings.window),
            lanes: settings.parallelization_factor,
        };
        let tumbling =
            (!settings.tumbling_window.is_zero()).then(|| Tumbling::new(millis(settings.tumbling_window)));
        let lanes = Lanes::new(sizes, mapping.clock.now().as_millis());
        let (stream, clock, telemetry) =
            (mapping.stream.clone(), mapping.clock.clone(), mapping.telemetry.clone());
        let reader = Reader::new(stream, clock, telemetry, lease.shard(), lease.next());
        let work = Arc::new(ShardWork::new(mapping, lease, stop, lost));
        Self { work, reader, lanes, tumbling, jobs: JoinSet::new(), closing: false }
    }

    fn now(&self) -> u64 {
        self.work.mapping.clock.now().as_millis()
    }

    async fn run(&mut self) -> Result<()> {
        let (stop, clock) = (self.work.stop.clone(), self.work.mapping.clock.clone());
        loop {
            if stop.is_cancelled() {
                self.drain().await;
                return Ok(());
            }
            self.start_batches().await?;
            if self.reader.ended && self.lanes.is_empty() && self.jobs.is_empty() {
                return self.end().await;
            }
            let wanted = self.wanted().await;
            let (reader, jobs) = (&mut self.reader, &mut self.jobs);
            let alarm = match self
                .lanes
                .next_end()
                .into_iter()
                .chain(Self::window_end(self.tumbling.as_ref(), &self.lanes))
                .min()
            {
                Some(at) => clock.sleep_until(Timestamp::from_millis(at)),
                None => Box::pin(std::future::pending()),
            };
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                Some(done) = jobs.join_next() => self.finished(done).await?,
                found = reader.wait(wanted), if wanted > 0 => self.take(found?).await?,
                () = alarm => {}
            }
        }
    }

    /// How many records to read now.
    async fn wanted(&self) -> usize {
        let open = self.work.progress.lock().await.len();
        if self.reader.ended || open >= OPEN_MAX { 0 } else { self.lanes.wanted() }
    }

    /// When the tumbling window ends, if nothing is being worked on.
    fn window_end(tumbling: Option<&Tumbling>, lanes: &Lanes) -> Option<u64> {
        tumbling.filter(|_| lanes.is_idle()).and_then(Tumbling::ends_at)
    }

    /// Takes records that were read: those that nobody wants are done.
    async fn take(&mut self, found: Found) -> Result<()> {
        let mapping = self.work.mapping.clone();
        let (shard, stream, source) = (self.work.lease.shard(), mapping.stream.name(), &mapping.source);
        mapping.extra.missed(found.missed);
        let mut unwanted = Vec::new();
        {
            let mut progress = self.work.progress.lock().await;
            for record in found.records {
                progress.read(record.number);
                if mapping.settings.filters.wants(&record, shard, stream, source) {
                    let bytes = wire::bytes_of(&record, shard, stream, source);
                    self.lanes.push(record, bytes);
                } else {
                    unwanted.push(record);
                }
            }
        }
        if self.reader.ended {
            self.lanes.flush();
        }
        if unwanted.is_empty() {
            return Ok(());
        }
        mapping.telemetry.filtered(unwanted.len());
        self.work.done(&unwanted).await
    }

    /// Starts what can be started.
    async fn start_batches(&mut self) -> Result<()> {
        loop {
            if self.close_window().await? {
                return Ok(());
            }
            let now = self.now();
            // What belongs to a window that is over waits for nothing.
            let over = self.tumbling.as_ref().and_then(Tumbling::ends_at).is_some_and(|end| end <= now);
            let time = if over { u64::MAX } else { now };
            let Some((lane, records)) = self.lanes.take(time, self.tumbling.as_ref()) else { return Ok(()) };
            let window = self.tumbling.as_mut().and_then(|tumbling| tumbling.window(&records));
            self.start(Job { lane, records: records.into(), window });
        }
    }

    fn start(&mut self, job: Job) {
        self.jobs.spawn(job::run(self.work.clone(), job));
    }

    /// Starts the last invocation of the tumbling window, if that is over. Returns whether it has.
    async fn close_window(&mut self) -> Result<bool> {
        if self.tumbling.is_none() || !self.lanes.is_idle() {
            return Ok(false);
        }
        let over = |shard: &Self| {
            let (next, now) = (shard.lanes.first(), shard.now());
            shard.tumbling.as_ref().is_some_and(|tumbling| tumbling.over(next, now, shard.reader.ended))
        };
        if over(self) && self.lanes.first().is_none() && !self.reader.ended {
            // The time is over, but what came in time may not have been read.
            let found = self.reader.now(self.lanes.wanted()).await?;
            self.take(found).await?;
        }
        if !over(self) {
            return Ok(false);
        }
        let Some((window, last)) = self.tumbling.as_ref().and_then(Tumbling::last_invocation) else {
            return Ok(false);
        };
        self.closing = true;
        self.lanes.hold();
        self.start(Job { lane: 0, records: Arc::new([last]), window: Some(window) });
        Ok(true)
    }

    /// A batch has ended.
    async fn finished(&mut self, done: Result<JobDone, tokio::task::JoinError>) -> Result<()> {
        // A job catches the panics of handlers; one of its own is begun again at the checkpoint.
        let done = done.map_err(|error| Error::InvalidState {
            name: self.work.mapping.stream.name().to_owned(),
            reason: error.to_string(),
        })?;
        let now = self.now();
        match done.end {
            JobEnd::Broken(error) => return Err(error),
            JobEnd::Stopped => {
                self.work.stop.cancel();
                return Ok(());
            }
            JobEnd::Finished => {}
        }
        self.lanes.done(done.lane, now);
        let Some(tumbling) = &mut self.tumbling else { return Ok(()) };
        if std::mem::take(&mut self.closing) {
            tumbling.close();
            let mut progress = self.work.progress.lock().await;
            return self.work.checkpoint(&mut progress).await;
        }
        if let Some((state, bytes)) = done.state {
            tumbling.set_state(state, bytes);
        }
        Ok(())
    }

    /// Waits for what is being worked on.
    async fn drain(&mut self) {
        self.work.stop.cancel();
        while self.jobs.join_next().await.is_some() {}
    }

    /// The shard was closed and is consumed.
    async fn end(&mut self) -> Result<()> {
        {
            let mut progress = self.work.progress.lock().await;
            self.work.checkpoint(&mut progress).await?;
        }
        self.work.lease.end().await.map(drop)
    }
}

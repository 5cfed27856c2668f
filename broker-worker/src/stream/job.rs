//! One batch, until nothing of it is left: invocations, waits, and what is given up (rules L82 to L89).

use std::{ops::Range, sync::Arc};

use broker_core::{Error, Record, Result, Timestamp};
use serde_json::Value;
use tracing::Instrument as _;
use uuid::Uuid;

use super::{
    answer::{Reading, Verdict},
    batch::{RecordBatch, Window},
    counts::{LastResult, add},
    event::KinesisEvent,
    lease::{ShardWork, after},
    mapping::Shared,
    report::{BatchCondition, BatchContext, BatchInfo, BatchRecord, BatchReport, BatchResponse},
    work::{After, Retries, Work},
};
use crate::{
    handler::{Context, Failure, call},
    invoke::Report,
    seeded::seeded,
};

/// A batch of a lane.
pub(super) struct Job {
    pub(super) lane: usize,
    /// At least one; for the last invocation of a window the one that stands for it.
    pub(super) records: Arc<[Record]>,
    pub(super) window: Option<Window>,
}

/// How a batch has ended.
pub(super) struct JobDone {
    pub(super) lane: usize,
    /// The window's state, and its size as JSON, if there is a new one.
    pub(super) state: Option<(Value, usize)>,
    pub(super) end: JobEnd,
}

pub(super) enum JobEnd {
    /// Nothing of it is left.
    Finished,
    /// Something is left, and comes again to whoever has the lease then.
    Stopped,
    /// The stream does not take what was done.
    Broken(Error),
}

/// What an invocation said of a part that failed.
struct Said {
    request_id: Uuid,
    /// The function has failed, and not only named records that failed.
    function_error: bool,
}

/// Works on a batch.
pub(super) async fn run(shard: Arc<ShardWork>, job: Job) -> JobDone {
    let settings = &shard.mapping.settings;
    let retries =
        Retries { max: settings.maximum_retry_attempts, bisect: settings.bisect_batch_on_function_error };
    let work = Work::new(job.records.len(), retries);
    let (lane, window) = (job.lane, job.window.clone());
    let mut running = Running { shard: shard.clone(), job, work, window, state: None, said: None };
    let end = running.run().await.unwrap_or_else(JobEnd::Broken);
    JobDone { lane, state: running.state, end }
}

struct Running {
    shard: Arc<ShardWork>,
    job: Job,
    work: Work,
    /// With the state of now.
    window: Option<Window>,
    state: Option<(Value, usize)>,
    /// What the last invocation of the part said.
    said: Option<Said>,
}

impl Running {
    async fn run(&mut self) -> Result<JobEnd> {
        let shard = self.shard.clone();
        while let Some(part) = self.work.next().cloned() {
            let clock = &*shard.mapping.clock;
            let now = clock.now().as_millis();
            let age_max = shard.mapping.age_max().await?;
            let too_old_at = |record: &Record| record.arrived_at.as_millis().saturating_add(age_max);
            let records = &self.job.records[part.range.clone()];
            let too_old = records.iter().take_while(|record| too_old_at(record) <= now).count();
            if too_old > 0 {
                let (range, invocations) = self.work.too_old(too_old);
                // What was never tried is said to have been tried once, as Lambda does (rule L85).
                let count = invocations.max(1);
                self.give_up(range, BatchCondition::RecordAgeExceeded, count).await?;
                continue;
            }
            if part.not_before > now {
                let until =
                    records.first().map_or(part.not_before, |first| too_old_at(first).min(part.not_before));
                tokio::select! {
                    biased;
                    () = shard.stop.cancelled() => return Ok(JobEnd::Stopped),
                    () = clock.sleep_until(Timestamp::from_millis(until)) => continue,
                }
            }
            let permit = match shard.mapping.gate.try_enter() {
                Ok(permit) => permit,
                Err(throttled) => {
                    add(&shard.mapping.counters.throttled, 1);
                    self.work.throttled(now, throttled.retry_after);
                    continue;
                }
            };
            if seeded("worker-checkpoint-ahead") {
                shard.done(&self.job.records[part.range.clone()]).await?;
            }
            let verdict = self.invoke(part.range.clone(), part.invocations).await;
            drop(permit);
            if shard.lost.is_cancelled() {
                return Ok(JobEnd::Broken(Error::LeaseLost { shard: shard.lease.shard() }));
            }
            self.settle(part.range, verdict).await?;
        }
        Ok(JobEnd::Finished)
    }

    /// One invocation.
    async fn invoke(&mut self, range: Range<usize>, before: u32) -> Verdict {
        let shard = self.shard.clone();
        let Shared { handler, settings, clock, stream, .. } = &*shard.mapping;
        let request_id = Uuid::new_v4();
        let attempt = before.saturating_add(1);
        let context = Context::new(shard.lost.child_token())
            .with_deadline(Some(after(clock.now(), settings.timeout)))
            .with_attempt(request_id, attempt);
        let batch = self.batch(range);
        let records = batch.records().len();
        let span = tracing::info_span!(
            "process",
            stream = stream.name(), shard = %shard.lease.shard(), records, %request_id, attempt
        );
        let answer = call(&**handler, batch.clone(), context, Some(settings.timeout), &**clock);
        let answer = answer.instrument(span).await;
        let reading = Reading {
            report: settings.report_batch_item_failures,
            tumbling: !settings.tumbling_window.is_zero(),
        };
        let function_error = answer.is_err();
        let verdict = match answer {
            Ok(answer) => reading.read(answer, batch.records()),
            Err(failure) => Verdict::Failed(failure),
        };
        self.said = Some(Said { request_id, function_error });
        self.count(&verdict);
        verdict
    }

    fn count(&self, verdict: &Verdict) {
        let counters = &self.shard.mapping.counters;
        add(&counters.invocations, 1);
        if let Verdict::Done(_) = verdict {
            counters.set_last(LastResult::Ok);
            return;
        }
        add(&counters.failed_invocations, 1);
        counters.set_last(LastResult::Failed);
        if let Verdict::Failed(Failure { message, .. }) = verdict {
            tracing::warn!(shard = %self.shard.lease.shard(), error = message, "a batch failed");
        }
    }

    /// The batch as the handler gets it.
    fn batch(&self, range: Range<usize>) -> RecordBatch {
        let is_final = self.window.as_ref().is_some_and(|window| window.is_final);
        let range = if is_final { 0..0 } else { range };
        let (stream, shard) = (self.shard.mapping.stream_name.clone(), self.shard.lease.shard());
        RecordBatch::new(stream, shard, self.job.records.clone(), range, self.window.clone())
    }

    /// What follows from an invocation of a part.
    async fn settle(&mut self, part: Range<usize>, verdict: Verdict) -> Result<()> {
        let now = self.shard.mapping.clock.now().as_millis();
        let done = match verdict {
            Verdict::Done(state) => {
                self.set_state(state);
                self.work.succeeded()
            }
            Verdict::FailedAt(at, state) if at > 0 => {
                self.set_state(state);
                self.work.progressed(part.start.saturating_add(at), now)
            }
            Verdict::FailedAt(..) | Verdict::Failed(_) => {
                if let After::Exhausted(range, invocations) = self.work.failed(now) {
                    self.give_up(range, BatchCondition::RetryAttemptsExhausted, invocations).await?;
                }
                return Ok(());
            }
        };
        add(&self.shard.mapping.counters.done, self.batch(done.clone()).records().len());
        self.shard.done(&self.job.records[done]).await
    }

    /// What has been done so far has left the tumbling window with this state.
    fn set_state(&mut self, state: Option<Value>) {
        if let (Some(state), Some(window)) = (state, &mut self.window) {
            let bytes = serde_json::to_vec(&state).map_or(usize::MAX, |json| json.len());
            window.state = state.clone();
            self.state = Some((state, bytes));
        }
    }

    /// Gives records up: the destination is told, and then the checkpoint moves past them (rule L83).
    async fn give_up(
        &mut self,
        range: Range<usize>,
        condition: BatchCondition,
        invocations: u32,
    ) -> Result<()> {
        let shard = self.shard.clone();
        // The last invocation of a window has no records of its own.
        let records = self.batch(range.clone()).records().len();
        add(&shard.mapping.counters.given_up, records);
        if let Some(destination) = &shard.mapping.settings.on_failure
            && let Some(report) = self.report(range.clone(), condition, invocations)
            && let Err(error) = destination.deliver(&Report::Batch(report)).await
        {
            tracing::warn!(%error, "a destination does not take what was given up");
            add(&shard.mapping.counters.destination_failures, records);
        }
        shard.done(&self.job.records[range]).await
    }

    fn report(&self, range: Range<usize>, condition: BatchCondition, count: u32) -> Option<BatchReport> {
        let Shared { source, function_arn, id, clock, stream, .. } = &*self.shard.mapping;
        let batch = self.batch(range.clone());
        let info = BatchInfo::new(
            &self.job.records[range],
            self.shard.lease.shard(),
            &source.stream_arn(stream.name()),
        )?;
        let said = self.said.as_ref();
        let context = BatchContext {
            request_id: said.map_or_else(Uuid::new_v4, |said| said.request_id).to_string(),
            function_arn: function_arn.clone(),
            condition,
            approximate_invoke_count: count,
        };
        let function_error = said.is_some_and(|said| said.function_error).then_some("Unhandled");
        let response = (condition == BatchCondition::RetryAttemptsExhausted).then(|| BatchResponse {
            status_code: 200,
            executed_version: "$LATEST".into(),
            function_error,
        });
        let info = BatchInfo { batch_size: batch.records().len(), ..info };
        let payload = KinesisEvent::new(&batch, source).to_json();
        Some(BatchReport {
            record: BatchRecord::new(context, response, info, clock.now()),
            payload,
            mapping: *id,
        })
    }
}

//! From an answer to deletes, retries and dead letters (rules L40, L50; the table of partial responses).

use std::collections::HashSet;

use broker_core::{
    ChangeVisibility, DeadLettered, Deleted, Entries, Error, Queue, ReceiptHandle, VisibilityChanged,
};
use futures_util::future::join_all;

use super::{
    batch::Response,
    keeper::CALL_MAX,
    lease::{Entry, LeaseSet},
};
use crate::{
    event::{Report, read_report},
    handler::{Failure, Outcome},
    telemetry::Counts,
};

/// What an answer says of the messages that nothing was decided on. Decides on those that it names; fails if it makes no
/// sense, which fails all of them.
pub(super) fn read(response: Response, set: &LeaseSet, partial: bool) -> Result<Outcome, Failure> {
    let failed = match response {
        Response::Rest(outcome) => return Ok(outcome),
        Response::Failures(ids) => ids,
        Response::Json(_) if !partial => return Ok(Outcome::Ack),
        Response::Json(answer) => match read_report(&answer) {
            Report::Success => return Ok(Outcome::Ack),
            Report::Malformed(what) => return Err(Failure::new(what)),
            Report::Failed(ids) => ids,
        },
    };
    let named: HashSet<&str> = failed.iter().map(String::as_str).collect();
    let entries: Vec<(String, &Entry)> =
        set.entries.iter().map(|entry| (entry.id.to_string(), entry)).collect();
    let known: HashSet<&str> = entries.iter().map(|(id, _)| id.as_str()).collect();
    if let Some(unknown) = named.iter().find(|id| !known.contains(**id)) {
        return Err(Failure::new(format_args!("the answer names {unknown:?}, which is not in the batch")));
    }
    for (_, entry) in entries.iter().filter(|(id, _)| named.contains(id.as_str())) {
        // A decision that was made before holds.
        entry.decided.set(Outcome::Failed(Failure::new("the answer names it as failed")));
    }
    Ok(Outcome::Ack)
}

/// What an answer comes to that is given after a shutdown has released the messages: nothing.
pub(super) fn too_late(set: &LeaseSet) -> Counts {
    let undecided = set.entries.iter().filter(|entry| entry.decided.get().is_none());
    Counts { stale: undecided.count() as u64, ..Counts::default() }
}

/// Carries out what was decided, and `rest` where nothing was; without a rest, those messages become visible at once.
/// Returns what became of the messages, and an error if the queue gave one for a whole call.
pub(super) async fn settle(set: &LeaseSet, rest: Option<&Outcome>) -> (Counts, Option<Error>) {
    let mut counts = Counts::default();
    let mut released = Vec::new();
    let (mut acks, mut retries, mut dead) = (Vec::with_capacity(set.entries.len()), Vec::new(), Vec::new());
    for entry in &set.entries {
        if let Some(outcome) = entry.settled.get() {
            count_settled(outcome, &mut counts);
            continue;
        }
        let Some(outcome) = entry.decided.get().or(rest) else {
            released.push(entry.receipt);
            continue;
        };
        match outcome {
            Outcome::Ack => acks.push(entry.receipt),
            Outcome::Retry { after } => {
                retries.push(ChangeVisibility { receipt: entry.receipt, timeout: *after });
            }
            Outcome::Dead { reason } => dead.push((entry.receipt, reason)),
            // Left to its visibility timeout (rule L40).
            Outcome::Failed(_) => counts.failed += 1,
        }
    }
    let queue = &*set.queue;
    counts.released += make_visible(queue, &released).await as u64;
    let mut problem = delete(queue, &acks, &mut counts).await;
    problem = problem.or(retry(queue, &retries, &mut counts).await);
    for (receipt, reason) in dead {
        match queue.dead_letter(receipt, Outcome::cut(reason)).await {
            Ok(DeadLettered::Moved { .. }) => counts.dead += 1,
            Ok(DeadLettered::Gone | DeadLettered::Stale) | Err(Error::ReceiptHandleExpired { .. }) => {
                counts.stale += 1;
            }
            Err(Error::NoDeadLetterQueue { .. }) => counts.failed += 1,
            Err(error) => {
                counts.unsettled += 1;
                problem = problem.or(Some(error));
            }
        }
    }
    (counts, problem)
}

/// Counts what a transaction has done.
fn count_settled(outcome: &Outcome, counts: &mut Counts) {
    match outcome {
        Outcome::Ack => counts.acked += 1,
        Outcome::Retry { .. } => counts.retried += 1,
        Outcome::Dead { .. } => counts.dead += 1,
        Outcome::Failed(_) => counts.failed += 1,
    }
}

async fn delete(queue: &dyn Queue, acks: &[ReceiptHandle], counts: &mut Counts) -> Option<Error> {
    let call = |part: &[ReceiptHandle]| queue.delete_batch(part.iter().copied().collect());
    let answers = match acks.len() {
        0 => return None,
        1..=CALL_MAX => vec![call(acks).await],
        // All at once, so that a store on disk commits them together. A batch has at most 1,000 of these calls.
        _ => join_all(acks.chunks(CALL_MAX).map(call)).await,
    };
    let mut problem = None;
    for (part, answer) in acks.chunks(CALL_MAX).zip(answers) {
        match answer {
            Ok(outcomes) => outcomes.0.into_iter().for_each(|(_, outcome)| match outcome {
                Ok(Deleted::Gone) => counts.acked += 1,
                Ok(Deleted::Stale) | Err(Error::ReceiptHandleExpired { .. }) => counts.stale += 1,
                Err(_) => counts.unsettled += 1,
            }),
            Err(error) => {
                counts.unsettled += part.len() as u64;
                problem = problem.or(Some(error));
            }
        }
    }
    problem
}

async fn retry(queue: &dyn Queue, retries: &[ChangeVisibility], counts: &mut Counts) -> Option<Error> {
    let mut problem = None;
    for part in retries.chunks(CALL_MAX) {
        match queue.change_visibility_batch(part.iter().copied().collect()).await {
            Ok(outcomes) => outcomes.0.into_iter().for_each(|(_, outcome)| match outcome {
                Ok(VisibilityChanged::Until(_)) => counts.retried += 1,
                Ok(VisibilityChanged::Stale | VisibilityChanged::Gone)
                | Err(Error::ReceiptHandleExpired { .. }) => counts.stale += 1,
                // Longer than the queue allows, above all: it comes when its visibility timeout ends.
                Err(_) => counts.unsettled += 1,
            }),
            Err(error) => {
                counts.unsettled += part.len() as u64;
                problem = problem.or(Some(error));
            }
        }
    }
    problem
}

/// Makes messages visible at once. Returns how many.
pub(super) async fn make_visible(queue: &dyn Queue, receipts: &[ReceiptHandle]) -> usize {
    let mut visible = 0;
    for part in receipts.chunks(CALL_MAX) {
        let now = |receipt: &ReceiptHandle| ChangeVisibility {
            receipt: *receipt,
            timeout: std::time::Duration::ZERO,
        };
        let changes: Entries<_> = part.iter().map(now).collect();
        // What cannot be given back comes when its visibility timeout ends.
        if let Ok(outcomes) = queue.change_visibility_batch(changes).await {
            visible +=
                outcomes.successful().filter(|(_, done)| matches!(done, VisibilityChanged::Until(_))).count();
        }
    }
    visible
}

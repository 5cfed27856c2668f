//! How much of an invocation failed.

use crate::{
    event::{Report, read_report},
    handler::{Event, Failure, Outcome},
    queue::{Batch, Response},
};

/// Answers, once an invocation has ended, how much there was to do and how much of it failed. `None` stands for an
/// invocation that was dropped or panicked.
pub type Judgement<R> = Box<dyn FnOnce(Option<&Result<R, Failure>>) -> (u32, u32) + Send>;

/// Events whose invocations can be told from failed ones. By default one that answers with a failure has failed.
pub trait Judge: Event {
    /// Looks at the event before the handler gets it.
    fn judge(&self) -> Judgement<Self::Response> {
        Box::new(|answer| (1, u32::from(!matches!(answer, Some(Ok(_))))))
    }
}

/// Each message counts. One has failed if its handler says so or answers with a failure, or with what its mapping takes for one; to
/// try again later and to give up are decisions, not failures.
impl Judge for Batch {
    fn judge(&self) -> Judgement<Response> {
        let leases: Vec<_> = self.messages().iter().map(|received| received.lease().clone()).collect();
        let partial = self.partial;
        Box::new(move |answer| {
            let undecided = undecided(answer, partial);
            let failed = leases.iter().filter(|lease| match (lease.decided(), &undecided) {
                ((_, Some(outcome)), _) => matches!(outcome, Outcome::Failed(_)),
                ((_, None), Undecided::Done) => false,
                ((_, None), Undecided::Failed) => true,
                ((id, None), Undecided::Named(ids)) => ids.contains(&id.to_string()),
            });
            let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
            (count(leases.len()), count(failed.count()))
        })
    }
}

/// What an answer says of the messages that nothing was decided on.
enum Undecided {
    Done,
    Failed,
    Named(Vec<String>),
}

fn undecided(answer: Option<&Result<Response, Failure>>, partial: bool) -> Undecided {
    match answer {
        None | Some(Err(_) | Ok(Response::Rest(Outcome::Failed(_)))) => Undecided::Failed,
        Some(Ok(Response::Failures(ids))) => Undecided::Named(ids.clone()),
        Some(Ok(Response::Json(answer))) if partial => match read_report(answer) {
            Report::Success => Undecided::Done,
            Report::Malformed(_) => Undecided::Failed,
            Report::Failed(ids) => Undecided::Named(ids),
        },
        Some(Ok(Response::Rest(_) | Response::Json(_))) => Undecided::Done,
    }
}

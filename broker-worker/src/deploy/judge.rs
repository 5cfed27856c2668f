//! How much of an invocation failed.

use crate::{
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

/// Each message counts. One has failed if its handler says so or answers with a failure; to try again later and to give up
/// are decisions, not failures.
impl Judge for Batch {
    fn judge(&self) -> Judgement<Response> {
        let leases: Vec<_> = self.messages().iter().map(|received| received.lease().clone()).collect();
        Box::new(move |answer| {
            let undecided = |id: String| match answer {
                None | Some(Err(_) | Ok(Response::Rest(Outcome::Failed(_)))) => true,
                Some(Ok(Response::Failures(ids))) => ids.contains(&id),
                Some(Ok(Response::Rest(_) | Response::Json(_))) => false,
            };
            let failed = leases.iter().filter(|lease| match lease.decided() {
                (_, Some(outcome)) => matches!(outcome, Outcome::Failed(_)),
                (id, None) => undecided(id.to_string()),
            });
            let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
            (count(leases.len()), count(failed.count()))
        })
    }
}

//! What an answer means for a batch (rules L50, L87, L90). Pure.

use broker_core::Record;
use serde_json::Value;

use super::batch::StreamResponse;
use crate::{
    event::{Report, read_report},
    handler::Failure,
};

/// What an answer means.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Verdict {
    /// All records are done. The new state, if there is one.
    Done(Option<Value>),
    /// Those before this position are done, and it failed. The new state, if there is one.
    FailedAt(usize, Option<Value>),
    /// All failed, because of what was answered.
    Failed(Failure),
}

/// How answers are read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading {
    /// JSON is read as a list of failures.
    pub(super) report: bool,
    /// There are tumbling windows: an answer must have a state.
    pub(super) tumbling: bool,
}

impl Reading {
    /// Reads the answer for these records.
    pub(super) fn read(self, answer: StreamResponse, records: &[Record]) -> Verdict {
        let failed = self.first_failed(&answer, records);
        let state = match answer {
            StreamResponse::State(state) => Some(state),
            StreamResponse::Json(mut answer) if self.tumbling => answer.get_mut("state").map(Value::take),
            _ => None,
        };
        match failed {
            Err(failure) => Verdict::Failed(failure),
            Ok(None) => Verdict::Done(state),
            Ok(Some(at)) => Verdict::FailedAt(at, state),
        }
    }

    /// The position of the first record that failed, if one has. Fails if the answer makes no sense, which fails all.
    pub(super) fn first_failed(
        self,
        answer: &StreamResponse,
        records: &[Record],
    ) -> Result<Option<usize>, Failure> {
        let no_state = || Failure::new("the answer has no state, which a tumbling window needs");
        match answer {
            StreamResponse::Done | StreamResponse::Failed(_) if self.tumbling => Err(no_state()),
            StreamResponse::Done | StreamResponse::State(_) => Ok(None),
            StreamResponse::Failed(numbers) => lowest(
                numbers.iter().map(|number| records.iter().position(|record| record.number == *number)),
            ),
            StreamResponse::Json(answer) => {
                let failed = if self.report { read_report(answer) } else { Report::Success };
                match failed {
                    Report::Malformed(why) => Err(Failure::new(why)),
                    _ if self.tumbling && answer.get("state").is_none() => Err(no_state()),
                    Report::Failed(ids) => {
                        let numbers: Vec<String> =
                            records.iter().map(|record| record.number.to_string()).collect();
                        lowest(ids.iter().map(|id| numbers.iter().position(|number| number == id)))
                    }
                    Report::Success => Ok(None),
                }
            }
        }
    }
}

/// The lowest position, if there is any. One that is not known fails all.
fn lowest(positions: impl Iterator<Item = Option<usize>>) -> Result<Option<usize>, Failure> {
    let positions: Option<Vec<usize>> = positions.collect();
    let unknown = || Failure::new("the answer names a record that is not of the batch");
    positions.map(|positions| positions.into_iter().min()).ok_or_else(unknown)
}

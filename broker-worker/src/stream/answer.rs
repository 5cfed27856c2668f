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
        let no_state =
            || Verdict::Failed(Failure::new("the answer has no state, which a tumbling window needs"));
        match answer {
            StreamResponse::State(state) => Verdict::Done(Some(state)),
            StreamResponse::Done | StreamResponse::Failed(_) if self.tumbling => no_state(),
            StreamResponse::Done => Verdict::Done(None),
            StreamResponse::Failed(numbers) if numbers.is_empty() => Verdict::Done(None),
            StreamResponse::Failed(numbers) => {
                let position = |number| records.iter().position(|record| record.number == number);
                lowest(numbers.into_iter().map(position), None)
            }
            StreamResponse::Json(mut answer) => {
                let failed = if self.report { read_report(&answer) } else { Report::Success };
                let state = answer.get_mut("state").map(Value::take).filter(|_| self.tumbling);
                match failed {
                    Report::Malformed(why) => Verdict::Failed(Failure::new(why)),
                    _ if self.tumbling && state.is_none() => no_state(),
                    Report::Failed(ids) => {
                        let is = |record: &Record, id: &str| record.number.to_string() == id;
                        let position = |id: String| records.iter().position(|record| is(record, &id));
                        lowest(ids.into_iter().map(position), state)
                    }
                    Report::Success => Verdict::Done(state),
                }
            }
        }
    }
}

/// The lowest position. One that is not there fails all.
fn lowest(positions: impl Iterator<Item = Option<usize>>, state: Option<Value>) -> Verdict {
    let positions: Option<Vec<usize>> = positions.collect();
    match positions.as_ref().and_then(|positions| positions.iter().min()) {
        Some(lowest) => Verdict::FailedAt(*lowest, state),
        None => Verdict::Failed(Failure::new("the answer names a record that is not of the batch")),
    }
}

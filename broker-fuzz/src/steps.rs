//! What the target `history` is made of: what a queue is like, and what is done with it.

use std::time::Duration;

use arbitrary::{Arbitrary, Result, Unstructured};

/// A whole history.
#[derive(Debug)]
pub(crate) struct History {
    pub(crate) kind: Kind,
    pub(crate) receives_max: u8,
    pub(crate) steps: Vec<Step>,
}

/// More would be slow, and a shorter history shows the same.
const STEPS_MAX: usize = 200;

impl<'a> Arbitrary<'a> for History {
    /// As many steps as the bytes are for: a derived list ends with every other random byte.
    fn arbitrary(bytes: &mut Unstructured<'a>) -> Result<Self> {
        let (kind, receives_max, mut steps) = (bytes.arbitrary()?, bytes.arbitrary()?, Vec::new());
        while !bytes.is_empty() && steps.len() < STEPS_MAX {
            steps.push(bytes.arbitrary()?);
        }
        Ok(Self { kind, receives_max, steps })
    }
}

/// What both queues are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Arbitrary)]
pub(crate) enum Kind {
    Standard,
    Fifo,
    /// FIFO, and a deduplication id counts in its group only.
    FifoByGroup,
}

/// One of the two queues.
#[derive(Debug, Clone, Copy, Arbitrary)]
pub(crate) enum Side {
    Main,
    Dead,
}

/// One call, or time that passes. A number chooses among what there is.
#[derive(Debug, Arbitrary)]
pub(crate) enum Step {
    Send { to: Side, letter: Letter },
    Receive { from: Side, max: u8, timeout: Option<u8>, attempt: Option<u8> },
    Delete { receipt: u8 },
    ChangeVisibility { receipt: u8, timeout: u8 },
    GiveUp { receipt: u8 },
    Move { home: bool },
    SetDelay { delay: u8 },
    Advance { time: u8 },
    Purge { of: Side },
    Reopen,
}

/// A message to be sent.
#[derive(Debug, Arbitrary)]
pub(crate) struct Letter {
    pub(crate) body: u8,
    /// On a standard queue only.
    pub(crate) delay: Option<u8>,
    pub(crate) group: Option<u8>,
    /// On a FIFO queue only. None: the body counts.
    pub(crate) deduplication_id: Option<u8>,
}

/// The queue and its dead-letter queue.
pub(crate) fn names(kind: Kind) -> [&'static str; 2] {
    if kind == Kind::Standard { ["q", "dead"] } else { ["q.fifo", "dead.fifo"] }
}

/// Few times, so that the ends of timeouts, delays and windows are met. Two hundred of the longest stay below the twelve
/// hours that a message can be invisible.
const TIMES_S: [u64; 8] = [0, 1, 2, 5, 30, 100, 150, 200];

/// One of the times in a history.
pub(crate) fn time(nth: u8) -> Duration {
    Duration::from_secs(TIMES_S[usize::from(nth) % TIMES_S.len()])
}

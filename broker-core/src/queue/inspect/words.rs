//! What a look inside a queue shows, in words.

use std::fmt;

use super::{DuplicateOf, EmptyReason, Explanation, WhyEmpty};
use crate::queue::options::QueueCounters;

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Visible => write!(f, "can be received"),
            Self::Spent { queue, receives } => {
                write!(f, "received {receives} times, so the next receive moves it to queue {queue:?}")
            }
            Self::InFlight { until, delivery } => write!(f, "in flight until {until} (delivery {delivery})"),
            Self::Delayed { until } => write!(f, "delayed until {until}"),
            Self::Blocked { behind, group_id, until } => {
                write!(f, "blocked behind message {behind} of group {group_id:?}, at most until {until}")
            }
            Self::Moved { queue, receives, at } => {
                write!(f, "moved to queue {queue:?} after {receives} receives, at {at}")
            }
            Self::Expired { at } => write!(f, "expired at {at}"),
            Self::Deleted { at } => write!(f, "deleted at {at}"),
            Self::Gone => write!(f, "no longer in the queue: deleted, expired, moved or purged"),
            Self::NeverSeen => write!(f, "never seen in this queue"),
        }
    }
}

impl fmt::Display for DuplicateOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a duplicate of message {} until {}", self.id, self.until)
    }
}

impl fmt::Display for EmptyReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotEmpty => write!(f, "there is a message to receive"),
            Self::NoMessages => write!(f, "the queue has no messages"),
            Self::InFlightLimit { max } => write!(f, "{max} messages are in flight, no more may be"),
            Self::NoneVisible => write!(f, "all messages are in flight or delayed"),
            Self::Blocked { group_id, behind, until, unsearched } => {
                write!(f, "every visible message waits for an earlier one of its group, ")?;
                write!(f, "as group {group_id:?} does for {behind}, at most until {until}")?;
                if *unsearched > 0 {
                    write!(f, " ({unsearched} messages behind them were not looked at)")?;
                }
                Ok(())
            }
            Self::OnlySpent { queue } => {
                write!(
                    f,
                    "every visible message was received as often as it may be, and goes to queue {queue:?}"
                )
            }
        }
    }
}

impl fmt::Display for WhyEmpty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let QueueCounters { visible, in_flight, delayed } = self.counters;
        write!(f, "{}: {visible} visible, {in_flight} in flight, {delayed} delayed", self.reason)?;
        if self.groups_blocked > 0 {
            write!(f, ", {} groups blocked", self.groups_blocked)?;
        }
        self.next_visible.map_or(Ok(()), |time| write!(f, "; this may change at {time}"))
    }
}

//! From the broker's errors to those of Kinesis: shapes, statuses and texts.

use broker_core::{Certainty, Error, ShardId, Timestamp};

use crate::{call::Context, wire::error::WireError};

/// A value that is not allowed.
pub(super) fn invalid(message: impl Into<String>) -> WireError {
    WireError::sender("InvalidArgumentException", message)
}

/// A request that is not allowed, whatever its values.
pub(super) fn not_valid(message: impl Into<String>) -> WireError {
    WireError::sender("ValidationException", message)
}

/// Something that does not exist.
pub(super) fn not_found(message: impl Into<String>) -> WireError {
    WireError::sender("ResourceNotFoundException", message)
}

/// Something is there, or is being used.
pub(super) fn in_use(message: impl Into<String>) -> WireError {
    WireError::sender("ResourceInUseException", message)
}

/// There is too much of something.
pub(super) fn limit_exceeded(message: impl Into<String>) -> WireError {
    WireError::sender("LimitExceededException", message)
}

/// No stream of this name (rule K1).
pub(super) fn no_stream(context: &Context, name: &str) -> WireError {
    not_found(format!("Stream {name} under account {} not found.", context.origin.realm.account()))
}

/// No shard of this name (rule K32).
pub(super) fn no_shard(context: &Context, stream: &str, shard: &str) -> WireError {
    let account = context.origin.realm.account();
    not_found(format!("Could not find shard {shard} in stream {stream} under account {account}."))
}

/// A shard has had as much as it takes in a second (rule K42).
pub(super) fn throttled(account: &str, stream: &str, shard: ShardId) -> WireError {
    let message = format!("Rate exceeded for shard {shard} in stream {stream} under account {account}.");
    WireError::sender("ProvisionedThroughputExceededException", message)
}

/// What the broker refuses, or what went wrong in it.
pub(super) fn from_broker(context: &Context, error: &Error) -> WireError {
    let account = context.origin.realm.account();
    match error {
        Error::StreamDoesNotExist { name } => no_stream(context, name),
        Error::StreamExists { name } => {
            in_use(format!("Stream {name} under account {account} already exists."))
        }
        Error::ProvisionedThroughputExceeded { stream, shard } => throttled(account, stream, *shard),
        Error::ExpiredIterator { issued_at, now } => expired_iterator(*issued_at, *now),
        Error::TooMany { .. } => limit_exceeded(error.to_string()),
        Error::InvalidState { .. } => in_use(error.to_string()),
        error if error.certainty() == Certainty::Rejected => invalid(error.to_string()),
        // The cause names files of this machine.
        _ => WireError::internal("Internal Service Failure"),
    }
}

/// An iterator that was given out too long ago (rule K52).
fn expired_iterator(issued_at: Timestamp, now: Timestamp) -> WireError {
    let message = format!(
        "Iterator expired. The iterator was created at time {} while right now it is {} which is further in the future \
         than the tolerated delay of 300000 milliseconds.",
        long_date(issued_at),
        long_date(now)
    );
    WireError::sender("ExpiredIteratorException", message)
}

/// As `Thu Nov 26 09:18:22 UTC 2026`.
fn long_date(time: Timestamp) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    const DAY_MILLIS: u64 = 86_400_000;
    // 1970 began on a Thursday.
    let weekday = usize::try_from(time.as_millis() / DAY_MILLIS % 7).unwrap_or(0);
    let text = time.to_string();
    let part = |from, to| text.get(from..to).unwrap_or_default();
    let month = part(5, 7).parse::<usize>().ok().and_then(|month| MONTHS.get(month.wrapping_sub(1)));
    let (month, day) = (month.unwrap_or(&""), part(8, 10));
    format!("{} {month} {day} {} UTC {}", DAYS[weekday], part(11, 19), part(0, 4))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn k52_the_times_of_an_expired_iterator_are_told_as_kinesis_does() {
        let refused = expired_iterator(Timestamp::from_millis(0), Timestamp::from_millis(1_795_684_702_000));
        let text = "Iterator expired. The iterator was created at time Thu Jan 01 00:00:00 UTC 1970 while right now it \
                    is Thu Nov 26 09:18:22 UTC 2026 which is further in the future than the tolerated delay of 300000 \
                    milliseconds.";
        assert_eq!(refused.message, text);
    }
}

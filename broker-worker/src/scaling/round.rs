//! Rounding numbers of workers, which are computed as fractions and must not suffer from how fractions are stored.

/// By how much of itself a quotient may be off: `1.1 / 0.1` is a little more than 11 in binary, and means 11.
const SLACK: f64 = 1e-9;

/// The next whole number above, as a count of workers: 0 for what is negative, and for what is no number.
pub(crate) fn up(value: f64) -> u32 {
    count((value - value.abs() * SLACK).ceil())
}

/// The nearest whole number, as a count of workers.
pub(crate) fn nearest(value: f64) -> u32 {
    count(value.round())
}

/// Whether `ratio` is off 1 by at most `below` or `above`; the boundary belongs to it (rule S61).
pub(crate) fn within(ratio: f64, below: f64, above: f64) -> bool {
    1.0 - ratio <= below + SLACK && ratio - 1.0 <= above + SLACK
}

/// A whole number that may be out of range or not a number.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast saturates, as it should"
)]
fn count(whole: f64) -> u32 {
    whole as u32
}

/// What is counted, as a number to compute with.
#[expect(clippy::cast_precision_loss, reason = "above 2^53 messages the last digit does not matter")]
pub(crate) fn number(count: u64) -> f64 {
    count as f64
}

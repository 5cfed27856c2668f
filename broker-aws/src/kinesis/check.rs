//! Members that must be there, and their bounds: all faults of an input are told at once, as `ValidationException`.

use std::fmt::{Display, Write as _};

use super::errors;
use crate::wire::error::WireResult;

/// The most faults that are told.
const FAULTS_MAX: usize = 10;
/// The most characters of a refused value that are shown.
const SHOWN_CHARS_MAX: usize = 256;

/// What names are made of.
const NAME: &str = "[a-zA-Z0-9_.-]+";
/// The longest name.
const NAME_CHARS_MAX: usize = 128;

/// The faults of an input.
#[derive(Debug, Default)]
pub(super) struct Checks {
    faults: Vec<String>,
    /// Members that should be there and are not: there is nothing more to say of them.
    absent: Vec<String>,
}

impl Checks {
    fn fault(&mut self, value: impl Display, member: &str, constraint: impl Display) {
        let value: String = value.to_string().chars().take(SHOWN_CHARS_MAX).collect();
        self.faults.push(format!(
            "Value {value} at '{member}' failed to satisfy constraint: Member must {constraint}"
        ));
    }

    /// A member that must be there. If it is not, the default stands for it until the faults are told.
    pub(super) fn required<T: Default>(&mut self, member: &str, value: Option<T>) -> T {
        value.unwrap_or_else(|| {
            self.fault("null", member, "not be null");
            self.absent.push(member.to_owned());
            T::default()
        })
    }

    /// A number between two others.
    pub(super) fn within<N: PartialOrd + Display + Copy>(
        &mut self,
        member: &str,
        value: Option<N>,
        (min, max): (N, N),
    ) {
        let Some(value) = value else { return };
        if value < min {
            self.fault(format!("'{value}'"), member, format!("have value greater than or equal to {min}"));
        } else if value > max {
            self.fault(format!("'{value}'"), member, format!("have value less than or equal to {max}"));
        }
    }

    /// Something with a length.
    pub(super) fn length(
        &mut self,
        member: &str,
        value: impl Display,
        length: usize,
        (min, max): (usize, usize),
    ) {
        if self.absent.iter().any(|absent| absent == member) {
            return;
        }
        if length < min {
            self.fault(format!("'{value}'"), member, format!("have length greater than or equal to {min}"));
        } else if length > max {
            self.fault(format!("'{value}'"), member, format!("have length less than or equal to {max}"));
        }
    }

    /// The name of a stream, a consumer, a shard or a queue.
    pub(super) fn name(&mut self, member: &str, value: Option<&str>) {
        let Some(value) = value else { return };
        self.length(member, value, value.chars().count(), (1, NAME_CHARS_MAX));
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"_.-".contains(&b);
        if !value.bytes().all(allowed) {
            let pattern = format!("satisfy regular expression pattern: {NAME}");
            self.fault(format!("'{value}'"), member, pattern);
        }
    }

    /// One of several words.
    pub(super) fn one_of(&mut self, member: &str, value: Option<&str>, words: &[&str]) {
        if let Some(value) = value.filter(|value| !words.contains(value)) {
            let set = format!("satisfy enum value set: [{}]", words.join(", "));
            self.fault(format!("'{value}'"), member, set);
        }
    }

    /// Tells the faults, if there are any.
    pub(super) fn done(self) -> WireResult<()> {
        let count = self.faults.len();
        if count == 0 {
            return Ok(());
        }
        let mut message = format!("{count} validation error{} detected: ", if count == 1 { "" } else { "s" });
        let shown: Vec<_> = self.faults.into_iter().take(FAULTS_MAX).collect();
        let _ = write!(message, "{}", shown.join("; "));
        Err(errors::not_valid(message))
    }
}

/// A name that must be there.
pub(super) fn required_name(checks: &mut Checks, member: &str, value: Option<&str>) -> String {
    checks.name(member, value);
    checks.required(member, value.map(str::to_owned))
}

//! Numbers and ranges of them: the operator `numeric`, and exact values that are numbers (rules N65, N66).

/// A range of numbers, compared as doubles.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Range {
    bottom: f64,
    bottom_included: bool,
    top: f64,
    top_included: bool,
}

/// A member of a numeric expression.
pub(super) enum Member<'p> {
    Text(&'p str),
    /// As it is written.
    Number(&'p str),
    /// Anything else, as an error names it.
    Other(&'p str),
}

/// Reads a number, as JSON or as the text of an attribute. Minus zero is zero.
pub(super) fn read(text: &str) -> Option<f64> {
    let looks = |byte: u8| byte.is_ascii_digit() || b"+-.eE".contains(&byte);
    let number: f64 = if text.bytes().all(looks) { text.parse().ok()? } else { return None };
    Some(number + 0.0)
}

impl Range {
    const ALL: Self =
        Self { bottom: f64::NEG_INFINITY, bottom_included: true, top: f64::INFINITY, top_included: true };

    /// One number alone.
    pub(super) fn of_number(number: f64) -> Self {
        Self { bottom: number, bottom_included: true, top: number, top_included: true }
    }

    /// Whether a number is in the range.
    pub(super) fn contains(&self, number: f64) -> bool {
        let above = if self.bottom_included { number >= self.bottom } else { number > self.bottom };
        let below = if self.top_included { number <= self.top } else { number < self.top };
        above && below
    }

    /// The range that the members of an expression describe; or the member that is wrong, by its position, and why.
    pub(super) fn of_expression(members: &[Member<'_>]) -> Result<Self, (usize, String)> {
        let operator = match members.first() {
            Some(Member::Text(operator)) => *operator,
            first => return Err((0, format!("Invalid member in numeric match: {}", written(first)))),
        };
        match operator {
            "=" => {
                let number = operand(members, 1, "equals")?;
                at_most(members, 2, "Too many elements in numeric expression")?;
                Ok(Self::of_number(number))
            }
            "<" | "<=" => {
                let top = operand(members, 1, operator)?;
                at_most(members, 2, "Too many elements in numeric expression")?;
                Ok(Self { top, top_included: operator == "<=", ..Self::ALL })
            }
            ">" | ">=" => {
                let bottom = operand(members, 1, operator)?;
                let from = Self { bottom, bottom_included: operator == ">=", ..Self::ALL };
                if members.len() == 2 { Ok(from) } else { from.up_to(members) }
            }
            _ => Err((0, format!("Unrecognized numeric range operator: {operator}"))),
        }
    }

    /// Adds the upper end, which the third member and the fourth describe.
    fn up_to(self, members: &[Member<'_>]) -> Result<Self, (usize, String)> {
        let operator = match members.get(2) {
            Some(Member::Text(operator)) => *operator,
            other => return Err((2, format!("Bad value in numeric range: {}", written(other)))),
        };
        if !matches!(operator, "<" | "<=") {
            return Err((2, format!("Bad numeric range operator: {operator}")));
        }
        let top = operand(members, 3, operator)?;
        at_most(members, 4, "Too many terms in numeric range expression")?;
        if self.bottom >= top {
            return Err((3, "Bottom must be less than top".into()));
        }
        Ok(Self { top, top_included: operator == "<=", ..self })
    }
}

fn operand(members: &[Member<'_>], at: usize, of: &str) -> Result<f64, (usize, String)> {
    let number = match members.get(at) {
        Some(Member::Number(number)) => read(number),
        _ => None,
    };
    number.ok_or_else(|| (at, format!("Value of {of} must be numeric")))
}

fn at_most(members: &[Member<'_>], count: usize, message: &str) -> Result<(), (usize, String)> {
    if members.len() > count { Err((count, message.into())) } else { Ok(()) }
}

/// How an error names a member; what is missing is the bracket that is found in its place.
fn written<'p>(member: Option<&Member<'p>>) -> &'p str {
    match member {
        Some(Member::Text(text) | Member::Number(text) | Member::Other(text)) => text,
        None => "]",
    }
}

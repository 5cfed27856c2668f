//! The array of values of one key: checks each member and puts it where [`Patterns`] wants it (rules N63 to N65).

use super::{
    address,
    document::{Document, Kind, Scalar},
    error::Flaw,
    number::{self, Member, Range},
    patterns::{Excluded, Patterns},
};

/// Reads the array of values at a node of a policy.
pub(super) fn patterns(policy: Document<'_>, array: usize) -> Result<Patterns, Flaw> {
    let mut reader = Reader { policy, patterns: Patterns::default(), strings: Vec::new() };
    for value in policy.elements(array) {
        reader.value(value)?;
    }
    let Reader { mut patterns, strings, .. } = reader;
    patterns.strings = strings.into_iter().collect();
    Ok(patterns)
}

struct Reader<'p> {
    policy: Document<'p>,
    patterns: Patterns,
    strings: Vec<Box<str>>,
}

impl Reader<'_> {
    fn value(&mut self, value: usize) -> Result<(), Flaw> {
        match self.policy.scalar(value) {
            Some(Scalar::Text(text)) => match address::Range::of_address(text) {
                Some(address) => self.patterns.addresses.push(address),
                None => self.strings.push(text.into()),
            },
            Some(Scalar::Number(text)) => {
                self.patterns.numbers.extend(number::read(text).map(Range::of_number));
            }
            Some(Scalar::Word(word)) => self.patterns.words.push(word),
            None if self.policy.kind(value) == Kind::Object => return self.expression(value),
            None => return Err(Flaw::at(value, "Match value must be String, number, true, false, or null")),
        }
        self.patterns.present = true;
        Ok(())
    }

    /// An object with one operator.
    fn expression(&mut self, object: usize) -> Result<(), Flaw> {
        let mut members = self.policy.members(object);
        let Some((name, operand)) = members.next() else {
            return Err(Flaw::at(object, "Match expression name not found"));
        };
        self.operator(name, operand)?;
        if let Some((second, _)) = members.next() {
            return Err(Flaw::at(second, "Only one key allowed in match expression"));
        }
        Ok(())
    }

    fn operator(&mut self, name: usize, operand: usize) -> Result<(), Flaw> {
        let patterns = &mut self.patterns;
        let operator = self.policy.text(name);
        let string = |operator| string(self.policy, operand, operator);
        match operator {
            "prefix" => patterns.prefixes.push(string(operator)?),
            "suffix" => patterns.suffixes.push(string(operator)?),
            "equals-ignore-case" => patterns.any_case.push(string(operator)?),
            "cidr" => {
                // The engine of SNS says `prefix` here.
                let range = address::Range::of_block(&string("prefix")?);
                patterns.addresses.push(range.map_err(|message| Flaw::at(operand, message))?);
            }
            "numeric" => patterns.numbers.push(numeric(self.policy, operand)?),
            "anything-but" => patterns.excluded.push(anything_but(self.policy, operand)?),
            "exists" => match self.policy.kind(operand) {
                Kind::True => patterns.exists = true,
                Kind::False => {
                    patterns.absent = true;
                    return Ok(());
                }
                _ => return Err(Flaw::at(operand, "exists match pattern must be either true or false.")),
            },
            _ => return Err(Flaw::at(name, format!("Unrecognized match type {operator}"))),
        }
        patterns.present = true;
        Ok(())
    }
}

fn string(policy: Document<'_>, operand: usize, operator: &str) -> Result<Box<str>, Flaw> {
    match policy.scalar(operand) {
        Some(Scalar::Text(text)) => Ok(text.into()),
        _ => Err(Flaw::at(operand, format!("{operator} match pattern must be a string"))),
    }
}

fn numeric(policy: Document<'_>, operand: usize) -> Result<Range, Flaw> {
    if policy.kind(operand) != Kind::Array {
        return Err(Flaw::at(operand, "Value of numeric must be an array."));
    }
    // Five are too many in any case.
    let nodes: Vec<usize> = policy.elements(operand).take(5).collect();
    let member = |node: &usize| match policy.scalar(*node) {
        Some(Scalar::Text(text)) => Member::Text(text),
        Some(Scalar::Number(text)) => Member::Number(text),
        Some(Scalar::Word(Kind::True)) => Member::Other("true"),
        Some(Scalar::Word(Kind::False)) => Member::Other("false"),
        Some(Scalar::Word(_)) => Member::Other("null"),
        None => Member::Other(if policy.kind(*node) == Kind::Array { "[" } else { "{" }),
    };
    let members: Vec<Member<'_>> = nodes.iter().map(member).collect();
    Range::of_expression(&members)
        .map_err(|(at, message)| Flaw::at(nodes.get(at).copied().unwrap_or(operand), message))
}

fn anything_but(policy: Document<'_>, operand: usize) -> Result<Excluded, Flaw> {
    if policy.kind(operand) == Kind::Object {
        return anything_but_prefix(policy, operand);
    }
    let mut excluded = Excluded::default();
    let mut strings: Vec<Box<str>> = Vec::new();
    let in_list = policy.kind(operand) == Kind::Array;
    for value in one_or_several(policy, operand) {
        match policy.scalar(value) {
            Some(Scalar::Text(text)) => strings.push(text.into()),
            Some(Scalar::Number(text)) => excluded.numbers.extend(number::read(text)),
            _ if in_list => {
                let message = "Inside anything but list, start|null|boolean is not supported.";
                return Err(Flaw::at(value, message));
            }
            _ => return Err(Flaw::at(value, NEITHER_LIST_NOR_VALUE)),
        }
    }
    if strings.is_empty() == excluded.numbers.is_empty() {
        let message = "Inside anything but list, either all values are number or string, \
                       mixed type is not supported";
        return Err(Flaw::at(operand, message));
    }
    excluded.strings = strings.into_iter().collect();
    excluded.numbers.sort_by(f64::total_cmp);
    Ok(excluded)
}

const NEITHER_LIST_NOR_VALUE: &str = "Value of anything-but must be an array or single string/number value.";

/// `anything-but` with an object, which can only be `prefix` with one string or several.
fn anything_but_prefix(policy: Document<'_>, object: usize) -> Result<Excluded, Flaw> {
    let mut members = policy.members(object);
    let Some((name, operand)) = members.next() else {
        return Err(Flaw::at(object, "Anything-But expression name not found"));
    };
    let operator = policy.text(name);
    if operator != "prefix" {
        return Err(Flaw::at(name, format!("Unsupported anything-but pattern: {operator}")));
    }
    if !matches!(policy.kind(operand), Kind::Array | Kind::String | Kind::Number) {
        return Err(Flaw::at(operand, NEITHER_LIST_NOR_VALUE));
    }
    let prefix = |value: usize| match policy.scalar(value) {
        Some(Scalar::Text("")) => Err(Flaw::at(value, "Null prefix/suffix not allowed")),
        Some(Scalar::Text(text)) => Ok(text.into()),
        _ => Err(Flaw::at(value, "prefix/suffix match pattern must be a string")),
    };
    let prefixes = one_or_several(policy, operand).map(prefix).collect::<Result<_, _>>()?;
    if let Some((second, _)) = members.next() {
        return Err(Flaw::at(second, "Only one key allowed in match expression"));
    }
    Ok(Excluded { prefixes, ..Excluded::default() })
}

/// The elements of an array, or what is no array.
fn one_or_several(policy: Document<'_>, node: usize) -> impl Iterator<Item = usize> {
    let is_array = policy.kind(node) == Kind::Array;
    let several = is_array.then(|| policy.elements(node));
    several.into_iter().flatten().chain((!is_array).then_some(node))
}

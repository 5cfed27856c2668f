//! Parameters as a tree: `Entry.2.Id=a` is the text `a` below `Entry`, `2`, `Id`.

use std::{borrow::Cow, collections::BTreeMap, num::ParseIntError};

use crate::wire::error::{WireError, WireResult};

/// A parameter, or those below a part of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Node {
    Text(String),
    Below(BTreeMap<String, Node>),
}

/// The most parameters of a request: a batch of 10 messages, each with 10 attributes of 4 parameters, has some 500.
const PARAMETERS_MAX: usize = 2_000;
/// The most parts of a name: the deepest of the services have 8.
const PARTS_MAX: usize = 12;

impl Node {
    /// The tree of these parameters. A repeated one counts as it came last.
    pub(crate) fn from_pairs<'p>(
        pairs: impl Iterator<Item = (Cow<'p, str>, Cow<'p, str>)>,
    ) -> WireResult<Self> {
        let mut root = BTreeMap::new();
        for (count, (name, value)) in pairs.enumerate() {
            if count == PARAMETERS_MAX {
                return Err(malformed(&format!("more than {PARAMETERS_MAX} parameters")));
            }
            if name.split('.').nth(PARTS_MAX).is_some() {
                return Err(malformed(&format!("a parameter with more than {PARTS_MAX} parts in its name")));
            }
            insert(&mut root, &name, value.into_owned())?;
        }
        Ok(Self::Below(root))
    }

    /// The text of a parameter at the root.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        match self {
            Self::Below(below) => match below.get(name)? {
                Self::Text(text) => Some(text),
                Self::Below(_) => None,
            },
            Self::Text(_) => None,
        }
    }

    /// The entries of a map, in the same way; one without a number is the only one.
    pub(super) fn entries(&self) -> Result<Vec<&Node>, NotAList> {
        match self {
            Self::Below(below) if below.contains_key("Name") || below.contains_key("Key") => Ok(vec![self]),
            node => node.items(),
        }
    }

    /// The items of a list or map in the order of their numbers. SNS puts a `member` or an `entry` around the numbers. What has no number is
    /// not left out in silence.
    pub(super) fn items(&self) -> Result<Vec<&Node>, NotAList> {
        let below = match self {
            Self::Text(text) if text.is_empty() => return Ok(Vec::new()),
            Self::Text(_) => return Ok(vec![self]),
            Self::Below(below) => below,
        };
        if let (1, Some(wrapped)) = (below.len(), below.get("member").or_else(|| below.get("entry"))) {
            return wrapped.items();
        }
        let numbered = below.iter().map(|(number, node)| Ok((number.parse::<u32>()?, node)));
        let numbered = numbered.collect::<Result<Vec<_>, ParseIntError>>();
        let mut items = numbered.map_err(|_| NotAList)?;
        items.sort_unstable_by_key(|(number, _)| *number);
        Ok(items.into_iter().map(|(_, node)| node).collect())
    }
}

/// Parameters that should be numbered and are not.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NotAList;

/// The depth is that of the parts, which are bounded.
fn insert(below: &mut BTreeMap<String, Node>, name: &str, value: String) -> WireResult<()> {
    let Some((part, rest)) = name.split_once('.') else {
        below.insert(name.to_owned(), Node::Text(value));
        return Ok(());
    };
    match below.entry(part.to_owned()).or_insert_with(|| Node::Below(BTreeMap::new())) {
        Node::Below(below) => insert(below, rest, value),
        Node::Text(_) => Err(malformed("a parameter that is both a value and a list")),
    }
}

fn malformed(what: &str) -> WireError {
    WireError::sender("MalformedQueryString", format!("The request has {what}."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(form: &str) -> WireResult<Node> {
        Node::from_pairs(form_urlencoded::parse(form.as_bytes()))
    }

    #[test]
    fn items_come_in_the_order_of_their_numbers_wrapped_or_not() {
        let texts = |form: &str| match tree(form).expect("a tree") {
            Node::Below(below) => {
                below["L"].items().map(|items| items.into_iter().cloned().collect::<Vec<_>>())
            }
            Node::Text(_) => unreachable!("a root is no text"),
        };
        let numbers: Vec<_> = ["a", "b", "c"].map(|text| Node::Text(text.into())).into();
        assert_eq!(texts("L.10=c&L.2=b&L.1=a"), Ok(numbers.clone()));
        assert_eq!(texts("L.member.10=c&L.member.2=b&L.member.1=a"), Ok(numbers.clone()));
        assert_eq!(texts("L="), Ok(Vec::new()));
        assert_eq!(texts("L=a"), Ok(numbers[..1].to_vec()));
        for odd in ["L.1=a&L.x=b", "L.-1=a", "L.4294967296=a", "L.member.1=a&L.entry.1=b"] {
            assert_eq!(texts(odd), Err(NotAList), "{odd}");
        }
    }

    #[test]
    fn what_is_too_much_is_refused() {
        assert!(tree(&"a=1&".repeat(PARAMETERS_MAX)).is_ok());
        assert!(tree(&"a=1&".repeat(PARAMETERS_MAX + 1)).is_err());
        assert!(tree(&format!("{}=1", ["a"; PARTS_MAX].join("."))).is_ok());
        assert!(tree(&format!("{}=1", ["a"; PARTS_MAX + 1].join("."))).is_err());
        assert!(tree("a=1&a.b=2").is_err());
    }
}

//! JSON that was parsed once and is read where it lies: a flat list of nodes, in the order of the text, in which each
//! array and each object knows where it ends.

use super::json;

/// A JSON object that was parsed once, for any number of policies. Borrows the body and the scratch memory.
#[derive(Debug, Clone, Copy)]
pub struct Document<'d> {
    body: &'d str,
    nodes: &'d [Node],
    unescaped: &'d str,
}

/// Memory that is used again from one document to the next: 16 bytes for each value and each name of the largest
/// document so far, and its strings that had escapes.
#[derive(Debug, Default)]
pub struct Scratch {
    pub(super) nodes: Vec<Node>,
    pub(super) unescaped: String,
}

impl Scratch {
    /// Gives back what is above about so many bytes.
    pub fn shrink_to(&mut self, bytes: usize) {
        self.nodes.clear();
        self.nodes.shrink_to(bytes / 2 / size_of::<Node>());
        self.unescaped.clear();
        self.unescaped.shrink_to(bytes / 2);
    }
}

/// A value, or the name of a member in front of its value.
#[derive(Debug, Clone, Copy)]
pub(super) struct Node {
    pub(super) kind: Kind,
    /// The string had escapes: its text is not in the body.
    pub(super) escaped: bool,
    /// Where in the body: of a string, the byte behind the quote.
    pub(super) start: u32,
    /// Bytes of a string, when it has no escapes any more, or of a number.
    pub(super) len: u32,
    /// Of an array or object: the node behind its end. Of an escaped string: where its text is among the unescaped.
    pub(super) link: u32,
}

/// What a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Object,
    Array,
    String,
    Number,
    True,
    False,
    Null,
}

/// A value that has no others in it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Scalar<'d> {
    Text(&'d str),
    /// As it is written.
    Number(&'d str),
    /// `true`, `false` or `null`.
    Word(Kind),
}

impl<'d> Document<'d> {
    /// Parses a body. `None` if it is not a JSON object, or if it is nested deeper than 127: then no policy matches it.
    pub fn parse(body: &'d [u8], scratch: &'d mut Scratch) -> Option<Self> {
        let document = Self::any(std::str::from_utf8(body).ok()?, scratch).ok()?;
        (document.kind(Self::ROOT) == Kind::Object).then_some(document)
    }

    /// Parses any JSON value, or says what is wrong with it.
    pub(super) fn any(body: &'d str, scratch: &'d mut Scratch) -> Result<Self, json::Fault> {
        json::parse(body, scratch)?;
        Ok(Self { body, nodes: &scratch.nodes, unescaped: &scratch.unescaped })
    }

    /// The body as it was given.
    pub fn body(&self) -> &'d str {
        self.body
    }

    /// The node of the whole.
    pub(super) const ROOT: usize = 0;

    pub(super) fn kind(&self, node: usize) -> Kind {
        self.nodes[node].kind
    }

    /// Where in the body a value begins: of a string, its quote.
    pub(super) fn offset(&self, node: usize) -> usize {
        let Node { kind, start, .. } = self.nodes[node];
        start as usize - usize::from(kind == Kind::String)
    }

    /// The text of a string without quotes and escapes, or of a number as it is written.
    pub(super) fn text(&self, node: usize) -> &'d str {
        let node = self.nodes[node];
        let (whole, start) = if node.escaped { (self.unescaped, node.link) } else { (self.body, node.start) };
        let start = start as usize;
        // Ranges of whole characters, as the parser found them.
        whole.get(start..start + node.len as usize).unwrap_or_default()
    }

    /// The value if it has no others in it.
    pub(super) fn scalar(&self, node: usize) -> Option<Scalar<'d>> {
        Some(match self.kind(node) {
            Kind::Object | Kind::Array => return None,
            Kind::String => Scalar::Text(self.text(node)),
            Kind::Number => Scalar::Number(self.text(node)),
            word @ (Kind::True | Kind::False | Kind::Null) => Scalar::Word(word),
        })
    }

    /// The node behind a value and everything in it.
    fn behind(&self, node: usize) -> usize {
        match self.nodes[node].kind {
            Kind::Object | Kind::Array => self.nodes[node].link as usize,
            _ => node + 1,
        }
    }

    /// The values of an array.
    pub(super) fn elements(self, array: usize) -> impl Iterator<Item = usize> {
        let (mut next, end) = (array + 1, self.behind(array));
        std::iter::from_fn(move || {
            let element = next;
            (element < end).then(|| {
                next = self.behind(element);
                element
            })
        })
    }

    /// The members of an object: the nodes of name and value.
    pub(super) fn members(self, object: usize) -> impl Iterator<Item = (usize, usize)> {
        let (mut next, end) = (object + 1, self.behind(object));
        std::iter::from_fn(move || {
            let name = next;
            (name < end).then(|| {
                next = self.behind(name + 1);
                (name, name + 1)
            })
        })
    }
}

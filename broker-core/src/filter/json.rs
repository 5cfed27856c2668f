//! Reads JSON into a flat list of nodes, strictly and without recursion.

use super::document::{Kind, Node, Scratch};

/// How deep arrays and objects may be nested: as deep as `serde_json` goes.
const DEPTH_MAX: u32 = 127;
/// No node: the container around the outermost value.
const NONE: u32 = u32::MAX;

/// What is wrong with a text, and at which byte.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fault {
    pub(super) at: usize,
    pub(super) what: &'static str,
}

/// Reads a text that holds one value. Its nodes are in the scratch memory afterwards, the whole value first.
pub(super) fn parse(text: &str, scratch: &mut Scratch) -> Result<(), Fault> {
    scratch.nodes.clear();
    scratch.unescaped.clear();
    if u32::try_from(text.len()).is_err() {
        return Err(Fault { at: 0, what: "too long" });
    }
    Parser { text, bytes: text.as_bytes(), at: 0, scratch, open: NONE, depth: 0 }.document()
}

pub(super) struct Parser<'p> {
    pub(super) text: &'p str,
    pub(super) bytes: &'p [u8],
    /// How far it has read.
    pub(super) at: usize,
    pub(super) scratch: &'p mut Scratch,
    /// The innermost array or object that is not closed. While one is open, its `link` is the one around it.
    open: u32,
    depth: u32,
}

impl Parser<'_> {
    fn document(&mut self) -> Result<(), Fault> {
        loop {
            if self.value()? {
                continue;
            }
            if !self.after_value()? {
                return Ok(());
            }
        }
    }

    /// Reads a value, or the beginning of an array or object: then true, and its first value comes next.
    fn value(&mut self) -> Result<bool, Fault> {
        self.skip_white();
        let start = self.at;
        match self.bytes.get(start) {
            Some(b'"') => self.string()?,
            Some(b'{') => return self.begin(Kind::Object),
            Some(b'[') => return self.begin(Kind::Array),
            Some(b'-' | b'0'..=b'9') => {
                self.number()?;
                self.push(Kind::Number, start, self.at - start);
            }
            Some(b't') => self.word("true", Kind::True)?,
            Some(b'f') => self.word("false", Kind::False)?,
            Some(b'n') => self.word("null", Kind::Null)?,
            Some(_) => return self.fault("a value is expected"),
            None => return self.fault("the text ends where a value is expected"),
        }
        Ok(false)
    }

    /// Goes on behind a value, closing what ends there. False at the end of the text.
    fn after_value(&mut self) -> Result<bool, Fault> {
        loop {
            self.skip_white();
            let next = self.bytes.get(self.at);
            if self.open == NONE {
                return next.map_or(Ok(false), |_| self.fault("something follows behind the value"));
            }
            let in_object = self.scratch.nodes[self.open as usize].kind == Kind::Object;
            match (next, in_object) {
                (Some(b','), _) => {
                    self.at += 1;
                    if in_object {
                        self.name()?;
                    }
                    return Ok(true);
                }
                (Some(b'}'), true) | (Some(b']'), false) => self.end(),
                (None, _) => return self.fault("the text ends inside an array or object"),
                (Some(_), true) => return self.fault("',' or '}' is expected"),
                (Some(_), false) => return self.fault("',' or ']' is expected"),
            }
        }
    }

    /// Opens an array or object. True if it is not empty.
    fn begin(&mut self, kind: Kind) -> Result<bool, Fault> {
        if self.depth == DEPTH_MAX {
            return self.fault("nested too deep");
        }
        let node = self.position(self.scratch.nodes.len());
        let start = self.position(self.at);
        self.scratch.nodes.push(Node { kind, escaped: false, start, len: 0, link: self.open });
        self.open = node;
        self.depth += 1;
        self.at += 1;
        self.skip_white();
        match (self.bytes.get(self.at), kind) {
            (Some(b'}'), Kind::Object) | (Some(b']'), Kind::Array) => {
                self.end();
                Ok(false)
            }
            (_, Kind::Object) => self.name().map(|()| true),
            _ => Ok(true),
        }
    }

    /// Closes the innermost array or object at its bracket.
    fn end(&mut self) {
        let behind = self.position(self.scratch.nodes.len());
        let node = &mut self.scratch.nodes[self.open as usize];
        self.open = std::mem::replace(&mut node.link, behind);
        self.depth -= 1;
        self.at += 1;
    }

    /// The name of a member and the colon behind it.
    fn name(&mut self) -> Result<(), Fault> {
        self.skip_white();
        if self.bytes.get(self.at) != Some(&b'"') {
            return self.fault("the name of a member is expected");
        }
        self.string()?;
        self.skip_white();
        if self.bytes.get(self.at) != Some(&b':') {
            return self.fault("':' is expected");
        }
        self.at += 1;
        Ok(())
    }

    fn number(&mut self) -> Result<(), Fault> {
        self.at += usize::from(self.bytes[self.at] == b'-');
        let integer = self.at;
        self.digits()?;
        if self.bytes[integer] == b'0' && self.at > integer + 1 {
            return Err(Fault { at: integer, what: "a number begins with 0" });
        }
        if self.bytes.get(self.at) == Some(&b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.bytes.get(self.at) {
            self.at += 1;
            if let Some(b'+' | b'-') = self.bytes.get(self.at) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), Fault> {
        let count = self.bytes[self.at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += count;
        if count == 0 { self.fault("a digit is expected") } else { Ok(()) }
    }

    fn word(&mut self, word: &str, kind: Kind) -> Result<(), Fault> {
        if !self.bytes[self.at..].starts_with(word.as_bytes()) {
            return self.fault("a value is expected");
        }
        self.push(kind, self.at, word.len());
        self.at += word.len();
        Ok(())
    }

    fn skip_white(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.bytes.get(self.at) {
            self.at += 1;
        }
    }

    pub(super) fn push(&mut self, kind: Kind, start: usize, len: usize) {
        let (start, len) = (self.position(start), self.position(len));
        self.scratch.nodes.push(Node { kind, escaped: false, start, len, link: 0 });
    }

    /// A byte or node as the nodes keep it. There are no more nodes than bytes.
    #[allow(clippy::cast_possible_truncation, reason = "the text has less than 4 GiB")]
    #[allow(clippy::unused_self, reason = "what it says holds of the text of a parser")]
    pub(super) fn position(&self, position: usize) -> u32 {
        position as u32
    }

    #[cold]
    pub(super) fn fault<T>(&self, what: &'static str) -> Result<T, Fault> {
        Err(Fault { at: self.at, what })
    }
}

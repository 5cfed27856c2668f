//! The strings of JSON: found where they lie, or unescaped.

use super::{
    document::Kind,
    json::{Fault, Parser},
};

impl Parser<'_> {
    /// A string, from its quote on.
    pub(super) fn string(&mut self) -> Result<(), Fault> {
        let start = self.at + 1;
        self.at = plain_until(self.bytes, start);
        match self.bytes.get(self.at) {
            Some(b'"') => self.push(Kind::String, start, self.at - start),
            Some(b'\\') => self.escaped_string(start)?,
            Some(_) => return self.fault("a control character in a string"),
            None => return self.fault("the text ends inside a string"),
        }
        self.at += 1;
        Ok(())
    }

    /// The rest of a string whose first escape is here: its text goes to the unescaped.
    fn escaped_string(&mut self, start: usize) -> Result<(), Fault> {
        let unescaped = self.scratch.unescaped.len();
        let mut plain = start;
        loop {
            self.scratch.unescaped.push_str(&self.text[plain..self.at]);
            match self.bytes.get(self.at) {
                Some(b'"') => break,
                Some(b'\\') => {
                    let character = self.escape()?;
                    self.scratch.unescaped.push(character);
                }
                Some(_) => return self.fault("a control character in a string"),
                None => return self.fault("the text ends inside a string"),
            }
            plain = self.at;
            self.at = plain_until(self.bytes, plain);
        }
        self.push(Kind::String, start, self.scratch.unescaped.len() - unescaped);
        let link = self.position(unescaped);
        if let Some(node) = self.scratch.nodes.last_mut() {
            node.escaped = true;
            node.link = link;
        }
        Ok(())
    }

    /// The character that an escape stands for.
    fn escape(&mut self) -> Result<char, Fault> {
        let escape = self.at;
        self.at += 2;
        Ok(match self.bytes.get(escape + 1) {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                let first = self.four_digits()?;
                let pair = (0xD800..0xDC00).contains(&first) && self.bytes[self.at..].starts_with(b"\\u");
                let code = if pair {
                    self.at += 2;
                    let second = self.four_digits()?.wrapping_sub(0xDC00);
                    if second < 0x400 { 0x10000 + ((first - 0xD800) << 10) + second } else { first }
                } else {
                    first
                };
                // Half a pair is no character.
                return char::from_u32(code).ok_or(Fault { at: escape, what: "half a surrogate pair" });
            }
            _ => return Err(Fault { at: escape, what: "an escape that there is not" }),
        })
    }

    fn four_digits(&mut self) -> Result<u32, Fault> {
        let digits = self.bytes.get(self.at..self.at + 4).unwrap_or_default();
        let value =
            digits.iter().try_fold(0, |value, digit| Some(value * 16 + char::from(*digit).to_digit(16)?));
        match value {
            Some(value) if digits.len() == 4 => {
                self.at += 4;
                Ok(value)
            }
            _ => self.fault("four hexadecimal digits are expected"),
        }
    }
}

/// The first byte from `at` on that is a quote, a backslash or a control character, or the end. Eight bytes at a time.
fn plain_until(bytes: &[u8], mut at: usize) -> usize {
    const ONES: u64 = u64::MAX / 255;
    const HIGHS: u64 = ONES << 7;
    // The high bits of the bytes that are below `n`, up to the first such byte exactly.
    let below = |word: u64, n: u8| word.wrapping_sub(ONES * u64::from(n)) & !word & HIGHS;
    while let Some(eight) = bytes[at..].first_chunk() {
        let word = u64::from_le_bytes(*eight);
        let quotes = below(word ^ (ONES * u64::from(b'"')), 1);
        let backslashes = below(word ^ (ONES * u64::from(b'\\')), 1);
        let found = quotes | backslashes | below(word, b' ');
        if found != 0 {
            return at + found.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    let rest = bytes[at..].iter().take_while(|byte| **byte != b'"' && **byte != b'\\' && **byte >= b' ');
    at + rest.count()
}

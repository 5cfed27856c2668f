//! Matches keys among the attributes of a message (rules N61, N71).
//!
//! A key is the name of one attribute, dots and all. Text and numbers are compared; of a `Binary` it only counts that it
//! is there. A `String.Array` is a JSON array of plain values, any of which may match; if its text is something else,
//! it is compared as a `String`. Custom types such as `Number.float` are what their beginning says.

use std::cell::RefCell;

use super::{
    document::{Document, Kind, Scalar, Scratch},
    patterns::Patterns,
    plan::Key,
};
use crate::{AttributeValue, MessageAttributes};

/// Memory that is kept for the next message by each thread, at most.
const KEPT_BYTES: usize = 16 * 1024;

#[derive(Default)]
struct Spare {
    scratch: Scratch,
    escaped: String,
}

thread_local! {
    /// For arrays and for text with special characters: a match allocates nothing.
    static SPARE: RefCell<Spare> = RefCell::default();
}

/// Whether one of the attributes matches a key.
pub(super) fn matches(attributes: &MessageAttributes, key: &Key) -> bool {
    let Some(attribute) = attributes.get(&key.path) else {
        return key.patterns.absent;
    };
    let Some(text) = attribute.text() else {
        return key.patterns.exists;
    };
    match kind(attribute) {
        Type::Number => key.patterns.matches(Scalar::Number(text)),
        Type::String if is_special(text) => special_matches(text, &key.patterns),
        Type::String => key.patterns.matches(Scalar::Text(text)),
        Type::Array => array_matches(text, &key.patterns),
        Type::Binary => key.patterns.exists,
    }
}

enum Type {
    String,
    Array,
    Number,
    Binary,
}

fn kind(attribute: &AttributeValue) -> Type {
    match attribute.data_type() {
        // Most are one of these.
        "String" => Type::String,
        "Number" => Type::Number,
        "String.Array" => Type::Array,
        custom => match custom.split('.').next() {
            Some("Number") => Type::Number,
            Some("Binary") => Type::Binary,
            _ => Type::String,
        },
    }
}

/// Whether text is compared in its escaped form, which is another (rule N71).
fn is_special(text: &str) -> bool {
    text.bytes().any(|byte| matches!(byte, b'"' | b'\\'))
}

/// The escaped form of text: of a quote and of a backslash, what JSON makes of it.
fn escape<'e>(text: &str, escaped: &'e mut String) -> &'e str {
    escaped.clear();
    for character in text.chars() {
        if matches!(character, '"' | '\\') {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

fn special_matches(text: &str, patterns: &Patterns) -> bool {
    SPARE.with_borrow_mut(|spare| {
        let matches = patterns.matches(Scalar::Text(escape(text, &mut spare.escaped)));
        spare.shrink();
        matches
    })
}

/// Whether an element matches; if there is none, the key has no value (rule N69).
fn array_matches(text: &str, patterns: &Patterns) -> bool {
    SPARE.with_borrow_mut(|spare| {
        let Spare { scratch, escaped } = spare;
        let array = Document::any(text, scratch).ok().filter(|document| is_plain_array(*document));
        let matches = match array {
            Some(array) => {
                let scalars = array.elements(Document::ROOT).filter_map(|element| array.scalar(element));
                let mut any = false;
                let mut seen = false;
                for scalar in scalars {
                    seen = true;
                    any |= match scalar {
                        Scalar::Text(text) if is_special(text) => {
                            patterns.matches(Scalar::Text(escape(text, escaped)))
                        }
                        scalar => patterns.matches(scalar),
                    };
                }
                any || (!seen && patterns.absent)
            }
            None => patterns.matches(Scalar::Text(escape(text, escaped))),
        };
        spare.shrink();
        matches
    })
}

fn is_plain_array(document: Document<'_>) -> bool {
    document.kind(Document::ROOT) == Kind::Array
        && document.elements(Document::ROOT).all(|element| document.scalar(element).is_some())
}

impl Spare {
    fn shrink(&mut self) {
        self.scratch.shrink_to(KEPT_BYTES);
        self.escaped.clear();
        self.escaped.shrink_to(KEPT_BYTES);
    }
}

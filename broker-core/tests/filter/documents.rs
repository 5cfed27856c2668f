//! What is taken for a JSON object: what `serde_json` takes for one.

use broker_core::filter::{Document, Scratch};
use proptest::{collection::vec, prelude::*, sample::select};
use serde_json::Value;

/// Pieces of which JSON and almost JSON is made.
const PIECES: [&str; 37] = [
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "\"",
    "\"a\"",
    "\"a\":",
    "{\"a\":",
    "{\"b\":1,",
    "1",
    "0",
    "-",
    ".",
    "e",
    "+",
    "true",
    "false",
    "null",
    " ",
    "\n",
    "\\",
    "\\\"",
    "\\u0041",
    "\\ud83d",
    "\\ude00",
    "\\n",
    "\\/",
    "\\x",
    "ä",
    "😀",
    "\u{1}",
    "a long string with no end of plain letters",
    "\u{7f}",
    "[]",
    "{}",
];

fn agrees(body: &[u8], scratch: &mut Scratch) -> Result<(), TestCaseError> {
    let theirs = match serde_json::from_slice::<Value>(body) {
        // Numbers that no double holds are numbers of JSON all the same.
        Err(error) if error.to_string().contains("number out of range") => return Ok(()),
        theirs => theirs.is_ok_and(|value| value.is_object()),
    };
    let ours = Document::parse(body, scratch).is_some();
    prop_assert_eq!(ours, theirs, "{:?}", String::from_utf8_lossy(body));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, ..ProptestConfig::default() })]

    /// N61: of pieces of JSON, at any place in an object.
    #[test]
    fn an_object_is_what_serde_json_takes_for_one(pieces in vec(select(&PIECES[..]), 0..12)) {
        let mut scratch = Scratch::default();
        let pieces = pieces.concat();
        for body in [pieces.clone(), format!("{{\"a\":{pieces}}}"), format!("{{\"a\":\"{pieces}\"}}"), format!("{{\"a\":[{pieces}]}}")] {
            agrees(body.as_bytes(), &mut scratch)?;
        }
    }

    /// N61: of bytes that need not be UTF-8.
    #[test]
    fn other_bytes_are_no_object(before in ".{0,12}", byte: u8, behind in ".{0,12}") {
        let mut body = format!("{{\"a\":{}", serde_json::to_string(&before).unwrap()).into_bytes();
        let inside = body.len() - 1;
        body.insert(inside, byte);
        body.extend(behind.bytes());
        body.push(b'}');
        agrees(&body, &mut Scratch::default())?;
    }
}

/// N61, T7.
#[test]
fn an_object_is_up_to_127_deep() {
    let mut scratch = Scratch::default();
    for (depth, taken) in [(126, true), (127, false)] {
        let body = format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(Document::parse(body.as_bytes(), &mut scratch).is_some(), taken, "{depth}");
        agrees(body.as_bytes(), &mut scratch).unwrap();
    }
}

/// Text of every length around a word, with and without what ends or escapes it.
#[test]
fn strings_of_any_length_are_found_to_their_end() {
    let mut scratch = Scratch::default();
    for length in 0..40 {
        for special in ["", "\"", "\\", "\\\"", "\u{1f}", "\u{20}", "é", "\u{80}"] {
            for place in 0..=length {
                let body =
                    format!("{{\"a\":\"{}{special}{}\"}}", "x".repeat(place), "y".repeat(length - place));
                agrees(body.as_bytes(), &mut scratch).unwrap();
            }
        }
    }
}

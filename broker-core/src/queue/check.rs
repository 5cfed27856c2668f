//! The checks on what comes in: names, sizes, characters (rules Q5, Q10, Q20 to Q35). Pure; they change nothing, so
//! whatever they refuse leaves no trace.

use std::collections::BTreeMap;

use super::{attributes::AttributeValue, message::SendMessage, settings::check_duration};
use crate::{
    error::{Error, Result, shown},
    limits::{BodyRule, Limits},
};

/// Refuses a queue name that is not 1 to 80 letters, digits, hyphens and underscores; that of a FIFO queue ends with
/// `.fifo`, which counts (rule Q5).
pub(crate) fn queue_name(name: &str, fifo: bool, limits: &Limits) -> Result<()> {
    let stem = match (name.strip_suffix(".fifo"), fifo) {
        (Some(stem), true) => stem,
        (Some(_), false) => {
            return Err(Error::invalid("name", name, "the suffix .fifo is for FIFO queues only"));
        }
        (None, true) => return Err(Error::invalid("name", name, "that of a FIFO queue must end with .fifo")),
        (None, false) => name,
    };
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    let max = limits.queue_name_chars_max.min(NAME_CHARS_CEILING);
    if stem.is_empty() || name.len() > max || !stem.bytes().all(allowed) {
        let reason = format!("must be 1 to {max} letters, digits, hyphens and underscores");
        return Err(Error::invalid("name", name, reason));
    }
    Ok(())
}

/// No limit may be raised above this: names are in the keys of the store, which have at most 1,024 bytes.
pub(crate) const NAME_CHARS_CEILING: usize = 1_000;

/// Refuses more tags than allowed, or a tag without a key (rule Q10).
pub(crate) fn tags(tags: &BTreeMap<String, String>, limits: &Limits) -> Result<()> {
    if tags.len() > limits.tags_max {
        let reason = format!("at most {} are allowed", limits.tags_max);
        return Err(Error::invalid("tags", tags.len(), reason));
    }
    for (key, value) in tags {
        if key.is_empty() || key.len() > TAG_KEY_BYTES_MAX {
            return Err(Error::invalid("tag key", key, format!("must have 1 to {TAG_KEY_BYTES_MAX} bytes")));
        }
        if value.len() > TAG_VALUE_BYTES_MAX {
            return Err(Error::invalid("tag value", value, format!("at most {TAG_VALUE_BYTES_MAX} bytes")));
        }
    }
    let stored = serde_json::to_vec(tags).map_or(usize::MAX, |stored| stored.len());
    if stored > TAGS_STORED_BYTES_MAX {
        let reason = format!("at most {TAGS_STORED_BYTES_MAX} bytes of JSON are allowed");
        return Err(Error::invalid("tags", format!("{stored} bytes of JSON"), reason));
    }
    Ok(())
}

/// All tags of a queue as they are stored. With the rest of a definition that stays below the 64 KiB of a meta value.
const TAGS_STORED_BYTES_MAX: usize = 60 * 1024;

const TAG_KEY_BYTES_MAX: usize = 512;
const TAG_VALUE_BYTES_MAX: usize = 1024;

/// Everything about a message that does not depend on its queue's state. Its size is checked by the queue.
pub(crate) fn message(message: &SendMessage, fifo: bool, limits: &Limits) -> Result<()> {
    body(&message.body, limits)?;
    check_duration("delay", message.delay, std::time::Duration::ZERO, limits.delay_max)?;
    if message.attributes.len() > limits.attributes_max {
        let reason = format!("at most {} are allowed", limits.attributes_max);
        return Err(Error::invalid("attributes", message.attributes.len(), reason));
    }
    for (name, value) in message.attributes.iter() {
        attribute_name(name, limits)?;
        attribute_value(name, value, limits)?;
    }
    if let Some(group_id) = &message.group_id {
        id_of_128("group_id", group_id)?;
    }
    if fifo && message.group_id.is_none() {
        return Err(Error::MissingParameter { field: "group_id" });
    }
    match &message.deduplication_id {
        Some(id) if fifo => id_of_128("deduplication_id", id)?,
        Some(id) => return Err(Error::invalid("deduplication_id", id, "is not valid for this queue type")),
        None => {}
    }
    // Rule F12. Zero is taken, and the queue's delay holds all the same.
    if let Some(delay) = message.delay.filter(|delay| fifo && !delay.is_zero()) {
        let reason = "a FIFO queue has one delay for all its messages";
        return Err(Error::invalid("delay", format!("{delay:?}"), reason));
    }
    if let Some(trace_header) = &message.trace_header
        && (trace_header.is_empty() || trace_header.len() > TRACE_HEADER_BYTES_MAX)
    {
        let reason = format!("must have 1 to {TRACE_HEADER_BYTES_MAX} bytes");
        return Err(Error::invalid("trace_header", trace_header, reason));
    }
    Ok(())
}

/// X-Ray's headers have a few hundred bytes; the limit is that of an attribute's worth, so that rows stay bounded.
const TRACE_HEADER_BYTES_MAX: usize = 1024;

/// Rule Q20.
fn body(body: &[u8], limits: &Limits) -> Result<()> {
    if body.is_empty() {
        return Err(Error::MissingParameter { field: "body" });
    }
    if limits.body == BodyRule::AnyBytes {
        return Ok(());
    }
    let text = std::str::from_utf8(body).map_err(|error| Error::InvalidMessageContents {
        position: error.valid_up_to(),
        what: "a byte that is not UTF-8".into(),
    })?;
    match forbidden_character(text) {
        Some((position, c)) => Err(Error::InvalidMessageContents {
            position,
            what: format!("the character {}", c.escape_unicode()),
        }),
        None => Ok(()),
    }
}

/// The first character that SQS does not take.
fn forbidden_character(text: &str) -> Option<(usize, char)> {
    // Nearly every body is printable ASCII, which one pass without a branch settles.
    if text.bytes().fold(true, |plain, b| plain & (0x20..0x80).contains(&b)) {
        return None;
    }
    let taken = |c| matches!(c, 0x09 | 0x0a | 0x0d | 0x20..=0xd7ff | 0xe000..=0xfffd | 0x1_0000..);
    text.char_indices().find(|(_, c)| !taken(u32::from(*c)))
}

/// Rule Q31. Two dots in a row are refused as documented, although AWS has been seen to take them.
pub(crate) fn attribute_name(name: &str, limits: &Limits) -> Result<()> {
    let max = limits.attribute_name_chars_max;
    let allowed = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '-');
    let refused = if name.is_empty() || name.chars().count() > max {
        format!("must have 1 to {max} characters")
    } else if !name.chars().all(allowed) {
        "may hold letters, digits, underscores, hyphens and dots".to_owned()
    } else if name.starts_with('.') || name.ends_with('.') || name.contains("..") {
        "must not start or end with a dot, nor have two in a row".to_owned()
    } else if has_prefix(name, "aws.") || has_prefix(name, "amazon.") {
        "must not start with AWS. or Amazon.".to_owned()
    } else {
        return Ok(());
    };
    Err(Error::invalid("attribute name", name, refused))
}

/// Whether `name` begins with `prefix`, in any case.
fn has_prefix(name: &str, prefix: &str) -> bool {
    name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

/// Rules Q32, Q33, Q35.
pub(crate) fn attribute_value(name: &str, value: &AttributeValue, limits: &Limits) -> Result<()> {
    let data_type = value.data_type();
    if data_type.len() > limits.attribute_type_bytes_max {
        let reason = format!("at most {} bytes are allowed", limits.attribute_type_bytes_max);
        return Err(Error::invalid("attribute type", data_type, reason));
    }
    let kind = data_type.split_once('.').map_or(data_type, |(kind, _)| kind);
    match (kind, value.text()) {
        ("String", Some(text)) => attribute_text(name, text),
        ("Number", Some(text)) => attribute_number(name, text),
        ("Binary", None) if value.bytes().is_empty() => Err(empty(name, "Binary")),
        ("Binary", None) => Ok(()),
        ("String" | "Number" | "Binary", _) => {
            Err(Error::invalid("attribute type", data_type, "does not fit the value's kind"))
        }
        _ => {
            Err(Error::invalid("attribute type", data_type, "must be String, Number or Binary, or start so"))
        }
    }
}

fn attribute_text(name: &str, text: &str) -> Result<()> {
    if text.is_empty() {
        return Err(empty(name, "String"));
    }
    match forbidden_character(text) {
        Some((position, c)) => {
            let reason = format!("holds the character {} at byte {position}", c.escape_unicode());
            Err(Error::invalid("attribute value", shown(text), reason))
        }
        None => Ok(()),
    }
}

fn empty(name: &str, kind: &str) -> Error {
    Error::invalid("attribute value", "\"\"", format!("the {kind} attribute {name} must not be empty"))
}

/// At most 38 significant digits, and a magnitude between 10^-128 and 10^126.
fn attribute_number(name: &str, text: &str) -> Result<()> {
    if text.is_empty() {
        return Err(empty(name, "Number"));
    }
    if number_is_allowed(text) {
        return Ok(());
    }
    let reason = "must be a number of at most 38 digits between 10^-128 and 10^126";
    Err(Error::invalid("attribute value", shown(text), reason))
}

const NUMBER_DIGITS_MAX: usize = 38;
const NUMBER_EXPONENTS: std::ops::RangeInclusive<i64> = -128..=126;

fn number_is_allowed(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()),
        None => (unsigned, Some(0)),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    let (Some(exponent), true) = (exponent, digits(whole) && digits(fraction)) else { return false };
    if whole.is_empty() && fraction.is_empty() {
        return false;
    }
    let all = format!("{whole}{fraction}");
    let significant = all.trim_start_matches('0');
    if significant.is_empty() {
        return true;
    }
    // The power of ten of the first significant digit.
    let Ok(leading) = i64::try_from(whole.len()) else { return false };
    let Ok(zeros) = i64::try_from(all.len() - significant.len()) else { return false };
    let magnitude = leading - zeros - 1 + i64::from(exponent);
    significant.trim_end_matches('0').len() <= NUMBER_DIGITS_MAX && NUMBER_EXPONENTS.contains(&magnitude)
}

/// Rule Q25: group ids and the like.
pub(crate) fn id_of_128(field: &'static str, id: &str) -> Result<()> {
    if id.is_empty() || id.len() > 128 || !id.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(Error::invalid(field, id, "must be 1 to 128 letters, digits and ASCII punctuation"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_38_digits_and_a_bounded_magnitude() {
        for good in
            ["0", "-1.5", "+2", ".5", "5.", "1e126", "1E-128", "000123.4500", &"9".repeat(38), "0e999999"]
        {
            assert!(number_is_allowed(good), "{good}");
        }
        let longest = format!("{}{}", "1".repeat(38), "0".repeat(50));
        assert!(number_is_allowed(&longest), "trailing zeros are not significant");
        for bad in [
            "",
            "-",
            ".",
            "1e",
            "1e127",
            "1e-129",
            "0x1",
            "1 ",
            "NaN",
            "1.2.3",
            "1e99999999999",
            &"9".repeat(39),
        ] {
            assert!(!number_is_allowed(bad), "{bad}");
        }
    }

    #[test]
    fn the_characters_of_sqs_are_taken_up_to_their_edges() {
        for good in ["\t\n\r ", "\u{d7ff}\u{e000}\u{fffd}", "\u{10000}\u{10ffff}", "ASCII", "\u{7f}"] {
            assert_eq!(forbidden_character(good), None, "{good:?}");
        }
        assert_eq!(forbidden_character("ab\u{0}"), Some((2, '\u{0}')));
        assert_eq!(forbidden_character("\u{fffe}"), Some((0, '\u{fffe}')));
        assert_eq!(forbidden_character("é\u{b}"), Some((2, '\u{b}')));
    }

    #[test]
    fn reserved_prefixes_are_found_in_any_case_and_never_split_a_character() {
        assert!(has_prefix("aWs.x", "aws.") && has_prefix("AMAZON.", "amazon."));
        assert!(!has_prefix("awsx", "aws.") && !has_prefix("awß", "aws."));
    }
}

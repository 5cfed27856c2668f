//! Sequence numbers on the wire. Beside those of records there are *places*: the number just below that of the record to come,
//! which a subscription tells so that its client can go on from there, also before the first record (rule K71).

use broker_core::RecordNumber;

/// How the numbers of records begin, and what stands before all of them.
const PREFIX: &str = "49";
const BEFORE_ALL: &str = "48";
/// The digits behind that.
const DIGITS: usize = 54;

/// The number just below this one.
pub(super) fn below(number: RecordNumber) -> String {
    match digits(&number.to_string()).and_then(|digits| digits.checked_sub(1)) {
        Some(below) => format!("{PREFIX}{below:0DIGITS$}"),
        None => format!("{BEFORE_ALL}{}", "9".repeat(DIGITS)),
    }
}

/// The number just above the one in this text, which may be a place.
pub(super) fn above(text: &str) -> Option<RecordNumber> {
    let above = match digits(text) {
        Some(digits) => digits.checked_add(1)?,
        None if text.strip_prefix(BEFORE_ALL)? == "9".repeat(DIGITS) => 0,
        None => return None,
    };
    format!("{PREFIX}{above:0DIGITS$}").parse().ok()
}

fn digits(text: &str) -> Option<u128> {
    let digits = text.strip_prefix(PREFIX)?;
    (digits.len() == DIGITS && digits.bytes().all(|b| b.is_ascii_digit())).then(|| digits.parse().ok())?
}

/// A hash key: a decimal number without zeros before it (rule K22).
pub(super) fn hash_key(text: &str) -> Option<u128> {
    let plain = text == "0" || (!text.starts_with('0') && text.bytes().all(|b| b.is_ascii_digit()));
    plain.then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn k71_places_lie_between_records() {
        let first: RecordNumber = format!("49{:054}", 0).parse().unwrap();
        let later: RecordNumber = format!("49{:054}", 7).parse().unwrap();
        for number in [first, later] {
            let place = below(number);
            assert_eq!(place.len(), 56);
            assert!(place < number.to_string());
            assert_eq!(above(&place), Some(number));
        }
        for text in
            ["", "49", "48", &format!("48{:054}", 0), &"9".repeat(56), &format!("49{}", "9".repeat(54))]
        {
            assert_eq!(above(text), None, "{text}");
        }
    }

    #[test]
    fn k22_hash_keys_are_plain_decimal_numbers() {
        assert_eq!(hash_key("0"), Some(0));
        assert_eq!(hash_key(&u128::MAX.to_string()), Some(u128::MAX));
        for text in ["", "00", "01", "+1", "-1", "1x", "340282366920938463463374607431768211456"] {
            assert_eq!(hash_key(text), None, "{text}");
        }
    }
}

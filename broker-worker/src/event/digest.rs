//! MD5 sums as SQS gives them. They guard against mistakes on the way, and nobody relies on them for more.

use broker_core::MessageAttributes;
use md5::{Digest, Md5};

/// What stands for a text value in the sum of attributes, and what for a binary one.
const TEXT: u8 = 1;
const BINARY: u8 = 2;

/// The sum of a body, in hexadecimal digits.
pub(super) fn of_body(body: &[u8]) -> String {
    hex(&Md5::digest(body))
}

/// The sum of the attributes in the order of their names. `None` if there are none.
pub(super) fn of_attributes(attributes: &MessageAttributes) -> Option<String> {
    if attributes.is_empty() {
        return None;
    }
    let mut sum = Md5::new();
    for (name, value) in attributes.iter() {
        with_length(&mut sum, name.as_bytes());
        with_length(&mut sum, value.data_type().as_bytes());
        sum.update([if value.text().is_some() { TEXT } else { BINARY }]);
        with_length(&mut sum, value.bytes());
    }
    Some(hex(&sum.finalize()))
}

fn with_length(sum: &mut Md5, bytes: &[u8]) {
    // No value is near 4 GiB: messages are far smaller.
    sum.update(u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
    sum.update(bytes);
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |half: u8| char::from(DIGITS[usize::from(half)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

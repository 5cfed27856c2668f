//! Message attributes: from the wire to the broker's (rules N30 to N32).

use broker_core::{AttributeValue, MessageAttributes};

use super::{
    errors,
    shapes::{MessageAttributeMap, MessageAttributeValue},
};
use crate::wire::error::WireResult;

/// The attributes of a message. `at` is where they are, for errors: nowhere, or in this entry of a batch.
pub(super) fn read(attributes: MessageAttributeMap, entry: Option<usize>) -> WireResult<MessageAttributes> {
    let mut read = MessageAttributes::new();
    for (name, value) in attributes {
        check_name(&name)?;
        let value = read_value(&name, value, entry)?;
        read.insert(name, value);
    }
    Ok(read)
}

/// A name has fewer bytes than this.
const NAME_BYTES_BELOW: usize = 257;

fn check_name(name: &str) -> WireResult<()> {
    if name.is_empty() || name.len() >= NAME_BYTES_BELOW {
        return Err(errors::invalid_value("Length of message attribute name must be less than 256 bytes."));
    }
    for (end, what) in [(name.starts_with('.'), "starting"), (name.ends_with('.'), "ending")] {
        if end {
            let message = format!("Invalid message attribute name {what} with character '.' was found.");
            return Err(errors::invalid_value(message));
        }
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if let Some(c) = name.chars().find(|c| !allowed(*c)) {
        return Err(errors::invalid_value(format!(
            "Invalid non-alphanumeric character '#x{:X}' was found in the message attribute name. Can only include \
             alphanumeric characters, hyphens, underscores, or dots.",
            u32::from(c)
        )));
    }
    if name.contains("..") {
        return Err(errors::invalid_value("Message attribute name can not have successive '.' character."));
    }
    Ok(())
}

fn read_value(name: &str, value: MessageAttributeValue, entry: Option<usize>) -> WireResult<AttributeValue> {
    let Some(data_type) = value.data_type else {
        let at = entry.map_or_else(String::new, |at| format!("publishBatchRequestEntries.{at}.member."));
        return Err(errors::missing(&format!("{at}messageAttributes.{name}.member.dataType")));
    };
    let kind = data_type.split_once('.').map_or(data_type.as_str(), |(kind, _)| kind);
    let binary = match kind {
        "Binary" => true,
        "String" | "Number" => false,
        _ => {
            return Err(errors::invalid_value(format!(
                "The message attribute '{name}' has an invalid message attribute type, the set of supported type \
                 prefixes is Binary, Number, and String."
            )));
        }
    };
    let empty = || {
        errors::invalid_value(format!(
            "The message attribute '{name}' must contain non-empty message attribute value for message attribute \
             type '{data_type}'."
        ))
    };
    let text = value.string_value;
    let bytes = value.binary_value.map(|blob| blob.0);
    match (binary, text, bytes) {
        (false, Some(text), _) if !text.is_empty() => Ok(AttributeValue::from_text(data_type, text)),
        (true, _, Some(bytes)) if !bytes.is_empty() => Ok(AttributeValue::from_binary(data_type, bytes)),
        (false, None, Some(_)) | (true, Some(_), None) => {
            let field = if binary { "Binary" } else { "String" };
            Err(errors::invalid_value(format!(
                "The message attribute '{name}' with type '{data_type}' must use field '{field}'."
            )))
        }
        _ => Err(empty()),
    }
}

//! What the files of a store are called. A name is made of a number and never taken from outside.

/// The file that is locked while a store is open.
pub(crate) const LOCK: &str = "lock";

/// The file that is given up when the device is full.
pub(crate) const RESERVE: &str = "reserve";

/// The file of a segment that died, kept for the next one.
pub(crate) const SPARE: &str = "spare";

/// The name of a segment.
pub(crate) fn of(number: u64) -> String {
    format!("{number:016x}.log")
}

/// The name of a segment while it is created.
pub(crate) fn unfinished(number: u64) -> String {
    format!("{number:016x}.new")
}

/// The number of the segment of that name.
pub(crate) fn segment(name: &str) -> Option<u64> {
    number(name.strip_suffix(".log")?)
}

/// Whether a segment of that name was being created.
pub(crate) fn is_unfinished(name: &str) -> bool {
    name.strip_suffix(".new").and_then(number).is_some()
}

/// Whether a store makes a file of this name in its directory: for whoever clears one away, and nothing else with it.
pub fn is_store_file(name: &str) -> bool {
    [LOCK, RESERVE, SPARE].contains(&name) || segment(name).is_some() || is_unfinished(name)
}

fn number(digits: &str) -> Option<u64> {
    let plain = digits.len() == 16 && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    plain.then(|| u64::from_str_radix(digits, 16).ok()).flatten()
}

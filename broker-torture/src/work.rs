//! What is sent: each item has a name, and its name says what is in it.
//!
//! The name goes beside the body, so that a body may have any length that the rules allow: a message has its name as its trace header,
//! which does not count towards its size and is at least one byte long itself (rule Q20); a record has it as its partition
//! key, and may have no data at all (rule K40).

use std::fmt;

use anyhow::Context as _;

/// The largest message of SQS.
const LARGEST_BYTES: u64 = 1 << 20;
/// Records stay until the store is given up, so they are small.
const RECORD_BYTES: u64 = 2_000;

pub(crate) const QUEUE: &str = "work";
pub(crate) const FIFO: &str = "orders.fifo";
pub(crate) const STREAM: &str = "clicks";
/// Groups of the FIFO queue and of the records.
pub(crate) const GROUPS: u64 = 3;

/// Where an item goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Place {
    Queue,
    Fifo,
    Stream,
}

/// An item, sent once: the number of a task of a life of the child.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Item {
    pub(crate) place: Place,
    pub(crate) life: u64,
    pub(crate) task: u64,
    pub(crate) number: u64,
}

impl Item {
    /// The group.
    pub(crate) fn group(self) -> String {
        format!("g{}", self.number % GROUPS)
    }

    /// Where a record of that group goes among all hash keys.
    pub(crate) fn hash(self) -> u128 {
        u128::MAX / u128::from(GROUPS) * u128::from(self.number % GROUPS)
    }

    /// Letters: as few as are allowed, a few, or on a queue sometimes as many as are allowed.
    pub(crate) fn body(self) -> String {
        let chance = mix(self.life << 40 ^ self.task << 32 ^ self.number);
        let most = match (self.place, chance % 50) {
            (Place::Queue, 0) => LARGEST_BYTES,
            (Place::Queue, 1..5) => 100_000,
            (Place::Queue, _) => 4_000,
            _ => RECORD_BYTES,
        };
        let least = u64::from(self.place != Place::Stream);
        // One in fifty of the large ones is exactly the largest, and one in ten of all the smallest.
        let bytes = match chance / 50 % 50 {
            0 => most,
            1..6 => least,
            _ => least + mix(chance) % (most - least),
        };
        let letters = (chance..).map(|at| char::from(b'a' + u8::try_from(at % 23).unwrap_or(0)));
        letters.take(usize::try_from(bytes).unwrap_or(usize::MAX)).collect()
    }

    /// The item of that name, if the body is its whole and nothing else.
    pub(crate) fn of(name: &str, body: &[u8]) -> anyhow::Result<Self> {
        let item: Self = name.parse()?;
        anyhow::ensure!(item.body().as_bytes() == body, "{item} has another body of {} bytes", body.len());
        Ok(item)
    }

    /// The same for a message.
    pub(crate) fn of_message(trace_header: Option<&str>, body: &[u8]) -> anyhow::Result<Self> {
        Self::of(trace_header.context("a message without a name")?, body)
    }
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = match self.place {
            Place::Queue => 'q',
            Place::Fifo => 'f',
            Place::Stream => 's',
        };
        write!(f, "{place}.{}.{}.{}", self.life, self.task, self.number)
    }
}

impl std::str::FromStr for Item {
    type Err = anyhow::Error;

    fn from_str(name: &str) -> anyhow::Result<Self> {
        let mut parts = name.split('.');
        let mut part = || parts.next().context("a name with too few parts");
        let place = match part()? {
            "q" => Place::Queue,
            "f" => Place::Fifo,
            "s" => Place::Stream,
            other => anyhow::bail!("no place is called {other:?}"),
        };
        Ok(Self { place, life: part()?.parse()?, task: part()?.parse()?, number: part()?.parse()? })
    }
}

/// A number that stands for the run of that number and for what it has said.
pub(crate) fn trace_of<'a>(number: u64, said: impl IntoIterator<Item = &'a str>) -> u64 {
    said.into_iter().fold(mix(number), |trace, words| {
        let eight = |part: &[u8]| part.iter().fold(0, |all, byte| all << 8 | u64::from(*byte));
        let trace = mix(trace ^ words.len() as u64);
        words.as_bytes().chunks(8).fold(trace, |trace, part| mix(trace ^ eight(part)))
    })
}

/// A number that looks like chance (splitmix64).
pub(crate) fn mix(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ mixed >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ mixed >> 31
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_have_any_length_that_is_allowed_and_any_change_of_one_is_seen() {
        for (place, least, most) in
            [(Place::Queue, 1, 1 << 20), (Place::Fifo, 1, 2_000), (Place::Stream, 0, 2_000)]
        {
            let (mut smallest, mut largest) = (usize::MAX, 0);
            for number in 0..5_000 {
                let item = Item { place, life: 3, task: 1, number };
                let (name, body) = (item.to_string(), item.body());
                smallest = smallest.min(body.len());
                largest = largest.max(body.len());
                assert_eq!(Item::of(&name, body.as_bytes()).unwrap(), item);
                let changed = body.replacen('a', "b", 1);
                assert!(Item::of(&name, changed.as_bytes()).is_err() || !body.contains('a'));
                assert!(
                    Item::of(&name, &body.as_bytes()[..body.len().saturating_sub(1)]).is_err()
                        || body.is_empty()
                );
            }
            assert_eq!((smallest, largest), (least, most), "{place:?}");
        }
    }
}

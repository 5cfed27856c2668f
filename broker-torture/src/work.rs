//! What is sent: each item has a name, and its name says what is in it.

use std::fmt;

use anyhow::Context as _;

/// The largest message of SQS.
const LARGEST_BYTES: u64 = 1 << 20;
/// Records stay until the store is given up, so they are small.
const RECORD_BYTES: u64 = 2_000;

pub(crate) const QUEUE: &str = "work";
pub(crate) const FIFO: &str = "orders.fifo";
pub(crate) const STREAM: &str = "clicks";
/// Groups of the FIFO queue, and partition keys of the stream.
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
    /// The group or partition key.
    pub(crate) fn group(self) -> String {
        format!("g{}", self.number % GROUPS)
    }

    /// Its name, and then letters: a few, or on a queue sometimes as many as are allowed.
    pub(crate) fn body(self) -> String {
        let name = format!("{self}:");
        let chance = mix(self.life << 40 ^ self.task << 32 ^ self.number);
        let most = match (self.place, chance % 50) {
            (Place::Queue, 0) => LARGEST_BYTES,
            (Place::Queue, 1..5) => 100_000,
            (Place::Queue, _) => 4_000,
            _ => RECORD_BYTES,
        };
        // One in fifty of the large ones is exactly the largest.
        let bytes = if (chance / 50).is_multiple_of(50) { most } else { mix(chance) % most };
        let letters = usize::try_from(bytes).unwrap_or(usize::MAX).saturating_sub(name.len());
        let alphabet = (chance..).map(|at| char::from(b'a' + u8::try_from(at % 23).unwrap_or(0)));
        name.chars().chain(alphabet.take(letters)).collect()
    }

    /// The item of that body, if the body is its whole and nothing else.
    pub(crate) fn of(body: &str) -> anyhow::Result<Self> {
        let (name, _) = body.split_once(':').context("a body without a name")?;
        let item: Self = name.parse()?;
        anyhow::ensure!(item.body() == body, "{item} has another body of {} bytes", body.len());
        Ok(item)
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
    fn a_body_names_its_item_and_any_change_of_it_is_seen() {
        let mut largest = 0;
        for number in 0..5_000 {
            let item = Item { place: Place::Queue, life: 3, task: 1, number };
            let body = item.body();
            largest = largest.max(body.len());
            assert_eq!(Item::of(&body).unwrap(), item);
            assert!(Item::of(&body.replacen('a', "b", 1)).is_err() || !body.contains('a'));
        }
        assert_eq!(largest, 1 << 20, "the largest message is among them");
    }
}

//! What a power cut does to that which was not durable.

use super::history::Numbers;

/// What becomes of that which was not durable.
pub enum Luck {
    /// All of it is lost.
    Bad,
    /// All of it is there: as if only the process had died.
    Good,
    /// Each piece for itself.
    Mixed(Numbers),
}

impl Luck {
    pub(super) fn holds(&mut self) -> bool {
        match self {
            Luck::Bad => false,
            Luck::Good => true,
            Luck::Mixed(numbers) => numbers.below(2) == 0,
        }
    }

    pub(super) fn write(&mut self, file: &mut Vec<u8>, offset: usize, bytes: &[u8], durable: bool) {
        let end = offset + bytes.len();
        let mut put = |from: usize, to: usize| {
            if file.len() < to {
                file.resize(to, 0);
            }
            file[from..to].copy_from_slice(&bytes[from - offset..to - offset]);
        };
        match self {
            _ if durable => put(offset, end),
            Luck::Good => put(offset, end),
            Luck::Bad => {}
            Luck::Mixed(numbers) => match numbers.below(6) {
                0 => {}
                1 => put(offset, end),
                // A length without the bytes.
                2 => file.resize(file.len().max(end), 0),
                3 => put(offset, offset + numbers.index(bytes.len() + 1)),
                // Pieces, as they lie in sectors or anyhow.
                kind => {
                    let mut from = offset;
                    while from < end {
                        let sector = (from / 512 + 1) * 512;
                        let to =
                            if kind == 4 { sector.min(end) } else { end.min(from + 1 + numbers.index(100)) };
                        if numbers.below(2) == 0 {
                            put(from, to);
                        }
                        from = to;
                    }
                }
            },
        }
    }
}

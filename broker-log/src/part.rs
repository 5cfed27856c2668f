//! The rows of one partition in one sealed segment: where their blocks are, and which rows are dead.
//!
//! Rows have ordinals, in the order of their sequence. A queue deletes near its head, so the dead are a number below which
//! all are, and bits for the rest of the blocks that it has touched. Blocks without a dead row take no memory.

use std::{collections::BTreeMap, sync::Arc};

use bytes::BufMut;

use crate::{
    fields::Fields,
    format::size,
    index::{self, BLOCK_ROWS, Block},
};

const WORDS: usize = 8;
type Bits = [u64; WORDS];
const _: () = assert!(WORDS as u64 * 64 == BLOCK_ROWS, "a bit for each row of a block");

/// See the module.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    blocks_at: u64,
    count: u64,
    pub(crate) last: u64,
    /// The first sequence of each block.
    fences: Arc<[u64]>,
    pub(crate) live: u64,
    pub(crate) live_bytes: u64,
    /// Every row with an ordinal below is dead.
    head: u64,
    /// The dead of the blocks at or behind `head`, by number of the block.
    dead: BTreeMap<u64, Bits>,
}

impl Part {
    pub(crate) fn new(blocks_at: u64, count: u64, last: u64, live_bytes: u64, fences: Vec<u64>) -> Self {
        let (fences, dead) = (fences.into(), BTreeMap::new());
        Self { blocks_at, count, last, fences, live: count, live_bytes, head: 0, dead }
    }

    pub(crate) fn first(&self) -> u64 {
        self.fences[0]
    }

    pub(crate) fn blocks(&self) -> u64 {
        self.fences.len() as u64
    }

    pub(crate) fn block_place(&self, number: u64) -> (u64, u64) {
        index::block_place(self.blocks_at, self.count, number)
    }

    /// The block that has `seq` if any has; the first one if `seq` comes before all.
    pub(crate) fn block_of(&self, seq: u64) -> u64 {
        (self.fences.partition_point(|first| *first <= seq) as u64).saturating_sub(1)
    }

    /// The first block with a row that lives.
    pub(crate) fn head_block(&self) -> u64 {
        self.head / BLOCK_ROWS
    }

    pub(crate) fn is_dead(&self, ordinal: u64) -> bool {
        let (block, word, bit) = place(ordinal);
        ordinal < self.head || self.dead.get(&block).is_some_and(|bits| bits[word] & bit != 0)
    }

    /// Marks a row dead. What it took is free now; nothing, if it was dead before.
    pub(crate) fn kill(&mut self, ordinal: u64, cost: u64) -> u64 {
        if self.is_dead(ordinal) {
            return 0;
        }
        let (block, word, bit) = place(ordinal);
        self.dead.entry(block).or_default()[word] |= bit;
        self.live -= 1;
        let freed = cost.min(self.live_bytes);
        self.live_bytes -= freed;
        while self.head < self.count
            && self.dead.get(&place(self.head).0).is_some_and(|bits| is_set(bits, self.head))
        {
            self.head += 1;
            if self.head.is_multiple_of(BLOCK_ROWS) {
                self.dead.remove(&(self.head / BLOCK_ROWS - 1));
            }
        }
        freed
    }

    /// The dead, for a checkpoint.
    pub(crate) fn encode_dead(&self, out: &mut Vec<u8>) {
        out.put_u64_le(self.live);
        out.put_u64_le(self.live_bytes);
        out.put_u64_le(self.head);
        out.put_u64_le(self.dead.len() as u64);
        for (block, bits) in &self.dead {
            out.put_u64_le(*block);
            for word in bits {
                out.put_u64_le(*word);
            }
        }
    }

    /// Takes over the dead of a checkpoint.
    pub(crate) fn decode_dead(&mut self, fields: &mut Fields<'_>) -> Option<()> {
        (self.live, self.live_bytes, self.head) = (fields.u64()?, fields.u64()?, fields.u64()?);
        for _ in 0..fields.count(8 * (WORDS + 1))? {
            let block = fields.u64()?;
            let mut bits = Bits::default();
            for word in &mut bits {
                *word = fields.u64()?;
            }
            (block < self.blocks()).then(|| self.dead.insert(block, bits))?;
        }
        (self.live > 0 && self.live <= self.count && self.head < self.count).then_some(())
    }

    /// Whether all its rows live, so that a checkpoint has nothing to say about it.
    pub(crate) fn is_whole(&self) -> bool {
        self.live == self.count
    }
}

/// The ordinal and the cost of a row in its block.
pub(crate) fn find(block: &Block, number: u64, seq: u64) -> Option<(u64, u64)> {
    let at = block.binary_search_by_key(&seq, |(found, _)| *found).ok()?;
    Some((number * BLOCK_ROWS + at as u64, block[at].1.cost()))
}

fn place(ordinal: u64) -> (u64, usize, u64) {
    (ordinal / BLOCK_ROWS, size(ordinal % BLOCK_ROWS / 64), 1 << (ordinal % 64))
}

fn is_set(bits: &Bits, ordinal: u64) -> bool {
    let (_, word, bit) = place(ordinal);
    bits[word] & bit != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_that_advances_leaves_no_bits_behind_and_a_hole_costs_one_block() {
        let mut part = Part::new(0, 2_000, 1_999, 2_000 * 10, vec![0, 512, 1_024, 1_536]);
        assert_eq!(part.kill(1_030, 10), 10);
        assert_eq!(part.kill(1_030, 10), 0, "it was dead");
        for ordinal in 0..1_100 {
            part.kill(ordinal, 10);
        }
        assert_eq!((part.head, part.live, part.live_bytes), (1_100, 900, 9_000));
        assert_eq!(part.dead.len(), 1, "the block of the head");
        let mut stored = Vec::new();
        part.encode_dead(&mut stored);
        let mut again = Part::new(0, 2_000, 1_999, 2_000 * 10, vec![0, 512, 1_024, 1_536]);
        again.decode_dead(&mut Fields(&stored)).unwrap();
        assert!((0..2_000).all(|ordinal| again.is_dead(ordinal) == (ordinal < 1_100)));
        for ordinal in (1_100..2_000).rev() {
            part.kill(ordinal, 10);
        }
        assert_eq!((part.head, part.live, part.live_bytes), (2_000, 0, 0));
    }
}

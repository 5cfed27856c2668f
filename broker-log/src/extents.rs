//! Which sealed segments have rows of a partition, and of which sequences.
//!
//! Mostly the segments follow one another. Those with rows that were moved overlap older ones, and so a search stops where
//! no earlier segment reaches the sequence.

/// Where rows are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Extent {
    pub(crate) first: u64,
    pub(crate) last: u64,
    pub(crate) segment: u64,
    /// The greatest `last` of this one and of all before it.
    reach: u64,
}

/// The extents of one partition, by first sequence.
#[derive(Debug, Clone, Default)]
pub(crate) struct Extents(Vec<Extent>);

impl Extents {
    pub(crate) fn insert(&mut self, first: u64, last: u64, segment: u64) {
        let at = self.0.partition_point(|extent| extent.first <= first);
        self.0.insert(at, Extent { first, last, segment, reach: last });
        self.measure();
    }

    /// Removes those of a segment. Says whether none is left.
    pub(crate) fn remove(&mut self, segment: u64) -> bool {
        self.0.retain(|extent| extent.segment != segment);
        self.measure();
        self.0.is_empty()
    }

    /// Those that may have `seq`.
    pub(crate) fn holding(&self, seq: u64) -> impl Iterator<Item = Extent> {
        let begun = self.0.partition_point(|extent| extent.first <= seq);
        let reaching = self.0[..begun].iter().rev().take_while(move |extent| extent.reach >= seq);
        reaching.filter(move |extent| extent.last >= seq).copied()
    }

    /// Those that may have `seq` or a later one, by first sequence.
    pub(crate) fn reaching(&self, seq: u64) -> impl Iterator<Item = Extent> {
        let short = self.0.partition_point(|extent| extent.reach < seq);
        self.0[short..].iter().filter(move |extent| extent.last >= seq).copied()
    }

    fn measure(&mut self) {
        let mut reach = 0;
        for extent in &mut self.0 {
            reach = extent.last.max(reach);
            extent.reach = reach;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_extent_that_can_have_a_sequence_is_found_however_they_overlap() {
        let spans = [(0, 9, 1), (10, 19, 2), (3, 40, 3), (20, 29, 4), (30, 39, 5), (3, 3, 6)];
        let mut extents = Extents::default();
        for (first, last, segment) in spans {
            extents.insert(first, last, segment);
        }
        let check = |extents: &Extents, gone: u64| {
            let left = || spans.iter().filter(|(_, _, segment)| *segment != gone);
            for seq in 0..45 {
                let mut found: Vec<_> = extents.holding(seq).map(|extent| extent.segment).collect();
                found.sort_unstable();
                let holding = left().filter(|(first, last, _)| (*first..=*last).contains(&seq));
                assert!(found.into_iter().eq(holding.map(|span| span.2)), "holding {seq} without {gone}");
                let reaching = left().filter(|(_, last, _)| *last >= seq).count();
                assert_eq!(extents.reaching(seq).count(), reaching, "reaching {seq} without {gone}");
            }
        };
        check(&extents, 0);
        assert!(!extents.remove(3));
        check(&extents, 3);
    }
}

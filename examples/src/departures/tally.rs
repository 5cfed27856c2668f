//! The totals, over a set of rows: a row that is added twice counts once.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};

use super::{journal::Record, row::Departure};

/// What is known about the rows of one input.
#[derive(Debug, Clone)]
pub(super) struct Tally {
    rows: u64,
    done: RowSet,
    done_count: u64,
    pub(super) totals: Totals,
    /// Every row below this number has been sent.
    pub(super) sent_below: u64,
    /// How often a row was added that was there.
    pub(super) repeats: u64,
}

/// What the rows come to. Whole numbers, so that the order of the rows makes no difference.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Totals {
    pub(super) carriers: BTreeMap<String, Carrier>,
    /// Rows that did not parse.
    pub(super) rejected: u64,
}

/// The totals of a carrier.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Carrier {
    /// Flights that departed.
    pub(super) departed: u64,
    pub(super) cancelled: u64,
    /// The sum over those that departed, in minutes.
    pub(super) delay_minutes: i64,
}

impl Carrier {
    pub(super) fn flights(&self) -> u64 {
        self.departed + self.cancelled
    }

    /// Adds another carrier's totals.
    pub(super) fn add(&mut self, other: &Self) {
        self.departed += other.departed;
        self.cancelled += other.cancelled;
        self.delay_minutes += other.delay_minutes;
    }
}

impl Totals {
    /// Adds one row.
    pub(super) fn add(&mut self, departure: &Departure) {
        if !self.carriers.contains_key(&departure.carrier) {
            self.carriers.insert(departure.carrier.clone(), Carrier::default());
        }
        let carrier = self.carriers.get_mut(&departure.carrier).expect("inserted if it was missing");
        match departure.delay {
            Some(delay) => {
                carrier.departed += 1;
                carrier.delay_minutes += i64::from(delay);
            }
            None => carrier.cancelled += 1,
        }
    }

    /// The totals of all carriers together.
    pub(super) fn all(&self) -> Carrier {
        let mut all = Carrier::default();
        self.carriers.values().for_each(|carrier| all.add(carrier));
        all
    }
}

impl Tally {
    /// Nothing yet, of an input with so many rows.
    pub(super) fn new(rows: u64) -> Self {
        let done = RowSet::default();
        Self { rows, done, done_count: 0, totals: Totals::default(), sent_below: 0, repeats: 0 }
    }

    /// Adds what the journal says. A row that is there already changes nothing.
    pub(super) fn apply(&mut self, record: &Record) -> Result<()> {
        let row = match record {
            Record::Sent { below } => {
                ensure!(*below <= self.rows, "{below} rows sent, but the input has {}", self.rows);
                self.sent_below = self.sent_below.max(*below);
                return Ok(());
            }
            Record::Row { row, .. } | Record::Rejected { row } => *row,
        };
        ensure!(row < self.rows, "row {row} is named, but the input has {} rows", self.rows);
        if !self.done.insert(row) {
            self.repeats += 1;
            return Ok(());
        }
        self.done_count += 1;
        match record {
            Record::Row { departure, .. } => self.totals.add(departure),
            Record::Rejected { .. } => self.totals.rejected += 1,
            Record::Sent { .. } => {}
        }
        Ok(())
    }

    /// Whether the row's result is known.
    pub(super) fn is_done(&self, row: u64) -> bool {
        self.done.contains(row)
    }

    /// How many rows' results are known.
    pub(super) fn done_count(&self) -> u64 {
        self.done_count
    }

    /// Whether every row's result is known.
    pub(super) fn is_complete(&self) -> bool {
        self.done_count == self.rows
    }
}

/// A set of row numbers, one bit each.
#[derive(Debug, Clone, Default)]
struct RowSet(Vec<u64>);

impl RowSet {
    fn place(row: u64) -> (usize, u64) {
        let word = usize::try_from(row / 64).expect("a row was counted, so its bit fits the address space");
        (word, 1 << (row % 64))
    }

    /// Whether the row was not in the set before.
    fn insert(&mut self, row: u64) -> bool {
        let (word, bit) = Self::place(row);
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        let new = self.0[word] & bit == 0;
        self.0[word] |= bit;
        new
    }

    fn contains(&self, row: u64) -> bool {
        let (word, bit) = Self::place(row);
        self.0.get(word).is_some_and(|bits| bits & bit != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(row: u64, delay: Option<i32>) -> Record {
        Record::Row { row, departure: Departure { carrier: "UA".into(), delay } }
    }

    #[test]
    fn a_row_counts_once_however_often_it_comes() {
        let mut tally = Tally::new(200);
        for record in [row(7, Some(3)), row(150, None), row(7, Some(3)), Record::Rejected { row: 0 }] {
            tally.apply(&record).unwrap();
        }
        tally.apply(&Record::Rejected { row: 0 }).unwrap();
        assert_eq!((tally.done_count(), tally.repeats, tally.totals.rejected), (3, 2, 1));
        assert_eq!(tally.totals.all(), Carrier { departed: 1, cancelled: 1, delay_minutes: 3 });
        assert!(tally.is_done(150) && !tally.is_done(149) && !tally.is_complete());
    }

    #[test]
    fn a_row_that_the_input_does_not_have_is_refused() {
        let mut tally = Tally::new(2);
        assert!(tally.apply(&row(2, None)).is_err());
        assert!(tally.apply(&Record::Sent { below: 3 }).is_err());
        assert!(tally.apply(&Record::Sent { below: 2 }).is_ok());
    }
}

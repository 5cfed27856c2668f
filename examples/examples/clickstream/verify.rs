//! What the groups found out, and whether that is what a straight computation over the file finds.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Result, ensure};
use broker_examples::flights::Columns;

use crate::Shared;

/// Departures, and the minutes of delay of those that were late.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) departures: u64,
    pub(crate) minutes_late: u64,
}

impl Tally {
    pub(crate) fn add(&mut self, columns: &Columns, line: &str) -> Result<()> {
        let [_, _, _, delay, _] = columns.of(line)?;
        self.departures += 1;
        self.minutes_late += delay.parse::<i64>().map_or(0, |minutes| minutes.max(0).unsigned_abs());
        Ok(())
    }
}

impl Shared {
    /// Compares what the groups got with the file.
    pub(crate) fn verify(&self, from: Duration) -> Result<()> {
        let (mut in_order, mut carriers) = (BTreeMap::<&str, Vec<&str>>::new(), BTreeMap::new());
        let mut board = Tally::default();
        for (flight, arrival) in self.flights.iter().zip(&self.arrivals) {
            in_order.entry(&flight.tail).or_default().push(&flight.line);
            self.count(&mut carriers, &flight.line)?;
            if *arrival >= from {
                board.add(&self.columns, &flight.line)?;
            }
        }
        let logbooks = self.logbooks.lock();
        ensure!(logbooks.len() == in_order.len(), "{} logbooks, {} aircraft", logbooks.len(), in_order.len());
        for (tail, lines) in &in_order {
            ensure!(
                logbooks[*tail].lines == *lines,
                "the flights of {tail} are not those of the file, in order"
            );
        }
        let moved = logbooks.values().filter(|book| book.shards.len() > 1).count();
        ensure!(moved > 0, "no aircraft went on in another shard");
        println!("logbooks: {} aircraft, each in the order of the file", logbooks.len());
        println!("logbooks: {moved} of them went on in another shard");
        ensure!(*self.carriers.lock() == carriers, "the carriers are not those of the file");
        let Tally { departures, minutes_late } = sum(carriers.values());
        println!(
            "carriers: {departures} departures of {} carriers, {minutes_late} minutes late",
            carriers.len()
        );
        ensure!(*self.board.lock() == board, "the board is not that of the file since its hour: {board:?}");
        println!(
            "board: {} departures since its hour, {} minutes late",
            board.departures, board.minutes_late
        );
        println!("verified: equal to the straight computation");
        Ok(())
    }
}

fn sum<'t>(tallies: impl Iterator<Item = &'t Tally>) -> Tally {
    tallies.fold(Tally::default(), |sum, one| Tally {
        departures: sum.departures + one.departures,
        minutes_late: sum.minutes_late + one.minutes_late,
    })
}

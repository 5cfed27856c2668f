//! What the user gets to see at the end: the totals as a table, the throughput, the broker's counters.

use std::{
    io::{self, Write},
    time::Duration,
};

use broker_core::QueueCounters;

use super::tally::{Carrier, Totals};

/// Everything there is to say about a run.
pub(super) struct Report<'a> {
    pub(super) totals: &'a Totals,
    pub(super) run: &'a Run,
}

/// What a run did.
pub(super) struct Run {
    pub(super) workers: u16,
    pub(super) elapsed: Duration,
    /// Rows that got their result in this run.
    pub(super) done: u64,
    /// How long the sending took.
    pub(super) sending: Duration,
    pub(super) sent: u64,
    pub(super) received: u64,
    /// Messages that had been received before.
    pub(super) redelivered: u64,
    /// Journal lines for rows that had one already.
    pub(super) repeats: u64,
    /// Copies that were in the queue at the end.
    pub(super) left_over: u64,
    /// Dead letters that were moved back.
    pub(super) moved_back: u64,
    /// Some of the dead letters, in words.
    pub(super) dead_letters: Vec<String>,
    pub(super) departures: QueueCounters,
    pub(super) rejected: QueueCounters,
}

impl Report<'_> {
    pub(super) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let Self { totals, run } = self;
        write_totals(out, totals)?;
        let (rejected, kept) = (totals.rejected, run.rejected.total());
        writeln!(out, "rows that did not parse: {rejected} (kept in departures-rejected: {kept})")?;
        if kept > rejected {
            writeln!(out, "  {} of those kept are copies, set aside again after a crash", kept - rejected)?;
        }
        for dead_letter in &run.dead_letters {
            writeln!(out, "  {dead_letter}")?;
        }
        if run.moved_back > 0 {
            writeln!(out, "  moved back, because rows were missing: {}", run.moved_back)?;
        }
        writeln!(out)?;
        let (workers, seconds) = (run.workers, run.elapsed.as_secs_f64());
        let rate = rate(run.done, run.elapsed);
        writeln!(out, "done:     {} rows in {seconds:.2} s, {rate} rows/s, {workers} workers", run.done)?;
        let (seconds, rate) = (run.sending.as_secs_f64(), self::rate(run.sent, run.sending));
        writeln!(out, "sent:     {} messages in {seconds:.2} s, {rate} messages/s", run.sent)?;
        let Run { received, redelivered, repeats, left_over, .. } = run;
        writeln!(out, "received: {received} messages, {redelivered} of them not for the first time")?;
        writeln!(
            out,
            "copies:   {repeats} rows journalled again, {left_over} copies left in the queue, removed"
        )?;
        for (name, counters) in [("departures", run.departures), ("departures-rejected", run.rejected)] {
            let QueueCounters { visible, in_flight, delayed } = counters;
            writeln!(out, "queue {name}: {visible} visible, {in_flight} in flight, {delayed} delayed")?;
        }
        Ok(())
    }
}

/// The totals as a table.
pub(super) fn write_totals(out: &mut impl Write, totals: &Totals) -> io::Result<()> {
    writeln!(out)?;
    writeln!(out, "{:<8} {:>9} {:>10} {:>11}", "carrier", "flights", "cancelled", "mean delay")?;
    for (name, carrier) in &totals.carriers {
        write_carrier(out, name, carrier)?;
    }
    write_carrier(out, "total", &totals.all())?;
    writeln!(out)
}

fn write_carrier(out: &mut impl Write, name: &str, carrier: &Carrier) -> io::Result<()> {
    let delay = mean(carrier).map_or("-".to_owned(), |minutes| format!("{minutes:.2} min"));
    writeln!(out, "{name:<8} {:>9} {:>10} {delay:>11}", carrier.flights(), carrier.cancelled)
}

#[allow(
    clippy::cast_precision_loss,
    reason = "for people, to two digits; a check compares the whole numbers"
)]
fn mean(carrier: &Carrier) -> Option<f64> {
    (carrier.departed > 0).then(|| carrier.delay_minutes as f64 / carrier.departed as f64)
}

fn rate(count: u64, time: Duration) -> u128 {
    u128::from(count) * 1_000 / time.as_millis().max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_a_line_per_carrier_and_a_total() {
        let mut totals = Totals::default();
        let flown = Carrier { departed: 2, cancelled: 1, delay_minutes: -3 };
        totals.carriers.insert("UA".into(), flown);
        totals.carriers.insert("9E".into(), Carrier { cancelled: 4, ..Carrier::default() });
        let mut out = Vec::new();
        write_totals(&mut out, &totals).unwrap();
        let lines: Vec<_> = std::str::from_utf8(&out).unwrap().lines().map(str::to_owned).collect();
        assert_eq!(lines[2], "9E               4          4           -");
        assert_eq!(lines[3], "UA               3          1   -1.50 min");
        assert_eq!(lines[4], "total            7          5   -1.50 min");
    }
}

//! Tumbling windows: which records belong together, and what their state is (rule L90). Pure.

use broker_core::{Record, Timestamp};
use serde_json::{Value, json};

use super::batch::Window;

/// The largest state, in bytes of JSON.
pub(super) const STATE_BYTES_MAX: usize = 1024 * 1024;

/// The windows of a shard.
#[derive(Debug)]
pub(super) struct Tumbling {
    length_ms: u64,
    open: Option<OpenWindow>,
    /// Windows before this are closed, and not opened again: a record that comes late counts for the next one.
    closed_until: u64,
}

#[derive(Debug)]
struct OpenWindow {
    start: u64,
    end: u64,
    state: Value,
    /// Its last record, which stands for the window where there are no records.
    last: Record,
    /// The state is too large: nothing more comes into this window.
    too_large: bool,
}

impl Tumbling {
    pub(super) fn new(length_ms: u64) -> Self {
        Self { length_ms: length_ms.max(1), open: None, closed_until: 0 }
    }

    /// Where the window of a record begins and ends.
    fn bounds(&self, record: &Record) -> (u64, u64) {
        let arrived = record.arrived_at.as_millis().max(self.closed_until);
        let start = arrived - arrived % self.length_ms;
        (start, start.saturating_add(self.length_ms))
    }

    /// Whether two records belong together.
    pub(super) fn same(&self, one: &Record, other: &Record) -> bool {
        self.bounds(one) == self.bounds(other)
    }

    /// The open window, if it is over: because of its state, because this is the next record, or because of the time, if there is
    /// none. `ended`: the shard is at its end.
    pub(super) fn over(&self, next: Option<&Record>, now: u64, ended: bool) -> bool {
        let Some(open) = &self.open else { return false };
        let past = match next {
            Some(next) => self.bounds(next).0 > open.start,
            None => ended || now >= open.end,
        };
        open.too_large || past
    }

    /// When the open window is over if nothing more comes.
    pub(super) fn ends_at(&self) -> Option<u64> {
        self.open.as_ref().map(|open| open.end)
    }

    /// The window of these records, opened if it is not.
    pub(super) fn window(&mut self, records: &[Record]) -> Option<Window> {
        let last = records.last()?;
        let (start, end) = self.bounds(last);
        let open = self.open.get_or_insert_with(|| OpenWindow {
            start,
            end,
            state: json!({}),
            last: last.clone(),
            too_large: false,
        });
        open.last = last.clone();
        Some(open.describe(false))
    }

    /// The last invocation of the open window, and the record that stands for it.
    pub(super) fn last_invocation(&self) -> Option<(Window, Record)> {
        self.open.as_ref().map(|open| (open.describe(true), open.last.clone()))
    }

    /// The window has this state now.
    pub(super) fn set_state(&mut self, state: Value, bytes: usize) {
        if let Some(open) = &mut self.open {
            (open.state, open.too_large) = (state, bytes > STATE_BYTES_MAX);
        }
    }

    /// The window is closed. If that was before its time, what belongs to the rest of it makes another.
    pub(super) fn close(&mut self) {
        if let Some(open) = self.open.take()
            && !open.too_large
        {
            self.closed_until = self.closed_until.max(open.end);
        }
    }
}

impl OpenWindow {
    fn describe(&self, is_final: bool) -> Window {
        Window {
            start: Timestamp::from_millis(self.start),
            end: Timestamp::from_millis(self.end),
            state: self.state.clone(),
            is_final,
            is_terminated_early: is_final && self.too_large,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(sequence: u64, arrived_at: u64) -> Record {
        Record {
            number: format!("49{sequence:054}").parse().unwrap(),
            partition_key: "key".into(),
            data: bytes::Bytes::new(),
            arrived_at: Timestamp::from_millis(arrived_at),
        }
    }

    // L90
    #[test]
    fn a_record_that_comes_after_its_window_was_closed_counts_for_the_next_one() {
        let mut tumbling = Tumbling::new(1_000);
        let start = |window: Option<Window>| window.unwrap().start.as_millis();
        assert_eq!(start(tumbling.window(&[record(1, 5_100)])), 5_000);
        tumbling.close();
        assert_eq!(start(tumbling.window(&[record(2, 5_900)])), 6_000);
        // One that was too large was ended before its time: what belongs to the rest of it makes another.
        tumbling.set_state(json!({}), STATE_BYTES_MAX + 1);
        tumbling.close();
        assert_eq!(start(tumbling.window(&[record(3, 6_900)])), 6_000);
    }
}

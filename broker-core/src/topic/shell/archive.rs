//! The archive of a FIFO topic: finding a time in it, and giving up what is older than it need keep.

use super::{LocalTopic, TopicInner};
use crate::{
    error::Result,
    queue::fetch::first_since,
    storage::{Page, Storage},
    sync::yield_now,
};

/// One row is enough to know the time of a place in the archive.
const ONE: Page = Page { entries: 1, bytes: 1 };
/// How often an archive that is published to is looked through: what is too old may stay that much longer.
const TRIM_EVERY_MS: u64 = 3_600_000;
/// Sequences given up in one commit: a few milliseconds of work between other commits.
const TRIM_STEP: u64 = 1_024;

impl TopicInner {
    /// Has the archive looked through at the next occasion.
    pub(super) fn trim_soon(&mut self) {
        self.trim_at = 0;
    }
}

impl LocalTopic {
    /// Gives up what the archive need not keep, in the background, if it is time to look.
    pub(crate) fn trim_archive(&self) {
        let cell = &*self.cell;
        if !cell.fifo {
            return;
        }
        {
            let mut inner = cell.inner.lock();
            let now = cell.engine.timeline.now();
            if now < inner.trim_at || inner.state.head() == inner.state.tail() {
                return;
            }
            inner.trim_at = now.saturating_add(TRIM_EVERY_MS);
        }
        let (broker, name, id) = (self.broker.downgrade(), cell.name.clone(), cell.id);
        cell.engine.pipeline.runtime().spawn(async move {
            while let Some(broker) = broker.upgrade() {
                let Some(cell) = broker.topic_cell(&name).filter(|cell| cell.id == id) else { return };
                // A failed read harms nobody here, and a failed commit is told to others.
                if !matches!(LocalTopic { cell, broker }.trim_step().await, Ok(true)) {
                    return;
                }
                yield_now().await;
            }
        });
    }

    /// Gives up a part of what is too old. Returns whether there may be more.
    async fn trim_step(&self) -> Result<bool> {
        let (seen, ticket) = self.cell.operate(|inner, now, _| {
            let state = &inner.state;
            // Without an archive, everything.
            let before = state.settings.archive_ms().map_or(u64::MAX, |kept| now.saturating_sub(kept));
            Ok((state.partition(), state.head()..state.tail(), before))
        })?;
        ticket.wait().await?;
        let (partition, range, before) = seen;
        let read = move |store: &dyn Storage| {
            let keep_from = first_since(store, partition, range.clone(), before)?;
            let first = store.rows(partition, range.start..keep_from, ONE)?;
            Ok((keep_from, first.first().map(|(seq, _)| *seq)))
        };
        let (keep_from, first) = self.cell.engine.pipeline.read(read).await?;
        let below = first.map_or(keep_from, |first| first.saturating_add(TRIM_STEP).min(keep_from));
        let ((), ticket) = self.cell.operate(|inner, now, batch| {
            inner.state.trim(below, now, batch);
            Ok(())
        })?;
        ticket.wait().await?;
        Ok(below < keep_from)
    }
}

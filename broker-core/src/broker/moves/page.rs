//! Reading a stretch of the source queue, and finding out where each of its messages would go.

use std::{ops::Range, sync::Arc};

use super::{Broker, MoveFilter, MovePlan};
use crate::{
    error::Result,
    queue::{
        fetch::damaged_row,
        row::RowContent,
        shell::QueueCell,
        state::{ScanPage, Standing, Want},
    },
    storage::{Durability, Page},
};

/// The failure of a task whose message has no queue to go to, in the words of SQS.
pub(super) const NO_QUEUE: &str = "AWS.SimpleQueueService.NonExistentQueue";
/// The failure of a task whose message was not moved to the dead-letter queue from another, and so came from nowhere.
pub(super) const NO_SOURCE: &str = "CouldNotDetermineMessageSource";

/// Reads what a task could move.
pub(super) struct Reader<'a> {
    pub(super) broker: &'a Broker,
    pub(super) source: &'a QueueCell,
    pub(super) destination: Option<&'a str>,
    pub(super) filter: &'a MoveFilter,
}

/// Messages that were read, in the order of their sequences.
pub(super) struct Found {
    pub(super) page: ScanPage,
    pub(super) messages: Vec<(u64, Target)>,
}

/// Where a message would go.
pub(super) enum Target {
    /// The filter does not take it.
    Skipped,
    /// To this queue.
    Queue(Arc<QueueCell>, RowContent),
    /// It has nowhere to go.
    Nowhere(&'static str),
}

impl Reader<'_> {
    /// Reads a page of this stretch.
    pub(super) async fn read(&self, range: Range<u64>, page: Page) -> Result<Found> {
        let cell = self.source;
        // What is due in the time index must leave it before it can be told from what is not.
        cell.page_in(Want::Nothing).await?;
        let (scan, _) =
            cell.operate(Durability::Buffered, None, |op| Ok(op.state.scan(range, page, op.now)))?;
        cell.fence().wait().await?;
        let page = cell.engine.pipeline.read(move |store| scan.run(store)).await?;
        let partition = page.partition;
        let target = |seq, row| {
            let content = RowContent::read(row).map_err(|what| damaged_row(partition, seq, what))?;
            Ok((seq, self.target(content)))
        };
        let messages = page.rows.iter().map(|row| target(row.seq, &row.row)).collect::<Result<_>>()?;
        Ok(Found { page, messages })
    }

    fn target(&self, content: RowContent) -> Target {
        if !self.filter.takes(&content) {
            return Target::Skipped;
        }
        let name = match (self.destination, &content.origin) {
            (Some(destination), _) => destination,
            // A queue may have the name of the topic, but this did not come from it.
            (None, Some(origin)) if !origin.of_topic => &origin.why.source,
            (None, _) => return Target::Nowhere(NO_SOURCE),
        };
        let cell = self.broker.cell(name);
        match cell.filter(|cell| cell.is_fifo() == self.source.is_fifo() && cell.id != self.source.id) {
            Some(cell) => Target::Queue(cell, content),
            None => Target::Nowhere(NO_QUEUE),
        }
    }
}

impl MovePlan {
    pub(super) fn count(&mut self, standing: Standing, target: &Target) {
        match (standing, target) {
            (Standing::Gone, _) => {}
            (_, Target::Skipped) => self.skipped += 1,
            (Standing::Hidden, _) => self.in_flight += 1,
            (Standing::Visible, Target::Queue(cell, _)) => {
                self.matching += 1;
                *self.by_destination.entry(cell.name.clone()).or_default() += 1;
            }
            (Standing::Visible, Target::Nowhere(_)) => {
                self.matching += 1;
                self.stranded += 1;
            }
        }
    }
}

//! The task of a shard: gives its records to a processor, and tells it what becomes of its lease.

use std::pin::pin;

use tokio::sync::watch;

use super::{
    cell::LeaseKey,
    consumer::missed,
    processor::{Checkpointer, Command, Processor},
};
use crate::{error::Result, pipeline::Ticket, sync::Ordering};

/// How long after the end of a shard that was not checkpointed its processor is told again (rule K83).
const AGAIN_MS: u64 = 10_000;
/// Records given to a processor at once.
const BATCH: usize = 1_000;

/// Consumes a shard to its end, or until the lease is to go.
pub(super) async fn consume(
    mut processor: impl Processor,
    checkpointer: Checkpointer,
    mut commands: watch::Receiver<Command>,
    mut position: u64,
) -> Result<()> {
    let LeaseKey { stream, shard, .. } = checkpointer.key.clone();
    let cell = stream.cell.clone();
    processor.initialize(shard, stream.number(shard, position)).await;
    loop {
        // Enabled before the look: what happens after it is not missed.
        let mut news = pin!(cell.news().notified());
        news.as_mut().enable();
        let mut stopped = pin!(cell.engine.pipeline.stopped());
        stopped.as_mut().enable();
        let command = *commands.borrow_and_update();
        match command {
            Command::GoOn => {}
            Command::HandOver => {
                processor.shutdown_requested(&checkpointer).await;
                return Ok(());
            }
            Command::Lost => {
                processor.lease_lost().await;
                return Ok(());
            }
        }
        // Before the fetch: what is committed after that is waited for.
        let coming = cell.coming();
        let (records, next) = stream.fetch(shard, position, BATCH).await?;
        checkpointer.missed.fetch_add(missed(position, &records, next), Ordering::Relaxed);
        position = next;
        checkpointer.delivered.fetch_max(next, Ordering::AcqRel);
        if !records.is_empty() {
            processor.process(records, &checkpointer).await;
            continue;
        }
        let mut again = None;
        if stream.is_at_end(shard, position) {
            // A crash must not take the end back.
            cell.engine.pipeline.barrier()?.wait().await?;
            processor.shard_ended(&checkpointer).await;
            if checkpointer.key.end().await? {
                return Ok(());
            }
            again = Some(cell.engine.timeline.now().saturating_add(AGAIN_MS));
        }
        let again = cell.engine.timeline.sleep_until_any(again);
        let committed = Ticket::wait_if_any(coming.as_ref());
        tokio::select! {
            biased;
            changed = commands.changed() => if changed.is_err() { return Ok(()) },
            committed = committed => committed?,
            () = news => {}
            () = stopped => {}
            () = again => {}
        }
    }
}

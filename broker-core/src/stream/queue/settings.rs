//! Reading and changing the settings of a queue on a stream.

use std::time::Duration;

use super::{
    message::{DeadLetterTarget, StreamQueueSettings},
    shell::StreamQueue,
    stored::{StreamQueueDefinition, names},
};
use crate::{
    clock::{Timestamp, millis},
    error::Result,
    queue::{
        redrive::RedrivePolicy,
        shell::{Operation, QueueCell},
    },
    storage::Durability,
};

impl StreamQueue {
    /// The queue's settings, and when it was made. Cancel safe.
    pub async fn settings(&self) -> Result<(StreamQueueSettings, Timestamp)> {
        let read = |op: &mut Operation<'_>| {
            let settings = &op.state.settings;
            let dead_letter = match settings.redrive_policy {
                RedrivePolicy::DeadLetter { max_receive_count, .. } => {
                    DeadLetterTarget::BuiltIn { max_receive_count }
                }
                RedrivePolicy::None => DeadLetterTarget::None,
            };
            let visibility_timeout = Duration::from_millis(settings.visibility_timeout_ms);
            let made_at = Timestamp::from_millis(op.description.created_at);
            Ok((StreamQueueSettings { visibility_timeout, dead_letter }, made_at))
        };
        let (seen, ticket) = self.cell.ready.operate(Durability::Buffered, None, read)?;
        ticket.wait().await?;
        Ok(seen)
    }

    /// Changes the queue's settings. What is in flight keeps its visibility timeout; how often records may be received holds for
    /// those that were received before, too. Cancel safe in this sense: a dropped call has changed all or none.
    pub async fn set_settings(&self, settings: &StreamQueueSettings) -> Result<()> {
        let StreamQueue { stream, cell } = self;
        settings.check(&stream.cell.engine.limits)?;
        let [_, dead_name] = names(stream.name(), &cell.name);
        let set = |queue: &QueueCell, is_dead: bool, durability| {
            queue.operate(durability, None, |op| {
                let definition = StreamQueueDefinition {
                    id: cell.ready.id,
                    dead_id: cell.dead.id,
                    visibility_timeout_ms: millis(settings.visibility_timeout),
                    dead_letter: settings.dead_letter,
                    created_at: op.description.created_at,
                };
                definition.save(stream.cell.id, &cell.name, op.batch);
                let [ready, dead] = definition.settings(op.state.settings.retention_ms, &dead_name);
                let new = if is_dead { dead } else { ready };
                op.state.set_settings(new, op.now, op.batch);
                Ok(())
            })
        };
        // The second commit is behind this one, and waited for.
        let _ = set(&cell.ready, false, Durability::Buffered)?;
        let ((), ticket) = set(&cell.dead, true, Durability::Synced)?;
        ticket.wait().await
    }
}

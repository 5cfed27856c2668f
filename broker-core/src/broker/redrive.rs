//! Which queues send their dead letters where.

use super::{Broker, Entities};
use crate::{
    error::{Error, Result},
    queue::redrive::RedrivePolicy,
};

/// A chain of dead-letter queues longer than this is refused; real ones have one or two links.
const CHAIN_MAX: usize = 10;

impl Broker {
    /// Refuses a policy that the queue `source` cannot have (rules Q82, Q84, F50).
    pub(crate) fn check_redrive(&self, source: &str, fifo: bool, policy: &RedrivePolicy) -> Result<()> {
        self.entities.lock().check_redrive(source, fifo, policy)
    }

    /// The names of the queues that have `name` as their dead-letter queue, in order (rule Q85). Cancel safe.
    pub async fn dead_letter_source_queues(&self, name: &str) -> Result<Vec<String>> {
        let sources = {
            let entities = self.entities.lock();
            if !entities.queues.contains_key(name) {
                return Err(Error::QueueDoesNotExist { name: name.to_owned() });
            }
            entities.sources_of(name)
        };
        self.engine.pipeline.barrier()?.wait().await?;
        Ok(sources)
    }
}

impl Entities {
    /// The names of the queues whose policy names `target`, in order.
    pub(crate) fn sources_of(&self, target: &str) -> Vec<String> {
        let sends_to = |policy: &RedrivePolicy| policy.target().is_some_and(|(name, _)| name == target);
        let sources = self.queues.values().filter(|cell| sends_to(&cell.settings().redrive_policy));
        let mut names: Vec<_> = sources.map(|cell| cell.name.clone()).collect();
        names.sort_unstable();
        names
    }

    pub(super) fn check_redrive(&self, source: &str, fifo: bool, policy: &RedrivePolicy) -> Result<()> {
        let refuse = |name: &str, reason: String| Err(Error::invalid("redrive_policy", name, reason));
        let Some((target, _)) = policy.target() else { return Ok(()) };
        let Some(cell) = self.queues.get(target) else {
            return Err(Error::QueueDoesNotExist { name: target.to_owned() });
        };
        let settings = cell.settings();
        if settings.fifo.is_some() != fifo {
            return refuse(target, "must be FIFO exactly if the source queue is".into());
        }
        if !settings.redrive_allow_policy.allows(source) {
            return refuse(target, format!("does not allow {source:?} as a source queue"));
        }
        let mut next = Some(target.to_owned());
        for _ in 0..CHAIN_MAX {
            let Some(name) = next else { return Ok(()) };
            if name == source {
                return refuse(target, format!("would send its own dead letters back to {source:?}"));
            }
            let policy = self.queues.get(&name).map(|cell| cell.settings().redrive_policy);
            next = policy.and_then(|policy| policy.target().map(|(name, _)| name.to_owned()));
        }
        refuse(target, format!("is the first of more than {CHAIN_MAX} dead-letter queues in a row"))
    }
}

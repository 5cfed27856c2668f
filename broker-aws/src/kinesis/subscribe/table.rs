//! Who is subscribed to what, since when: one subscription per consumer and shard, and a new one takes over (rule K71).

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use broker_core::{ShardId, ShardIterator, Timestamp};
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::{call::Context, kinesis::errors, wire::error::WireResult};

/// For so long after a subscription no other takes over.
const SETTLED_AFTER: Duration = Duration::from_secs(5);

/// All subscriptions of a service.
#[derive(Debug, Clone, Default)]
pub(crate) struct Subscriptions {
    open: Arc<Mutex<BTreeMap<Key, Open>>>,
}

/// The ARN of the consumer, which has the realm in it, and the shard.
type Key = (String, ShardId);

#[derive(Debug)]
struct Open {
    since: Timestamp,
    end: watch::Sender<Option<End>>,
    behind_ms: Arc<AtomicU64>,
}

/// Why a subscription ends before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Another one took over.
    TakenOver,
    /// Its consumer was deregistered.
    Deregistered,
}

/// A subscription's place in the table, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    table: Subscriptions,
    key: Key,
    pub(super) end: watch::Receiver<Option<End>>,
    behind_ms: Arc<AtomicU64>,
}

impl Subscriptions {
    /// Takes the place of a consumer in a shard; whoever has had it for long enough loses it.
    pub(super) fn take(&self, context: &Context, consumer: &str, from: &ShardIterator) -> WireResult<Place> {
        let since = context.broker.now();
        let key = (consumer.to_owned(), from.shard());
        let mut open = self.open.lock();
        if let Some(other) = open.get(&key) {
            if since.since(other.since) < SETTLED_AFTER {
                let message = format!(
                    "Another active subscription exists for consumer {consumer} and shard {}, less than {} seconds old.",
                    key.1,
                    SETTLED_AFTER.as_secs()
                );
                return Err(errors::in_use(message));
            }
            other.end.send_replace(Some(End::TakenOver));
        }
        let (end, ended) = watch::channel(None);
        let behind_ms = Arc::new(AtomicU64::new(0));
        open.insert(key.clone(), Open { since, end, behind_ms: behind_ms.clone() });
        Ok(Place { table: self.clone(), key, end: ended, behind_ms })
    }

    /// Ends the subscriptions of a consumer that was deregistered.
    pub(in crate::kinesis) fn end_of(&self, consumer: &str) {
        for ((_, _), open) in self.open.lock().iter().filter(|((of, _), _)| of == consumer) {
            open.end.send_replace(Some(End::Deregistered));
        }
    }

    /// Consumer, shard, and how many milliseconds what was last sent is behind, for each subscription.
    #[cfg(feature = "serve")]
    pub(crate) fn iterator_ages(&self) -> Vec<(String, ShardId, u64)> {
        let open = self.open.lock();
        open.iter()
            .map(|((of, shard), open)| (of.clone(), *shard, open.behind_ms.load(Ordering::Relaxed)))
            .collect()
    }
}

impl Place {
    /// So far behind is what was sent last.
    pub(super) fn note_behind(&self, millis: u64) {
        self.behind_ms.store(millis, Ordering::Relaxed);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.table.open.lock();
        // Unless it was taken over.
        let own = open.get(&self.key).is_some_and(|open| Arc::ptr_eq(&open.behind_ms, &self.behind_ms));
        if own {
            open.remove(&self.key);
        }
    }
}

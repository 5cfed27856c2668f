//! Who had which message when, as the handlers saw it.

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;
use tokio::time::Instant;

/// What the handlers saw of each message, by its body.
#[derive(Clone)]
pub(crate) struct Ledger {
    start: Instant,
    messages: Arc<Mutex<HashMap<String, Seen>>>,
}

/// What they saw of one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    /// When each delivery began, in milliseconds, by its number.
    pub(crate) began: Vec<(u32, u64)>,
    /// How often a handler finished with success.
    pub(crate) done: usize,
}

impl Ledger {
    pub(crate) fn new() -> Self {
        Self { start: Instant::now(), messages: Arc::default() }
    }

    pub(crate) fn begins(&self, body: &str, delivery: u32) {
        let now = u64::try_from(self.start.elapsed().as_millis()).unwrap();
        self.messages.lock().entry(body.to_owned()).or_default().began.push((delivery, now));
    }

    pub(crate) fn done(&self, body: &str) {
        self.messages.lock().get_mut(body).unwrap().done += 1;
    }

    pub(crate) fn all(&self) -> HashMap<String, Seen> {
        self.messages.lock().clone()
    }
}

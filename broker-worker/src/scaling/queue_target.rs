//! What a [`QueueScaler`](crate::scaling::QueueScaler) looks at, and what a human has told it.

use std::time::Duration;

/// The length of a queue as a target, with the defaults of KEDA.
#[derive(Debug, Clone, PartialEq)]
pub struct QueueTarget {
    /// Messages for each worker: 5 by default, above zero.
    pub queue_length: f64,
    /// Only with more messages than that is there something to do: 0 by default.
    pub activation_queue_length: u64,
    /// Whether messages in flight count, as by default: a scaler that does not know of them takes away the workers that
    /// have them.
    pub scale_on_in_flight: bool,
    /// Whether delayed messages count; not by default.
    pub scale_on_delayed: bool,
    /// How often is looked whether there is something to do: every 30 seconds.
    pub polling_interval: Duration,
    /// How long there must have been nothing to do before the last worker goes: 300 seconds.
    pub cooldown: Duration,
    /// The same from the start, before there has been anything to do: 0 seconds.
    pub initial_cooldown: Duration,
    /// What to do when the queue cannot be read.
    pub fallback: Option<Fallback>,
    /// Pauses.
    pub pause: Pause,
}

impl Default for QueueTarget {
    fn default() -> Self {
        Self {
            queue_length: 5.0,
            activation_queue_length: 0,
            scale_on_in_flight: true,
            scale_on_delayed: false,
            polling_interval: Duration::from_secs(30),
            cooldown: Duration::from_secs(300),
            initial_cooldown: Duration::ZERO,
            fallback: None,
            pause: Pause::default(),
        }
    }
}

/// What to do when the queue cannot be read again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fallback {
    /// After more failed polls than that, one after another.
    pub failure_threshold: u32,
    /// So many workers.
    pub replicas: u32,
    /// How these go together with those that there are.
    pub behavior: FallbackBehavior,
}

/// How the workers of a fallback go together with those that there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FallbackBehavior {
    /// Those of the fallback.
    #[default]
    Static,
    /// Those that there are.
    Current,
    /// Those that there are if they are more.
    CurrentIfHigher,
    /// Those that there are if they are fewer.
    CurrentIfLower,
}

/// What a human has stopped, or wants (rule S55).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "these are the switches that there are, each apart from the others"
)]
pub struct Pause {
    /// No changes.
    pub paused: bool,
    /// Exactly so many workers, and no changes.
    pub replicas: Option<u32>,
    /// No fewer.
    pub scale_in: bool,
    /// No more.
    pub scale_out: bool,
    /// There is something to do, whatever the queue says.
    pub force_activation: bool,
}

//! What the examples of scaling see of a queue and its workers, and how they draw it.

use broker_plot::{Curve, svg};

/// What was seen at one time.
pub struct Look {
    /// Seconds since the beginning.
    pub second: u64,
    /// Messages in the queue.
    pub depth: u64,
    /// Workers that run.
    pub workers: u32,
}

/// The depth of the queue and the workers over time, as SVG.
pub fn draw(looks: &[Look]) -> String {
    let curve = |name: &str, value: fn(&Look) -> u64| Curve {
        name: name.into(),
        points: looks.iter().map(|look| (look.second, value(look))).collect(),
    };
    svg(
        "s",
        &[curve("messages in the queue", |look| look.depth), curve("workers", |look| look.workers.into())],
    )
}

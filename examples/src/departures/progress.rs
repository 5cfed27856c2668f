//! Progress on standard error: a bar for people, lines for scripts.

use std::sync::atomic::{AtomicU64, Ordering};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle as BarStyle};

use super::options::ProgressStyle;

/// Into how many steps lines divide the work.
const STEPS: u64 = 100;

/// Where progress is shown.
#[derive(Debug)]
pub(super) struct Progress {
    bar: ProgressBar,
    /// The rows per line. `None`: no lines.
    step: Option<u64>,
    rows: u64,
    /// The step that the last line was about.
    shown: AtomicU64,
}

impl Progress {
    pub(super) fn new(style: ProgressStyle, rows: u64, done: u64) -> Self {
        let target = match style {
            // indicatif draws nothing if standard error is not a terminal.
            ProgressStyle::Auto => ProgressDrawTarget::stderr(),
            ProgressStyle::Lines | ProgressStyle::None => ProgressDrawTarget::hidden(),
        };
        let bar = ProgressBar::with_draw_target(Some(rows), target).with_position(done);
        let template = "{wide_bar} {human_pos}/{human_len} rows, {msg}, {eta} left";
        bar.set_style(BarStyle::with_template(template).expect("the template is a valid constant"));
        let step = (style == ProgressStyle::Lines).then(|| (rows / STEPS).max(1));
        let shown = AtomicU64::new(done / step.unwrap_or(1));
        Self { bar, step, rows, shown }
    }

    /// So many rows have been sent and so many have a result.
    pub(super) fn show(&self, sent: u64, done: u64) {
        let Some(step) = self.step else {
            self.bar.set_position(done);
            self.bar.set_message(format!("{sent} sent"));
            return;
        };
        let reached = done / step;
        if self.shown.fetch_max(reached, Ordering::Relaxed) < reached {
            self.line(sent, done);
        }
    }

    /// Shows a line if lines are wanted, whatever the step.
    pub(super) fn line(&self, sent: u64, done: u64) {
        if self.step.is_some() {
            eprintln!("progress: {sent} sent, {done} done of {}", self.rows);
        }
    }

    /// Takes the bar away.
    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

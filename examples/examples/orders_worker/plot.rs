//! The depth of the queue and the workers over time, as SVG.

use std::fmt::Write as _;

/// What was seen at one time.
pub(crate) struct Look {
    pub(crate) second: u64,
    pub(crate) depth: u64,
    pub(crate) workers: u32,
}

const WIDTH: f64 = 900.0;
const HEIGHT: f64 = 180.0;
const MARGIN: f64 = 50.0;

/// Two curves, one above the other, each with its largest value.
pub(crate) fn draw(looks: &[Look]) -> String {
    let end = looks.last().map_or(1, |look| look.second.max(1));
    let depth: Vec<(u64, u64)> = looks.iter().map(|look| (look.second, look.depth)).collect();
    let workers: Vec<(u64, u64)> = looks.iter().map(|look| (look.second, look.workers.into())).collect();
    let (width, height) = (WIDTH + 2.0 * MARGIN, 2.0 * HEIGHT + 3.0 * MARGIN);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" font-family=\"sans-serif\" \
         font-size=\"13\">\n<rect width=\"{width}\" height=\"{height}\" fill=\"white\"/>\n{}{}</svg>\n",
        curve("orders in the queue", &depth, end, MARGIN, "#1f6feb"),
        curve("workers", &workers, end, 2.0 * MARGIN + HEIGHT, "#d1242f"),
    )
}

/// A curve of steps, its upper edge at `top`.
#[allow(clippy::cast_precision_loss, reason = "a drawing needs no more than a few digits")]
fn curve(name: &str, points: &[(u64, u64)], end: u64, top: f64, color: &str) -> String {
    let most = points.iter().map(|(_, value)| *value).max().unwrap_or(0).max(1);
    let x = |second: u64| MARGIN + WIDTH * second as f64 / end as f64;
    let y = |value: u64| top + HEIGHT - HEIGHT * value as f64 / most as f64;
    let mut path = String::new();
    for (second, value) in points {
        // Writing to a string does not fail.
        let _ = if path.is_empty() {
            write!(path, "M{:.1} {:.1}", x(*second), y(*value))
        } else {
            write!(path, "H{:.1}V{:.1}", x(*second), y(*value))
        };
    }
    let (left, right, bottom) = (MARGIN, MARGIN + WIDTH, top + HEIGHT);
    format!(
        "<text x=\"{left}\" y=\"{:.0}\">{name}, at most {most}, over {end} s</text>\n\
         <path d=\"M{left} {top}V{bottom}H{right}\" fill=\"none\" stroke=\"#888\"/>\n\
         <path d=\"{path}\" fill=\"none\" stroke=\"{color}\" stroke-width=\"1.5\"/>\n",
        top - 8.0
    )
}

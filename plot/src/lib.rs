//! Curves over time as SVG: one below the other, each against its own largest value.
//!
//! ```
//! use broker_plot::{Curve, svg};
//!
//! let depth = Curve { name: "messages in the queue".into(), points: vec![(0, 0), (1, 40), (2, 0)] };
//! assert!(svg("s", &[depth]).contains("messages in the queue, at most 40, over 2 s"));
//! ```

use std::fmt::Write as _;

/// One curve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Curve {
    /// What it shows.
    pub name: String,
    /// Times, which do not go back, and values. A value holds until the next time.
    pub points: Vec<(u64, u64)>,
}

const WIDTH: f64 = 900.0;
/// Of one curve.
const HEIGHT: f64 = 150.0;
const MARGIN: f64 = 50.0;
const COLORS: [&str; 4] = ["#1f6feb", "#d1242f", "#1a7f37", "#8250df"];

/// Draws the curves. `unit` is that of the times.
#[allow(clippy::cast_precision_loss, reason = "a drawing needs no more than a few digits")]
pub fn svg(unit: &str, curves: &[Curve]) -> String {
    let end = curves.iter().filter_map(|curve| curve.points.last()).map(|(time, _)| *time).max();
    let (width, height) = (WIDTH + 2.0 * MARGIN, curves.len() as f64 * (HEIGHT + MARGIN) + MARGIN);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" font-family=\"sans-serif\" \
         font-size=\"13\">\n<rect width=\"{width}\" height=\"{height}\" fill=\"white\"/>\n"
    );
    for (at, (curve, color)) in curves.iter().zip(COLORS.iter().cycle()).enumerate() {
        let top = MARGIN + at as f64 * (HEIGHT + MARGIN);
        svg.push_str(&draw(curve, unit, end.unwrap_or(0).max(1), top, color));
    }
    svg + "</svg>\n"
}

/// A curve of steps, its upper edge at `top`.
#[allow(clippy::cast_precision_loss, reason = "a drawing needs no more than a few digits")]
fn draw(curve: &Curve, unit: &str, end: u64, top: f64, color: &str) -> String {
    let name = curve.name.replace('&', "&amp;").replace('<', "&lt;");
    let most = curve.points.iter().map(|(_, value)| *value).max().unwrap_or(0);
    let x = |time: u64| MARGIN + WIDTH * time as f64 / end as f64;
    let y = |value: u64| top + HEIGHT - HEIGHT * value as f64 / most.max(1) as f64;
    let mut path = String::new();
    for (time, value) in &curve.points {
        // Writing to a string does not fail.
        let _ = if path.is_empty() {
            write!(path, "M{:.1} {:.1}", x(*time), y(*value))
        } else {
            write!(path, "H{:.1}V{:.1}", x(*time), y(*value))
        };
    }
    let (left, right, bottom) = (MARGIN, MARGIN + WIDTH, top + HEIGHT);
    format!(
        "<text x=\"{left}\" y=\"{:.0}\">{name}, at most {most}, over {end} {unit}</text>\n\
         <path d=\"M{left} {top}V{bottom}H{right}\" fill=\"none\" stroke=\"#888\"/>\n\
         <path d=\"{path}\" fill=\"none\" stroke=\"{color}\" stroke-width=\"1.5\"/>\n",
        top - 8.0
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_are_drawn_in_steps_and_without_points_there_is_nothing_to_draw() {
        let curve = |name: &str, points| Curve { name: name.into(), points };
        let drawn = svg("h", &[curve("a < b", vec![(0, 0), (10, 4), (20, 2)]), curve("none", Vec::new())]);
        assert!(drawn.contains("d=\"M50.0 200.0H500.0V50.0H950.0V125.0\""), "{drawn}");
        assert!(drawn.contains("a &lt; b, at most 4, over 20 h"), "{drawn}");
        assert!(drawn.contains("none, at most 0, over 20 h"), "{drawn}");
        assert!(svg("s", &[]).ends_with("</svg>\n"));
    }
}

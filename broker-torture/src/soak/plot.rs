//! A plot of what was measured, each figure against its own largest, as SVG.

use std::fmt::Write as _;

const WIDTH: usize = 900;
/// Of one figure.
const HEIGHT: usize = 120;
const MARGIN: usize = 30;

/// A curve for each figure, one below the other.
pub(super) fn svg<const N: usize>(title: &str, names: &[&str; N], samples: &[[u64; N]]) -> String {
    let height = MARGIN + N * (HEIGHT + MARGIN);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    for (figure, name) in names.iter().enumerate() {
        let top = MARGIN + figure * (HEIGHT + MARGIN);
        let most = samples.iter().map(|sample| sample[figure]).max().unwrap_or(0).max(1);
        let point = |(at, sample): (usize, &[u64; N])| {
            let x = at * WIDTH / samples.len().max(1);
            let share = usize::try_from(sample[figure] * HEIGHT as u64 / most).unwrap_or(0);
            format!("{x},{}", top + HEIGHT - share)
        };
        let points: Vec<String> = samples.iter().enumerate().map(point).collect();
        let label = top - 6;
        let line = points.join(" ");
        // Writing to a string cannot fail.
        let _ = writeln!(
            svg,
            "<text x=\"4\" y=\"{label}\">{title}: {name}, at most {most}</text>\n\
             <polyline fill=\"none\" stroke=\"#1f6feb\" points=\"{line}\"/>"
        );
    }
    svg + "</svg>\n"
}

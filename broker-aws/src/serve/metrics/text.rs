//! Metrics as lines: `name{label="value"} number`, under the help and the type of their name.

use std::{collections::BTreeMap, fmt::Write as _};

use crate::Realm;

/// A metric: its name, its type, and what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Metric {
    pub(super) name: &'static str,
    pub(super) kind: &'static str,
    pub(super) help: &'static str,
}

/// A page of metrics. All lines of a metric stand together, in whatever order they are added.
#[derive(Debug, Default)]
pub(super) struct Page {
    lines: BTreeMap<Metric, String>,
}

impl Page {
    /// Adds a line.
    pub(super) fn add(&mut self, metric: Metric, labels: &[(&str, &str)], value: f64) {
        let lines = self.lines.entry(metric).or_default();
        let labels: Vec<_> =
            labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escape(value))).collect();
        let _ = writeln!(lines, "{}{{{}}} {value}", metric.name, labels.join(","));
    }

    /// Adds a line about something in a realm.
    pub(super) fn add_in(&mut self, metric: Metric, realm: &Realm, labels: &[(&str, &str)], value: f64) {
        let of_realm = [("account", realm.account()), ("region", realm.region())];
        self.add(metric, &[&of_realm, labels].concat(), value);
    }

    pub(super) fn into_text(self) -> String {
        let mut text = String::new();
        for (Metric { name, kind, help }, lines) in self.lines {
            let _ = write!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n{lines}");
        }
        text
    }
}

fn escape(value: &str) -> String {
    value.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_metric_stand_together_and_their_labels_are_escaped() {
        let depth = Metric { name: "depth", kind: "gauge", help: "How many." };
        let age = Metric { name: "age", kind: "gauge", help: "How old." };
        let mut page = Page::default();
        page.add(depth, &[("queue", "a\"b\\\n")], 1.0);
        page.add(age, &[("queue", "a")], 0.5);
        page.add(depth, &[("queue", "c")], 2.0);
        let text = "# HELP age How old.\n# TYPE age gauge\nage{queue=\"a\"} 0.5\n# HELP depth How many.\n\
                    # TYPE depth gauge\ndepth{queue=\"a\\\"b\\\\\\n\"} 1\ndepth{queue=\"c\"} 2\n";
        assert_eq!(page.into_text(), text);
    }
}

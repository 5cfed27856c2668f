//! What the program can be told on its command line.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

/// Sends real departures through a durable queue and has competing workers add them up per carrier.
///
/// Kill it whenever you like, also with SIGKILL, and start it again: it resumes, and the totals are exact.
#[derive(Debug, Clone, Parser)]
#[command(name = "departures", version)]
pub struct Options {
    /// The CSV file with the departures, plain or gzipped, or `-` for standard input. Without it: the 27,004
    /// departures from New York in January 2013 that this program ships.
    #[arg(long, value_name = "FILE")]
    pub input: Option<PathBuf>,

    /// The directory that holds the queues and the journal of results. It is made if there is none, and belongs to one
    /// input.
    #[arg(long, value_name = "DIR", default_value = "departures-data")]
    pub data_dir: PathBuf,

    /// How many workers compete for the messages.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub workers: u16,

    /// Takes only the first N rows of the input.
    #[arg(long, value_name = "N")]
    pub limit: Option<u64>,

    /// Also adds up the file directly, and exits with 1 if the totals differ.
    #[arg(long)]
    pub check: bool,

    /// Starts over: removes what this program has made in the data directory, and nothing else.
    #[arg(long)]
    pub fresh: bool,

    /// How progress is shown on standard error.
    #[arg(long, value_enum, value_name = "STYLE", default_value_t = ProgressStyle::Auto)]
    pub progress: ProgressStyle,
}

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ProgressStyle {
    /// A bar if standard error is a terminal, otherwise nothing.
    Auto,
    /// A line for every hundredth of the work, for logs and scripts.
    Lines,
    /// Nothing.
    None,
}

//! What the program can be told on its command line.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use broker_core::storage::{Storage, StorageError};
use broker_log::LogStorage;
use broker_mem::MemStorage;
use broker_sled::SledStorage;
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

    /// The store that the queues are kept in. A directory belongs to one.
    #[arg(long, value_enum, value_name = "STORE", default_value_t = Backend::Log)]
    pub backend: Backend,

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

/// A store that the queues can be kept in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Backend {
    /// broker-log: segments that are appended to.
    Log,
    /// broker-sled: the key-value engine sled.
    Sled,
    /// broker-mem: memory. A run that is killed loses its queues, and the next one sends again what was not done.
    Mem,
}

impl Backend {
    /// Opens the store in this directory, or one in memory.
    pub fn open(self, path: &Path) -> Result<Arc<dyn Storage>, StorageError> {
        Ok(match self {
            Self::Log => Arc::new(LogStorage::open(path)?),
            Self::Sled => Arc::new(SledStorage::open(path)?),
            Self::Mem => Arc::new(MemStorage::new()),
        })
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Log => "log",
            Self::Sled => "sled",
            Self::Mem => "mem",
        })
    }
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

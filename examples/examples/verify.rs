//! Looks at a store in a directory, its files and what is in them, and says what is damaged: `verify DIRECTORY`.
//!
//! Without a directory it makes a small store and looks at that.

use std::process::ExitCode;

use broker_log::LogStorage;

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let made = tempfile::tempdir()?;
    let directory = if let Some(told) = std::env::args_os().nth(1) {
        told.into()
    } else {
        let directory = made.path().join("orders");
        let broker = broker_log::open(&directory).await?;
        broker.queue("orders").await?.send("two pairs of socks").await?;
        broker.close().await?;
        directory
    };
    // The files first: this opens nothing for writing.
    let files = broker_log::verify(&directory)?;
    println!("{} segments, {} frames, {} rows", files.segments, files.frames, files.rows);
    files.problems.iter().for_each(|problem| println!("{problem}"));
    if !files.problems.is_empty() {
        return Ok(ExitCode::FAILURE);
    }
    let report = broker_core::storage::verify(&LogStorage::open(&directory)?)?;
    println!("{} queues with {} messages, {} topics", report.queues, report.messages, report.topics);
    println!("{} streams with {} records, {} user keys", report.streams, report.records, report.user_keys);
    report.problems.iter().for_each(|problem| println!("{problem}"));
    Ok(if report.problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

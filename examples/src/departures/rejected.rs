//! The dead letters: rows that do not parse, and now and then a good one, which is brought back.
//!
//! A delivery counts when the message is handed out, whatever becomes of it. So a row that was in the hands of several
//! runs when they were killed can be moved by the redrive policy although nothing is wrong with it.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use broker_core::{Broker, LocalQueue, MoveTask, MoveTaskStatus, PeekOptions};
use tokio::time::sleep;

use super::{consume::row_of, row::Columns};

/// Where rows are processed.
pub(super) const DEPARTURES: &str = "departures";

/// Where the redrive policy moves those that cannot be.
pub(super) const REJECTED: &str = "departures-rejected";

/// How often a row is tried.
pub(super) const DELIVERIES_MAX: u32 = 3;

/// How many dead letters are shown.
const SHOWN: usize = 15;

/// Moves all dead letters back into the queue that they came from, and returns how many there were.
pub(super) async fn bring_back(broker: &Broker) -> Result<u64> {
    let mut tasks = broker.list_move_tasks(REJECTED, 1).await?;
    // A task of a run that was killed goes on where it was.
    if tasks.first().is_none_or(|task| task.status != MoveTaskStatus::Running) {
        broker.start_move_task(MoveTask::from(REJECTED).to(DEPARTURES)).await?;
    }
    loop {
        tasks = broker.list_move_tasks(REJECTED, 1).await?;
        let task = tasks.first().context("a move task that was started is listed")?;
        match task.status {
            MoveTaskStatus::Running => sleep(Duration::from_millis(10)).await,
            MoveTaskStatus::Completed => return Ok(task.moved),
            _ => bail!("moving dead letters back ended as {:?}", task.status),
        }
    }
}

/// Some of the dead letters in words: which row, what is wrong with it, how it got there.
pub(super) async fn describe(rejected: &LocalQueue, columns: &Columns) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    for letter in rejected.peek(PeekOptions::up_to(SHOWN)).await? {
        let row = row_of(&letter.attributes).map_or("a row".to_owned(), |row| format!("row {row}"));
        let wrong =
            columns.parse(&letter.body).err().unwrap_or_else(|| "nothing is wrong with it".to_owned());
        let why = letter.dead_letter.map_or_else(String::new, |why| format!(" ({why})"));
        lines.push(format!("{row}: {wrong}{why}"));
    }
    Ok(lines)
}

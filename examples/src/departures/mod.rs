//! The main job: real departures through a durable queue, aggregated by competing workers, exact across any crash.
//!
//! A queue delivers each message at least once: a worker that dies after its work and before its delete makes the row
//! come again. So the work must be one that can be repeated. How this program gets exact totals out of that:
//!
//! 1. Every message carries its row's number. What a row comes to depends on the row alone.
//! 2. A worker writes `row 17 UA 4` to a **journal** file, syncs it, and only then deletes the message. Killed between
//!    the two, the row comes again and is journalled again.
//! 3. The totals are those of the **set of rows** in the journal: a second line for a row adds nothing.
//! 4. The producer journals `sent N` after the broker has acknowledged every row below `N`. Killed in between, it sends
//!    some rows again, which is harmless for the same reason.
//! 5. A row that does not parse is journalled as rejected and given back. When it has been delivered three times, the
//!    next receive that comes to it moves it to the dead-letter queue `departures-rejected`: that is the queue's redrive
//!    policy. The run ends when the queue is empty, so none is left on its way.
//! 6. Deliveries to a run that was killed count, so a good row can get among the dead letters. If rows are missing when
//!    the queue is empty, a move task brings the dead letters back.
//!
//! So a start is always the same: read the journal (a torn last line counts as not written), send what is not known to
//! be sent, work until every row is journalled and the queue is empty. If that comes without the other, something was
//! lost, and it says so.

mod consume;
mod data_dir;
mod input;
mod journal;
mod options;
mod produce;
mod progress;
mod rejected;
mod report;
mod row;
mod run;
mod tally;

pub use options::{Backend, Options, ProgressStyle};
pub use run::{Verdict, run};

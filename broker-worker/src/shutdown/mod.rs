//! Graceful shutdown: stop taking work, drain until a deadline, release the rest, report counts.

//! Scenes: a few tasks at once, with all their schedules or many of them. See the library for how.

mod commits;
mod waiters;
mod world;

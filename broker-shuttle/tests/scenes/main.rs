//! Scenes: a few tasks at once, with all their schedules or many of them. See the library for how.

mod commits;
mod leftovers;
mod plans;
mod transactions;
mod waiters;
mod world;

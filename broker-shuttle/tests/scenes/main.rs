//! Scenes: a few tasks at once, with all their schedules or many of them. See the library for how.

mod book;
mod commits;
mod handlers;
mod leftovers;
mod plans;
mod queues;
mod streams;
mod transactions;
mod waiters;
mod world;

//! A message broker that a program links.

pub mod storage;

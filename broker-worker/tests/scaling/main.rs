//! The rules of scaling (S), each at explicit times.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod backlog;
mod common;
mod cooldown;
mod hpa;
mod hpa_pods;
mod hpa_rates;
mod properties;
mod protection;
mod queue_scaler;
mod queue_scaler_failing;
mod several;
mod simple;
mod step;
mod step_refused;
mod target;
mod warm_up;

//! The main job: 27,004 real departures through a durable queue, exact totals whenever and however often it is killed.
//!
//! Run it with `cargo run --release -p broker-examples --example departures -- --check`. How it stays exact is told in
//! `src/departures/mod.rs`.

use std::process::ExitCode;

use broker_examples::departures::{Options, Verdict, run};
use clap::Parser as _;

#[tokio::main]
async fn main() -> ExitCode {
    match run(&Options::parse()).await {
        Ok(Verdict::Done) => ExitCode::SUCCESS,
        Ok(Verdict::Different) => ExitCode::from(1),
        Err(error) => {
            eprintln!("departures: {error:#}");
            ExitCode::from(2)
        }
    }
}

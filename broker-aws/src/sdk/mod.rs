//! The AWS SDK against a service in the same process (feature `sdk`).
//!
//! | file | what it is for |
//! |---|---|
//! | `client` | `InProcess`: the SDK's HTTP client, which asks a service |
//! | `config` | an `SdkConfig` for it |
//! | `realms` | a broker in memory for each realm |
//! | `test_aws` | `TestAws`: all of it for a test |
//! | `probe`, `history` | what has happened to messages |

mod client;
mod config;
mod history;
mod probe;
mod realms;
mod test_aws;

pub use client::InProcess;
pub use config::sdk_config;
pub use history::{End, Life};
pub use probe::Probe;
pub use realms::InMemory;
pub use test_aws::TestAws;

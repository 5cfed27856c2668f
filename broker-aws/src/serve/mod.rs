//! The listener: the service on a port, for clients in other processes.
//!
//! | file | what it is for |
//! |---|---|
//! | `listener` | takes connections, and stops |
//! | `connection` | one connection: HTTP/1.1 or HTTP/2, how long it may be idle |
//! | `activity` | whether a connection has something to do |
//! | `receive` | the body of a request, within bounds |
//! | `route` | what is answered here, and what the service answers |
//! | `health` | `/health` |
//! | `metrics` | `/metrics` |
//! | `signature` | whether a request is signed with a key that is known here |

mod activity;
mod connection;
mod health;
mod listener;
mod metrics;
mod receive;
mod route;
mod signature;

pub use listener::{Listener, ListenerBuilder};
pub use signature::AccessKeys;

//! Asynchronous invocation: events wait in a durable queue, are tried up to three times, and reach a destination.

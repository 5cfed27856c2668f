//! Deployment of handlers: a new version takes over while messages flow, and is rolled back if it fails.

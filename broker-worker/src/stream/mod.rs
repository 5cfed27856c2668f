//! Stream mapping: batches of a shard's records to a handler, in order, with retries, bisect and checkpoints.

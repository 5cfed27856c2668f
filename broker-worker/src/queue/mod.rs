//! Queue mapping: batches of a queue's messages to a handler, and what becomes of each message (rules L30 to L75).

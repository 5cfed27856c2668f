//! Bugs that are put in on purpose, one at a time, to see whether the tests see them.
//!
//! A place that could have a bug asks `seeded("its-name")`. In a normal build the answer is always no, the compiler takes the
//! question out, and this module is not public. With the feature `seeded-bugs` it is yes for the one bug that the
//! environment names in `BROKER_SEEDED_BUG`: so one build has all of them. `torture --suite bugs` runs the suites with each.

#[cfg(feature = "seeded-bugs")]
pub use chosen::{BUGS, VARIABLE, seeded};

/// Whether the bug of this name is put in.
#[cfg(not(feature = "seeded-bugs"))]
pub(crate) const fn seeded(_bug: &str) -> bool {
    false
}

#[cfg(feature = "seeded-bugs")]
mod chosen {
    use std::sync::LazyLock;

    /// The variable that names the bug.
    pub const VARIABLE: &str = "BROKER_SEEDED_BUG";

    static CHOSEN: LazyLock<Option<String>> = LazyLock::new(|| std::env::var(VARIABLE).ok());

    /// Whether the bug of this name is put in.
    pub fn seeded(bug: &str) -> bool {
        debug_assert!(BUGS.iter().any(|(name, _)| *name == bug), "{bug} is listed");
        CHOSEN.as_deref() == Some(bug)
    }

    /// All bugs, those of other crates too: name, and what is wrong.
    pub const BUGS: &[(&str, &str)] = &[
        // Durability.
        ("no-sync-before-the-reply", "a synced commit is written and not synced"),
        ("acknowledged-before-the-commit", "nobody waits for the commit of the own batch"),
        ("goes-on-after-a-failed-commit", "a failed commit does not stop the broker"),
        ("commit-in-two-parts", "what a step writes to each of several queues is a commit of its own"),
        ("transaction-in-two-commits", "what a transaction writes beside queues is a commit of its own"),
        // Leases and receipts.
        ("counted-after-the-hand-out", "a receive does not wait until its count is stored"),
        ("deadline-a-tick-late", "what is due now becomes visible with the next tick"),
        ("lease-not-stored", "a hand-out is known in memory alone"),
        ("old-receipt-accepted", "a receipt of an earlier delivery deletes the message"),
        ("lease-lost-at-open", "what was in flight is visible after a restart"),
        ("cancelled-receive-keeps-its-lease", "what a dropped receive has leased stays invisible"),
        ("dead-letter-a-receive-late", "a message is received once more than allowed"),
        // Waking.
        ("wake-up-not-passed-on", "a receive that is dropped after its wake-up tells nobody"),
        ("returned-message-wakes-nobody", "only what is new wakes a receive, not what comes back"),
        ("nearer-deadline-not-noticed", "who keeps the time does not hear that something is due earlier"),
        // Storage of a queue.
        ("delete-not-persisted", "a delete is known in memory alone"),
        ("delay-lost-at-restart", "a delayed message is visible after a restart"),
        ("counts-not-restored", "leases that were put out of memory are not looked for after a restart"),
        ("sequence-used-again", "a queue that is opened when it is empty gives its last sequence out again"),
        ("retention-a-tick-early", "a message in memory expires one millisecond too early"),
        ("purge-takes-what-came-later", "the space that a purge gives back is that of new messages"),
        ("damaged-row-skipped", "a receive passes over a message that cannot be read"),
        // FIFO.
        ("group-not-locked", "a group delivers although an older message of it is in flight"),
        ("redelivery-overtakes", "a message that comes back does not wait for older ones in storage"),
        ("group-locked-by-a-dead-letter", "a message that is given up locks its group for ever"),
        ("deduplication-not-persisted", "deduplication ids are not stored"),
        ("deduplication-lost-at-open", "after a restart every deduplication id is new"),
        ("deduplication-a-tick-long", "a deduplication id is remembered one millisecond too long"),
        // Moves.
        ("move-copies", "a message that is moved from storage stays where it was"),
        // Topics.
        ("filter-of-an-old-policy", "a subscription that is changed stays as it was until the next opening"),
        ("policy-not-stored", "a subscription that is changed is as before after the next opening"),
        ("last-subscriber-left-out", "a publish to several subscriptions leaves out the last"),
        // Streams.
        ("stream-tail-not-persisted", "records are put, and the end of their shard is not stored"),
        ("record-read-before-its-commit", "a reader sees what is not committed"),
        ("record-trimmed-too-early", "one record is trimmed that has not expired"),
        ("child-before-its-parent", "a shard is consumed before those that it came from"),
        ("checkpoint-not-persisted", "every second checkpoint is known in memory alone"),
        ("checkpoint-ahead", "a checkpoint passes over the record behind the consumed one"),
        ("checkpoint-of-an-old-lease", "a worker that has lost its lease moves the checkpoint"),
        // Transactions.
        ("read-set-not-checked", "a transaction commits although what it has read was changed"),
        // broker-log.
        ("log-sync-skipped", "a synced commit does not sync its segment"),
        ("log-seal-not-synced", "a full segment is not synced before the next one begins"),
        ("log-name-not-synced", "a new segment gets its name without a sync of the directory"),
        ("log-torn-tail-is-damage", "a frame that was cut off by a crash fails the opening"),
        ("log-damage-is-a-torn-tail", "a damaged frame and those behind it are cut off silently"),
        ("log-row-not-checked", "a row is believed without its checksum"),
        ("log-frame-not-checked", "the rows of a frame are believed without their checksums"),
        // broker-worker.
        ("worker-acknowledges-before-the-handler", "messages are deleted before they are handled"),
        ("worker-acknowledges-failures", "a message whose handler fails is deleted"),
        ("worker-checkpoint-ahead", "a batch of records is checkpointed before it is handled"),
    ];
}

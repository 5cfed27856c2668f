//! Which suite is to see which bug. None of them was written for a bug: they are models, sweeps, histories and schedules.

use std::fmt;

/// A test program of a package, or a suite of this program if it has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Suite {
    pub(super) package: &'static str,
    pub(super) program: &'static str,
}

/// A suite or a part of it: test programs take the beginning of a name, this program takes arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Check {
    pub(super) suite: Suite,
    pub(super) part: &'static str,
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Suite { package, program } = self.suite;
        write!(f, "{} {program} {}", if package.is_empty() { "torture" } else { package }, self.part)
    }
}

pub(super) const PACKAGES: [&str; 3] = ["broker-core", "broker-log", "broker-worker"];

const CRASH: Suite = Suite { package: "broker-core", program: "crash" };
const HISTORIES: Suite = Suite { package: "broker-core", program: "histories" };
const RULES: Suite = Suite { package: "broker-core", program: "rules" };
const STREAMS: Suite = Suite { package: "broker-core", program: "streams" };
const STRESS: Suite = Suite { package: "broker-core", program: "stress" };
const TOPICS: Suite = Suite { package: "broker-core", program: "topics" };
const TRANSACTIONS: Suite = Suite { package: "broker-core", program: "transactions" };
const LOG_FAULTS: Suite = Suite { package: "broker-log", program: "faults" };
const WORKER_CHAOS: Suite = Suite { package: "broker-worker", program: "chaos" };
const WORKER_SHARDS: Suite = Suite { package: "broker-worker", program: "shards" };
const SCHEDULES: Suite = Suite { package: "", program: "schedules" };

pub(super) const SUITES: [Suite; 11] = [
    CRASH,
    HISTORIES,
    RULES,
    STREAMS,
    STRESS,
    TOPICS,
    TRANSACTIONS,
    LOG_FAULTS,
    WORKER_CHAOS,
    WORKER_SHARDS,
    SCHEDULES,
];

const SWEEP: Check = Check { suite: CRASH, part: "sweep::" };
const SWEEP_OF_GROUPS: Check = Check { suite: CRASH, part: "groups::" };
const SWEEP_OF_STREAMS: Check = Check { suite: CRASH, part: "streams::" };
const SWEEP_OF_TOPICS: Check = Check { suite: CRASH, part: "topics::" };
const DROPPED_FUTURES: Check = Check { suite: CRASH, part: "cancel::" };
const FAILURES: Check = Check { suite: CRASH, part: "failure::" };
const QUEUE_HISTORIES: Check = Check { suite: HISTORIES, part: "histories_" };
const PAIR_HISTORIES: Check = Check { suite: HISTORIES, part: "pairs::" };
const DAMAGE: Check = Check { suite: RULES, part: "damage::" };
const CHAOS: Check = Check { suite: STREAMS, part: "chaos::" };
const STREAM_HISTORIES: Check = Check { suite: STREAMS, part: "histories::" };
const PURGING: Check = Check { suite: STRESS, part: "purging::" };
const TOPIC_HISTORIES: Check = Check { suite: TOPICS, part: "histories::" };
const TRANSFERS: Check = Check { suite: TRANSACTIONS, part: "transfers::" };
const TRANSACTION_SWEEP: Check = Check { suite: TRANSACTIONS, part: "sweep::" };
const LOG_CRASHES: Check = Check { suite: LOG_FAULTS, part: "crash::" };
const LOG_DAMAGE: Check = Check { suite: LOG_FAULTS, part: "damage::" };
const STORM: Check = Check { suite: WORKER_CHAOS, part: "storm::" };
const SHARD_STORM: Check = Check { suite: WORKER_SHARDS, part: "storm::" };
const WAKING: Check = Check { suite: SCHEDULES, part: "--schedules 20000" };

/// Each bug, and the check that is to see it.
pub(super) const SEEN_BY: &[(&str, Check)] = &[
    ("no-sync-before-the-reply", SWEEP),
    ("acknowledged-before-the-commit", SWEEP),
    ("goes-on-after-a-failed-commit", FAILURES),
    ("commit-in-two-parts", SWEEP_OF_TOPICS),
    ("transaction-in-two-commits", TRANSACTION_SWEEP),
    ("counted-after-the-hand-out", SWEEP),
    ("deadline-a-tick-late", QUEUE_HISTORIES),
    ("lease-not-stored", SWEEP),
    ("old-receipt-accepted", QUEUE_HISTORIES),
    ("lease-lost-at-open", QUEUE_HISTORIES),
    ("cancelled-receive-keeps-its-lease", DROPPED_FUTURES),
    ("dead-letter-a-receive-late", PAIR_HISTORIES),
    ("wake-up-not-passed-on", DROPPED_FUTURES),
    ("returned-message-wakes-nobody", WAKING),
    ("nearer-deadline-not-noticed", WAKING),
    ("delete-not-persisted", QUEUE_HISTORIES),
    ("delay-lost-at-restart", QUEUE_HISTORIES),
    ("counts-not-restored", QUEUE_HISTORIES),
    ("sequence-used-again", SWEEP),
    ("retention-a-tick-early", QUEUE_HISTORIES),
    ("purge-takes-what-came-later", PURGING),
    ("damaged-row-skipped", DAMAGE),
    ("group-not-locked", PAIR_HISTORIES),
    ("redelivery-overtakes", PAIR_HISTORIES),
    ("group-locked-by-a-dead-letter", PAIR_HISTORIES),
    ("deduplication-not-persisted", PAIR_HISTORIES),
    ("deduplication-lost-at-open", PAIR_HISTORIES),
    ("deduplication-a-tick-long", PAIR_HISTORIES),
    ("move-copies", SWEEP),
    ("filter-of-an-old-policy", TOPIC_HISTORIES),
    ("policy-not-stored", TOPIC_HISTORIES),
    ("last-subscriber-left-out", SWEEP_OF_TOPICS),
    ("stream-tail-not-persisted", SWEEP_OF_STREAMS),
    ("record-read-before-its-commit", SWEEP_OF_STREAMS),
    ("record-trimmed-too-early", STREAM_HISTORIES),
    ("child-before-its-parent", CHAOS),
    ("checkpoint-not-persisted", SWEEP_OF_GROUPS),
    ("checkpoint-ahead", SWEEP_OF_GROUPS),
    ("checkpoint-of-an-old-lease", CHAOS),
    ("read-set-not-checked", TRANSFERS),
    ("log-sync-skipped", LOG_CRASHES),
    ("log-seal-not-synced", LOG_CRASHES),
    ("log-name-not-synced", LOG_CRASHES),
    ("log-torn-tail-is-damage", LOG_CRASHES),
    ("log-damage-is-a-torn-tail", LOG_DAMAGE),
    ("log-row-not-checked", LOG_DAMAGE),
    ("log-frame-not-checked", LOG_CRASHES),
    ("worker-acknowledges-before-the-handler", STORM),
    ("worker-acknowledges-failures", STORM),
    ("worker-checkpoint-ahead", SHARD_STORM),
];

//! A store with anything in it: what a broker has written, changed in any way. Opening it and using its queues may fail,
//! and must not panic, overflow or go on for ever.

use std::time::Duration;

use arbitrary::Arbitrary;
use broker_core::{
    Broker, LocalQueue, ManualClock, ReceiptHandle, ReceiveOptions, SendMessage,
    storage::{Batch, Durability, Page, Storage},
};
use broker_mem::MemStorage;
use bytes::Bytes;

use crate::{BEGIN_MS, block_on, builder, input};

#[derive(Debug, Arbitrary)]
struct Input {
    before: Vec<Step>,
    changes: Vec<Change>,
    after: Vec<Step>,
}

#[derive(Debug, Arbitrary)]
enum Step {
    Send { body: u8, delay_s: u8 },
    Receive { max: u8, timeout_s: u8 },
    Delete { receipt: u8 },
    ChangeVisibility { receipt: u8, timeout_s: u8 },
    Advance { seconds: u16 },
    Count,
    Purge,
    DeleteQueue,
    CreateQueue,
}

/// A change of a stored entry, chosen by its place among all of them.
#[derive(Debug, Arbitrary)]
enum Change {
    Meta {
        at: u8,
        how: How,
    },
    Row {
        at: u8,
        how: How,
    },
    NewLease {
        tag: Tag,
        partition: Number,
        first: Number,
        second: Number,
        fields: [Number; 4],
        deliveries: u32,
    },
    NewMeta {
        key: Vec<u8>,
        value: Vec<u8>,
    },
    NewRow {
        partition: Number,
        seq: Number,
        value: Vec<u8>,
    },
    Note {
        partition: Number,
        from: Number,
        to: Number,
    },
}

#[derive(Debug, Arbitrary)]
enum How {
    Remove,
    Flip {
        at: u8,
        mask: u8,
    },
    Cut {
        to: u8,
    },
    Replace {
        with: Vec<u8>,
    },
    /// Overwrites the field of eight bytes at this place.
    Field {
        at: u8,
        with: Number,
    },
}

#[derive(Debug, Arbitrary)]
enum Tag {
    Hot,
    Cold,
    Delayed,
}

/// A number, near those that matter more often than not.
#[derive(Debug, Clone, Copy, Arbitrary)]
enum Number {
    Small(u8),
    Now(i16),
    Max(u8),
    Any(u64),
}

impl Number {
    fn value(self) -> u64 {
        match self {
            Self::Small(small) => small.into(),
            Self::Now(off) => BEGIN_MS.wrapping_add_signed(i64::from(off) * 1_000),
            Self::Max(below) => u64::MAX - u64::from(below),
            Self::Any(any) => any,
        }
    }
}

const STEPS_MAX: usize = 40;
const CHANGES_MAX: usize = 12;
/// The partitions that a short history can have made.
const PARTITIONS: u64 = 16;
const EVERYTHING: Page = Page { entries: 10_000, bytes: usize::MAX };

/// Does what the bytes stand for. Returns whether they stand for anything.
pub fn run(bytes: &[u8]) -> bool {
    input(bytes, exercise)
}

fn exercise(input: &Input) {
    block_on(async {
        let (store, clock) = (MemStorage::new(), ManualClock::new(BEGIN_MS));
        let broker = builder(&store, &clock).open().await.expect("a new store");
        use_it(&broker, &clock, &input.before).await;
        drop(broker);
        for change in input.changes.iter().take(CHANGES_MAX) {
            make(&store, change);
        }
        // Refused is fine; whatever opens must bear being used.
        if let Ok(broker) = builder(&store, &clock).open().await {
            use_it(&broker, &clock, &input.after).await;
            drop(broker);
            let _ = builder(&store, &clock).open().await;
        }
    });
}

/// Runs the steps; any of them may fail once the store is changed.
async fn use_it(broker: &Broker, clock: &ManualClock, steps: &[Step]) {
    let mut receipts: Vec<ReceiptHandle> = Vec::new();
    let mut queue: Option<LocalQueue> = broker.queue("q").await.ok();
    for step in steps.iter().take(STEPS_MAX) {
        // Lets the background work have its turn.
        tokio::task::yield_now().await;
        match *step {
            Step::CreateQueue => queue = broker.queue("q").await.ok(),
            Step::DeleteQueue => drop(broker.delete_queue("q").await),
            Step::Advance { seconds } => clock.advance(Duration::from_secs(seconds.into())),
            _ => {
                if let Some(queue) = &queue {
                    on_queue(queue, step, &mut receipts).await;
                }
            }
        }
    }
    if let Some(queue) = &queue {
        on_queue(queue, &Step::Receive { max: 9, timeout_s: 0 }, &mut receipts).await;
        on_queue(queue, &Step::Count, &mut receipts).await;
    }
}

async fn on_queue(queue: &LocalQueue, step: &Step, receipts: &mut Vec<ReceiptHandle>) {
    let receipt = |at: u8| Some(receipts[usize::from(at).checked_rem(receipts.len())?]);
    match *step {
        Step::Send { body, delay_s } => {
            let message = SendMessage::new(vec![b'a' + body % 26; 1 + usize::from(body)]);
            drop(queue.send(message.delay(Duration::from_secs(delay_s.into()))).await);
        }
        Step::Receive { max, timeout_s } => {
            // Whatever wait the changed definition asks for: the clock stands still.
            let options = ReceiveOptions::up_to(1 + usize::from(max % 10)).wait_time(Duration::ZERO);
            let timeout = Duration::from_secs(timeout_s.into());
            if let Ok(messages) = queue.receive(options.visibility_timeout(timeout)).await {
                receipts.extend(messages.iter().map(|message| message.receipt));
            }
        }
        Step::Delete { receipt: at } => {
            if let Some(receipt) = receipt(at) {
                drop(queue.delete(receipt).await);
            }
        }
        Step::ChangeVisibility { receipt: at, timeout_s } => {
            if let Some(receipt) = receipt(at) {
                drop(queue.change_visibility(receipt, Duration::from_secs(timeout_s.into())).await);
            }
        }
        Step::Purge => drop(queue.purge().await),
        _ => drop(queue.attributes().await),
    }
}

fn make(store: &MemStorage, change: &Change) {
    let mut batch = Batch::new();
    match change {
        Change::Meta { at, how } => {
            let all = store.meta_range(&[0], &[u8::MAX], EVERYTHING).expect("memory");
            let Some(at) = usize::from(*at).checked_rem(all.len()) else { return };
            let (key, value) = &all[at];
            match changed(value, how) {
                Some(value) => batch.put_meta(key, &value),
                None => batch.delete_meta(key),
            }
        }
        Change::Row { at, how } => {
            let of = |partition| {
                let rows = store.rows(partition, 0..u64::MAX, EVERYTHING).expect("memory");
                rows.into_iter().map(move |(seq, row)| (partition, seq, row))
            };
            let all: Vec<(u64, u64, Bytes)> = (0..PARTITIONS).flat_map(of).collect();
            let Some(at) = usize::from(*at).checked_rem(all.len()) else { return };
            let (partition, seq, row) = &all[at];
            match changed(row, how) {
                Some(value) => batch.put_row(*partition, *seq, value),
                None => batch.delete_row(*partition, *seq),
            }
        }
        Change::NewLease { tag, partition, first, second, fields, deliveries } => {
            let (tag, numbers) = match tag {
                Tag::Hot => (b's', &[*first][..]),
                Tag::Cold => (b'c', &[*first][..]),
                Tag::Delayed => (b't', &[*first, *second][..]),
            };
            let mut key = vec![tag];
            key.extend(partition.value().to_be_bytes());
            key.extend(numbers.iter().flat_map(|number| number.value().to_be_bytes()));
            let mut value: Vec<u8> = fields.iter().flat_map(|field| field.value().to_le_bytes()).collect();
            value.extend(deliveries.to_le_bytes());
            batch.put_meta(&key, &value);
        }
        Change::NewMeta { key, value } if !key.is_empty() => batch.put_meta(key, value),
        Change::NewMeta { .. } => {}
        Change::NewRow { partition, seq, value } => {
            // The contract ends below the last number.
            batch.put_row(partition.value(), seq.value().min(u64::MAX - 1), value.clone());
        }
        Change::Note { partition, from, to } => {
            let key = [&b"g"[..], &partition.value().to_be_bytes()].concat();
            batch.put_meta(&key, &[from.value().to_le_bytes(), to.value().to_le_bytes()].concat());
        }
    }
    store.commit(&batch, Durability::Synced).expect("memory");
}

fn changed(value: &Bytes, how: &How) -> Option<Vec<u8>> {
    let mut value = value.to_vec();
    match how {
        How::Remove => return None,
        How::Flip { at, mask } => {
            if let Some(at) = usize::from(*at).checked_rem(value.len()) {
                value[at] ^= *mask;
            }
        }
        How::Cut { to } => value.truncate(usize::from(*to)),
        How::Replace { with } => value.clone_from(with),
        How::Field { at, with } => {
            let at = usize::from(*at % 8) * 8;
            if let Some(field) = value.get_mut(at..at + 8) {
                field.copy_from_slice(&with.value().to_le_bytes());
            }
        }
    }
    Some(value)
}

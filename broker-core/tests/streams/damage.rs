//! Stores whose bytes are not what was written: an error that names the place, never a panic, a wrong record or a silent
//! gap. Here what describes streams and shards; rows are in `damaged_rows`. IG3, IG10.

use broker_core::{
    Broker, Certainty, Error, LocalStream, MemoryBounds, Result, ShardFilter, ShardId, StartingPosition,
    storage::{Batch, Durability, Storage, faults::SlowStorage},
};
use broker_mem::MemStorage;
use serde_json::{Value, json};

use crate::{
    damaged_rows::read,
    ground::{HALF, put_numbers},
};

/// The first stream of a store, and the record and the partition of its first shard.
const STREAM: u64 = 1;
pub(crate) const RECORD: u64 = 2;
pub(crate) const PARTITION: u64 = 3;

pub(crate) fn key(tag: u8, numbers: &[u64]) -> Vec<u8> {
    let mut key = vec![tag];
    for number in numbers {
        key.extend(number.to_be_bytes());
    }
    key
}

/// The keys of the definitions of the stream and of its shards.
fn definition() -> Vec<u8> {
    b"eclicks".to_vec()
}

fn shard(number: u64) -> Vec<u8> {
    key(b'h', &[STREAM, number])
}

/// Damages a store: what a batch can do.
pub(crate) fn damage(store: &MemStorage, write: impl FnOnce(&mut Batch)) {
    let mut batch = Batch::new();
    write(&mut batch);
    store.commit(&batch, Durability::Synced).unwrap();
}

fn change(store: &MemStorage, key: &[u8], field: &str, value: Value) {
    let stored = store.meta(key).unwrap().unwrap();
    let mut json: Value = serde_json::from_slice(&stored).unwrap();
    assert!(json.get(field).is_some(), "{field} is in {json}");
    json[field] = value;
    damage(store, |batch| batch.put_meta(key, json.to_string().as_bytes()));
}

/// The record: partition, head, tail, stored, cold, delayed, as of.
pub(crate) fn change_record(store: &MemStorage, id: u64, change: impl FnOnce(&mut [u64; 7])) {
    let place = key(b'r', &[id]);
    let stored = store.meta(&place).unwrap().unwrap();
    let mut fields = [0; 7];
    for (field, bytes) in fields.iter_mut().zip(stored.chunks_exact(8)) {
        *field = u64::from_le_bytes(bytes.try_into().unwrap());
    }
    change(&mut fields);
    let bytes: Vec<u8> = fields.iter().flat_map(|field| field.to_le_bytes()).collect();
    damage(store, |batch| batch.put_meta(&place, &bytes));
}

pub(crate) async fn open(store: &MemStorage, can_block: bool) -> Result<(Broker, LocalStream)> {
    let builder = if can_block {
        Broker::builder(SlowStorage::new(std::sync::Arc::new(store.clone())))
    } else {
        Broker::builder(store.clone())
    };
    let little = MemoryBounds { staged_bytes: 1, ..MemoryBounds::default() };
    let broker = builder.memory(little).seed(5).open().await?;
    let stream = broker.stream("clicks").shards(2).await?;
    Ok((broker, stream))
}

/// A closed store: a stream of two shards, of which the first has six records and was split.
pub(crate) async fn store() -> MemStorage {
    let store = MemStorage::new();
    let (broker, clicks) = open(&store, false).await.unwrap();
    put_numbers(&clicks, 0, 0..6).await;
    clicks.split_shard(ShardId(0), 1 << 100).await.unwrap();
    put_numbers(&clicks, HALF, 6..8).await;
    broker.close().await.unwrap();
    store
}

#[track_caller]
pub(crate) fn assert_corrupt<T: std::fmt::Debug>(outcome: Result<T>, place: &str) {
    let error = outcome.unwrap_err();
    assert_eq!(error.certainty(), Certainty::Corrupt, "{error}");
    assert!(error.to_string().contains(place), "{error} should name {place}");
}

#[tokio::test(start_paused = true)]
async fn ig3_a_definition_that_cannot_be_read_is_named() {
    let deep = "[".repeat(60_000);
    for bytes in [&b""[..], b"{", b"{}", b"null", b"\xff\xff", b"[1,2,3]", deep.as_bytes()] {
        for (at, place) in [(definition(), "clicks"), (shard(0), "meta key"), (shard(3), "meta key")] {
            let store = store().await;
            damage(&store, |batch| batch.put_meta(&at, bytes));
            assert_corrupt(open(&store, false).await.map(drop), place);
        }
    }
    let store = store().await;
    damage(&store, |batch| batch.put_meta(b"e\xff\xff", b"{}"));
    assert_corrupt(open(&store, false).await.map(drop), "");
}

#[tokio::test(start_paused = true)]
async fn ig3_a_stream_whose_numbers_cannot_be_is_refused() {
    let changes: &[(&str, Value)] = &[
        ("id", json!(0)),
        ("id", json!(u64::MAX)),
        ("id", json!(2)),
        ("id", json!(-1)),
        ("epoch", json!(0)),
        ("epoch", json!(u32::MAX)),
        ("epoch", json!(1_u64 << 32)),
        ("next_shard", json!(0)),
        ("next_shard", json!(3)),
        ("next_shard", json!(u32::MAX)),
        ("settings", json!(7)),
        ("updates", json!([1, "x"])),
    ];
    for (field, value) in changes {
        let store = store().await;
        change(&store, &definition(), field, value.clone());
        assert_corrupt(open(&store, false).await.map(drop), "clicks");
    }
}

#[tokio::test(start_paused = true)]
async fn ig3_shards_that_do_not_fit_are_refused() {
    let range = |start: u128, end: u128| json!({"start": start.to_string(), "end": end.to_string()});
    let changes: &[(u64, &str, Value)] = &[
        (1, "range", range(HALF + 1, u128::MAX)),
        (1, "range", range(HALF - 1, u128::MAX)),
        (1, "range", range(HALF, u128::MAX - 1)),
        (1, "range", range(u128::MAX, HALF)),
        (1, "range", json!({"start": "x", "end": "y"})),
        (1, "range", json!({"start": "340282366920938463463374607431768211456", "end": "0"})),
        (1, "closed_at", json!(5)),
        (0, "closed_at", Value::Null),
        (0, "number", json!(1)),
        (0, "number", json!(3)),
        (0, "number", json!(77)),
        (0, "number", json!(-1)),
        (0, "epoch", json!(2)),
        (0, "id", json!(4)),
        (0, "id", json!(99)),
        (0, "partition", json!(5)),
        (0, "partition", json!(u64::MAX)),
        (0, "parents", json!([1])),
    ];
    for (number, field, value) in changes {
        let store = store().await;
        change(&store, &shard(*number), field, value.clone());
        assert_corrupt(open(&store, false).await.map(drop), "");
    }
}

#[tokio::test(start_paused = true)]
async fn ig3_a_missing_shard_or_record_is_found_out() {
    for number in [1, 2, 3] {
        let store = store().await;
        damage(&store, |batch| batch.delete_meta(&shard(number)));
        assert_corrupt(open(&store, false).await.map(drop), "clicks");
    }
    for id in [RECORD, 4] {
        let store = store().await;
        damage(&store, |batch| batch.delete_meta(&key(b'r', &[id])));
        assert_corrupt(open(&store, false).await.map(drop), &format!("record of queue {id}"));
    }
    let changes: [fn(&mut [u64; 7]); 5] = [
        |record| record[0] = 77,
        |record| record[1] = record[2] + 1,
        |record| record[2] = u64::MAX,
        |record| record[3] = u64::MAX,
        |record| record[4] = 1,
    ];
    for change in changes {
        let store = store().await;
        change_record(&store, RECORD, change);
        assert_corrupt(open(&store, false).await.map(drop), "");
    }
}

/// A key of a shard that holds another shard's definition.
#[tokio::test(start_paused = true)]
async fn ig3_a_definition_in_the_wrong_place_is_refused() {
    let store = store().await;
    let stored = store.meta(&shard(0)).unwrap().unwrap();
    damage(&store, |batch| {
        batch.delete_meta(&shard(0));
        batch.put_meta(&shard(9), &stored);
    });
    assert_corrupt(open(&store, false).await.map(drop), "meta key");
}

/// Every byte of every definition and record, changed: whatever opens can be read without a panic.
#[tokio::test(start_paused = true)]
async fn ig10_no_changed_byte_makes_it_panic() {
    let mut opened = 0;
    for at in [definition(), shard(0), shard(1), key(b'r', &[RECORD]), key(b'r', &[4])] {
        let length = store().await.meta(&at).unwrap().unwrap().len();
        for byte in 0..length {
            for value in [0, b'9', 0xff] {
                let store = store().await;
                let mut stored = store.meta(&at).unwrap().unwrap().to_vec();
                stored[byte] = value;
                damage(&store, |batch| batch.put_meta(&at, &stored));
                match open(&store, false).await {
                    Ok((_broker, clicks)) => {
                        opened += 1;
                        use_it(&clicks).await;
                    }
                    Err(error) => assert_eq!(error.certainty(), Certainty::Corrupt, "{error}"),
                }
            }
        }
    }
    assert!(opened > 50, "some changes are harmless: {opened}");
}

async fn use_it(clicks: &LocalStream) {
    let tolerable = |error: Error| {
        let fine = matches!(
            error,
            Error::InvalidParameter { .. } | Error::TooMany { .. } | Error::StreamDoesNotExist { .. }
        ) || matches!(error, Error::InvalidState { .. } | Error::MessageTooLong { .. })
            || error.certainty() == Certainty::Corrupt;
        assert!(fine, "{error}");
    };
    let shards = clicks.shards(ShardFilter::FromTrimHorizon).await.unwrap();
    for shard in shards {
        if let Err(error) = read(clicks, StartingPosition::TrimHorizon, 100).await {
            tolerable(error);
        }
        if let Err(error) = clicks.iterator(shard.id, StartingPosition::Latest).await {
            tolerable(error);
        }
    }
    for hash in [0, HALF] {
        if let Err(error) = clicks.put(crate::ground::at_hash(hash, "x")).await {
            tolerable(error);
        }
    }
    if let Err(error) = clicks.update_shard_count(2).await {
        tolerable(error);
    }
    if let Err(error) = clicks.split_shard(ShardId(1), HALF + HALF / 2).await {
        tolerable(error);
    }
}

//! Does a step to a stream and to its model, and compares.

use std::time::Duration;

use broker_core::{
    Broker, HashKeyRange, LocalStream, PutRecord, Records, ShardFilter, ShardId, ShardIterator,
    StartingPosition, StreamSettings, Timestamp,
};

use super::{
    model::{Model, Put, Shard},
    step::{Step, md5, number_in, put_of},
};
use crate::{
    ground::{DAY, assert_refused, replay, stream},
    support::{World, advance, settle_down},
};

/// A reader: where it is, and the iterator that says so.
struct Reader {
    shard: ShardId,
    position: usize,
    iterator: ShardIterator,
}

pub(super) struct Run {
    world: World,
    broker: Broker,
    clicks: LocalStream,
    model: Model,
    readers: Vec<Reader>,
    put: usize,
}

impl Run {
    pub(super) async fn new(world: World) -> Self {
        let (broker, clicks) = stream(&world, 2).await;
        let retention_ms = 86_400_000;
        let mut run = Self {
            world,
            broker,
            clicks,
            model: Model { retention_ms, ..Model::default() },
            readers: Vec::new(),
            put: 0,
        };
        let half = 1 << 127;
        let whole = [(0, half - 1), (half, u128::MAX)].map(|(start, end)| HashKeyRange { start, end });
        run.model.reshard(&[], &[(ShardId(0), whole[0]), (ShardId(1), whole[1])], run.now());
        run
    }

    fn now(&self) -> u64 {
        self.world.now().as_millis()
    }

    pub(super) async fn step(&mut self, step: Step) {
        match step {
            Step::Put { key } => self.batch(&[key]).await,
            Step::PutAt { hash } => self.put_at(hash).await,
            Step::Batch { keys } => self.batch(&keys).await,
            Step::Read { shard, from, max, keep } => self.read(shard, from, max, keep).await,
            Step::ReadOn { iterator, max } => self.read_on(iterator, max).await,
            Step::Split { shard, at } => self.split(shard, at).await,
            Step::Merge { first } => self.merge(first).await,
            Step::Count { count } => self.count(count).await,
            Step::Pass { minutes } => {
                advance(Duration::from_secs(minutes * 60 + 1)).await;
                settle_down().await;
            }
            Step::Retain { hours } => self.retain(hours).await,
            Step::Reopen => {
                (self.broker, self.clicks) = crate::ground::reopened(&self.world, self.broker.clone()).await;
            }
        }
        self.compare_shards().await;
    }

    fn record(&mut self, key: u8) -> PutRecord {
        self.put += 1;
        PutRecord::new(format!("k{}", key % 7), format!("{}{}", self.put, "x".repeat(self.put % 40)))
    }

    fn note(&mut self, record: &PutRecord, hash: u128, done: broker_core::PutOutcome, at: u64) {
        let text = String::from_utf8(record.data.to_vec()).unwrap();
        let put = Put { number: done.number, key: record.partition_key.clone(), text, at };
        assert_eq!(self.model.put(hash, &put), done.shard);
    }

    async fn put_at(&mut self, hash: u128) {
        let (record, now) = (self.record(0).explicit_hash_key(hash), self.now());
        let done = self.clicks.put(record.clone()).await.unwrap();
        self.note(&record, hash, done, now);
    }

    async fn batch(&mut self, keys: &[u8]) {
        let records: Vec<_> = keys.iter().map(|key| self.record(*key)).collect();
        let now = self.now();
        let done = self.clicks.put_batch(records.clone()).await.unwrap();
        for (record, done) in records.iter().zip(done) {
            self.note(record, md5(&record.partition_key), done.unwrap(), now);
        }
    }

    async fn read(&mut self, shard: usize, from: usize, max: usize, keep: bool) {
        let now = self.now();
        let listed = self.model.listed(now);
        let shard = listed[shard % listed.len()].clone();
        let (from, position) = self.position(&shard, from, now);
        let iterator = self.clicks.iterator(shard.id, from).await.unwrap();
        let reader = Reader { shard: shard.id, position, iterator };
        if keep {
            self.readers.push(reader);
        } else {
            self.check_read(reader, max).await;
        }
    }

    /// One of the ways to begin, and how many records of the shard lie before that.
    fn position(&self, shard: &Shard, from: usize, now: u64) -> (StartingPosition, usize) {
        let records = &shard.records;
        let horizon = self.model.horizon(now);
        let first_since = |time: u64| records.iter().filter(|record| record.at < time.max(horizon)).count();
        let chosen = (!records.is_empty()).then(|| from / 5 % records.len());
        match (from % 5, chosen) {
            (0, Some(at)) => (StartingPosition::At(records[at].number), at),
            (1, Some(at)) => (StartingPosition::After(records[at].number), at + 1),
            (2, _) => (StartingPosition::Latest, records.len()),
            (3, Some(at)) => {
                let time = (records[at].at + from as u64 % 3).saturating_sub(1).min(now);
                (StartingPosition::AtTimestamp(Timestamp::from_millis(time)), first_since(time))
            }
            _ => (StartingPosition::TrimHorizon, first_since(0)),
        }
    }

    async fn read_on(&mut self, iterator: usize, max: usize) {
        if self.readers.is_empty() {
            return;
        }
        let reader = self.readers.swap_remove(iterator % self.readers.len());
        let expired = self.now() > reader.iterator.issued_at().as_millis() + 300_000;
        let listed = self.model.listed(self.now()).iter().any(|shard| shard.id == reader.shard);
        if !listed {
            return;
        }
        if expired {
            let outcome = self.clicks.read(&reader.iterator, max).await;
            assert!(matches!(outcome, Err(broker_core::Error::ExpiredIterator { .. })), "{outcome:?}");
            return;
        }
        if let Some(reader) = self.check_read(reader, max).await {
            self.readers.push(reader);
        }
    }

    /// Reads, compares with the model, and returns where to go on.
    async fn check_read(&self, reader: Reader, max: usize) -> Option<Reader> {
        let Records { records, next, missed, child_shards, millis_behind_latest } =
            self.clicks.read(&reader.iterator, max).await.unwrap();
        let (shard, now) = (self.model.shard(reader.shard), self.now());
        let horizon = self.model.horizon(now);
        let gone = shard.records[reader.position..].iter().take_while(|record| record.at < horizon).count();
        let position = reader.position + gone;
        let got: Vec<Put> = records.iter().map(put_of).collect();
        let expected = &shard.records[position..];
        assert_eq!(missed, gone as u64, "what expired before it was read is told");
        assert!(got.len() <= max && expected.starts_with(&got), "{got:?} of {expected:?}");
        assert!(!got.is_empty() || expected.is_empty(), "there is something to read");
        let left = expected.len() - got.len();
        let behind = if left == 0 { 0 } else { now - got.last().unwrap().at };
        assert_eq!(millis_behind_latest, behind);
        let Some(iterator) = next else {
            assert!(shard.closed_at.is_some() && expected.is_empty());
            assert_eq!(child_shards, self.model.children(shard.id));
            return None;
        };
        assert!(child_shards.is_empty() && (shard.closed_at.is_none() || !got.is_empty()));
        Some(Reader { position: position + got.len(), iterator, ..reader })
    }

    async fn split(&mut self, shard: usize, at: u128) {
        let (now, open) = (self.now(), self.model.open());
        let Shard { id, range, .. } = open[shard % open.len()].clone();
        let at = range.start.saturating_add(at % (range.end - range.start).saturating_add(1).max(1));
        let outcome = self.clicks.split_shard(id, at).await;
        if at <= range.start + 1 || at >= range.end {
            return assert_refused(outcome, "new_starting_hash_key");
        }
        let [low, high] = outcome.unwrap();
        let ranges = (HashKeyRange { end: at - 1, ..range }, HashKeyRange { start: at, ..range });
        self.model.reshard(&[id], &[(low, ranges.0), (high, ranges.1)], now);
    }

    async fn merge(&mut self, first: usize) {
        let (now, open) = (self.now(), self.model.open());
        let first = first % open.len();
        let (low, high) = (open[first].clone(), open[(first + 1) % open.len()].clone());
        let outcome = self.clicks.merge_shards(low.id, high.id).await;
        if low.range.end.checked_add(1) != Some(high.range.start) {
            return assert_refused(outcome, "shards");
        }
        let range = HashKeyRange { start: low.range.start, end: high.range.end };
        self.model.reshard(&[low.id, high.id], &[(outcome.unwrap(), range)], now);
    }

    /// What becomes of the shards is taken from the stream: that it fits together is checked.
    async fn count(&mut self, count: u32) {
        let present = u32::try_from(self.model.open().len()).unwrap();
        let now = self.now();
        match self.clicks.update_shard_count(count).await {
            Err(broker_core::Error::TooMany { .. }) => return,
            outcome if count > 2 * present || count < present.div_ceil(2) => {
                return assert_refused(outcome, "shard_count");
            }
            outcome => outcome.unwrap(),
        }
        let known = self.model.shards.len();
        for info in self.clicks.shards(ShardFilter::FromTrimHorizon).await.unwrap() {
            let parents: Vec<_> = [info.parent, info.adjacent_parent].into_iter().flatten().collect();
            if self.model.shards.iter().all(|shard| shard.id != info.id) {
                let closed_at = info.closed_at.map(Timestamp::as_millis);
                let shard = Shard { id: info.id, range: info.range, parents, closed_at, records: Vec::new() };
                self.model.shards.push(shard);
            } else if info.closed_at.is_some_and(|closed| closed.as_millis() == now) {
                let shard = self.model.shards.iter_mut().find(|shard| shard.id == info.id).unwrap();
                shard.closed_at.get_or_insert(now);
            }
        }
        assert!(self.model.shards[known..].is_sorted_by_key(|shard| shard.id));
        let size = u128::MAX / u128::from(count);
        let near = |shard: &&Shard| (shard.range.end - shard.range.start).abs_diff(size) < 100;
        assert!(self.model.open().iter().all(near), "equal shards: {:?}", self.model.open());
        assert_eq!(self.model.open().len(), count as usize);
    }

    async fn retain(&mut self, hours: u64) {
        let retention = Duration::from_secs(hours * 3_600);
        let now = self.now();
        self.clicks
            .set_attributes(StreamSettings { retention: Some(retention), ..StreamSettings::new() })
            .await
            .unwrap();
        self.model.lost_before = self.model.horizon(now);
        self.model.retention_ms = hours * 3_600_000;
        assert!(retention >= DAY);
        settle_down().await;
    }

    async fn compare_shards(&self) {
        let seen = self.clicks.shards(ShardFilter::FromTrimHorizon).await.unwrap();
        let seen: Vec<_> = seen
            .iter()
            .map(|shard| (shard.id, shard.range, shard.closed_at.map(Timestamp::as_millis)))
            .collect();
        let listed = self.model.listed(self.now()).into_iter();
        assert_eq!(seen, listed.map(|shard| (shard.id, shard.range, shard.closed_at)).collect::<Vec<_>>());
        let open = self.model.open();
        assert_eq!((open[0].range.start, open.last().unwrap().range.end), (0, u128::MAX));
        assert!(open.windows(2).all(|pair| pair[0].range.end + 1 == pair[1].range.start));
    }

    /// Everything that is left is read twice, and each key's records are in the order in which they were put.
    pub(super) async fn finish(self) {
        let first = replay(&self.clicks).await;
        assert_eq!(replay(&self.clicks).await, first, "two replays are the same");
        let now = self.now();
        let horizon = self.model.horizon(now);
        let listed = self.model.listed(now).into_iter().flat_map(|shard| &shard.records);
        let expected: Vec<Put> = listed.filter(|put| put.at >= horizon).cloned().collect();
        let got: Vec<Put> = first.iter().map(put_of).collect();
        assert_eq!(got, expected);
        for key in (0..7).map(|key| format!("k{key}")) {
            // Those with explicit hash keys have a key of another shard.
            let of_key = |put: &&Put| put.key == key && key != "k0";
            assert!(got.iter().filter(of_key).is_sorted_by_key(|put| number_in(&put.text)), "{key}");
            assert!(got.iter().filter(of_key).is_sorted_by_key(|put| put.number), "{key}");
        }
    }
}

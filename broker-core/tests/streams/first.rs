//! Smoke.

use std::time::Duration;

use broker_core::*;

use crate::support::{World, secs};

everywhere! {
    put_and_read,
    splits_keep_the_order_of_keys,
    a_reader_waits,
    records_expire,
}

async fn put_and_read(world: World) {
    let broker = world.broker().await;
    let clicks = broker.stream("clicks").shards(3).await.unwrap();
    let mut put = Vec::new();
    for n in 0..50 {
        put.push(clicks.put(PutRecord::new(format!("k{}", n % 7), n.to_string())).await.unwrap());
    }
    let more = (50..60).map(|n| PutRecord::new(format!("k{}", n % 7), n.to_string())).collect();
    for one in clicks.put_batch(more).await.unwrap() {
        put.push(one.unwrap());
    }
    broker.close().await.unwrap();
    drop(broker);
    let broker = world.broker().await;
    let clicks = broker.open_stream("clicks").await.unwrap();
    let mut total = 0;
    for shard in clicks.shards(ShardFilter::AtLatest).await.unwrap() {
        let mut at = clicks.iterator(shard.id, StartingPosition::TrimHorizon).await.unwrap();
        loop {
            let found = clicks.read(&at, 7).await.unwrap();
            if found.records.is_empty() {
                break;
            }
            for record in &found.records {
                let n: usize = std::str::from_utf8(&record.data).unwrap().parse().unwrap();
                assert_eq!((put[n].shard, put[n].number), (shard.id, record.number));
                total += 1;
            }
            at = found.next.unwrap();
        }
    }
    assert_eq!(total, 60);
    println!("{:?}", clicks.traffic().await.unwrap());
}

async fn splits_keep_the_order_of_keys(world: World) {
    let broker = world.broker().await;
    let clicks = broker.stream("clicks").shards(1).await.unwrap();
    let put = async |n: usize| {
        let key = format!("k{}", n % 5);
        clicks.put(PutRecord::new(key, n.to_string())).await.unwrap();
    };
    for n in 0..20 {
        put(n).await;
    }
    let [a, b] = clicks.split_shard(ShardId(0), 1 << 127).await.unwrap();
    for n in 20..40 {
        put(n).await;
    }
    let merged = clicks.merge_shards(a, b).await.unwrap();
    for n in 40..60 {
        put(n).await;
    }
    clicks.update_shard_count(2).await.unwrap();
    let mut seen: Vec<(String, usize)> = Vec::new();
    let mut left = vec![ShardId(0)];
    let mut done = Vec::new();
    while let Some(shard) = left.pop() {
        if done.contains(&shard) {
            continue;
        }
        let mut at = Some(clicks.iterator(shard, StartingPosition::TrimHorizon).await.unwrap());
        while let Some(iterator) = at {
            let found = clicks.read(&iterator, 3).await.unwrap();
            for record in &found.records {
                let n = std::str::from_utf8(&record.data).unwrap().parse().unwrap();
                seen.push((record.partition_key.clone(), n));
            }
            left.extend(found.child_shards.iter().filter(|child| **child != merged || shard == b || true));
            at = found.next;
            if found.records.is_empty() && found.child_shards.is_empty() {
                break;
            }
        }
        done.push(shard);
    }
    println!("{seen:?} {merged}");
    assert_eq!(seen.len(), 60);
}

async fn a_reader_waits(world: World) {
    let broker = world.broker().await;
    let clicks = broker.stream("clicks").shards(1).await.unwrap();
    let mut reader = clicks.reader(ShardId(0), StartingPosition::Latest).await.unwrap();
    let reading = tokio::spawn(async move {
        let first = reader.next().await.unwrap().unwrap();
        let second = reader.next().await.unwrap();
        (first, second, reader.child_shards().to_vec())
    });
    tokio::time::sleep(secs(1_000)).await;
    clicks.put(PutRecord::new("k", "x")).await.unwrap();
    tokio::time::sleep(secs(1_000)).await;
    clicks.split_shard(ShardId(0), 5).await.unwrap();
    let (first, second, children) = reading.await.unwrap();
    assert_eq!(&first.data[..], b"x");
    assert_eq!((second, children), (None, vec![ShardId(1), ShardId(2)]));
}

async fn records_expire(world: World) {
    let broker = world.broker().await;
    let clicks = broker.stream("clicks").shards(1).await.unwrap();
    for n in 0..10 {
        clicks.put(PutRecord::new("k", n.to_string())).await.unwrap();
        tokio::time::sleep(secs(3_600)).await;
    }
    let from = clicks.iterator(ShardId(0), StartingPosition::TrimHorizon).await.unwrap();
    let first = clicks.read(&from, 3).await.unwrap();
    assert_eq!(first.millis_behind_latest, 8 * 3_600_000);
    let _ = first;
    tokio::time::sleep(Duration::from_secs(16 * 3_600)).await;
    let from = clicks.iterator(ShardId(0), StartingPosition::TrimHorizon).await.unwrap();
    let found = clicks.read(&from, 100).await.unwrap();
    println!("{} {}", found.records.len(), found.missed);
    assert!(found.records.len() < 10);
    clicks.put(PutRecord::new("k", "x")).await.unwrap();
    tokio::time::sleep(secs(1)).await;
    assert!(clicks.read(&from, 1).await.is_ok());
}

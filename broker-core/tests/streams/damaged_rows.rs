//! Rows that are not what was written: named when a reader comes to them, and what is before and behind is still read. IG3,
//! IS6.

use std::{sync::Arc, time::Duration};

use broker_core::{
    Broker, LocalStream, ReceiveOptions, Result, ShardId, StartingPosition, StreamQueueSettings,
    storage::{Storage, faults::SlowStorage},
};

use crate::{
    damage::{PARTITION, RECORD, assert_corrupt, change_record, damage, open, store},
    ground::{numbered, read_from, replay, texts},
};

pub(crate) async fn read(
    clicks: &LocalStream,
    from: StartingPosition,
    max: usize,
) -> Result<broker_core::Records> {
    let at = clicks.iterator(ShardId(0), from).await?;
    clicks.read(&at, max).await
}

#[tokio::test(start_paused = true)]
async fn ig3_a_lost_or_unreadable_row_is_named_and_does_not_hide_the_others() {
    for can_block in [false, true] {
        for kind in 0..4 {
            let store = store().await;
            let numbers = {
                let (_broker, clicks) = open(&store, can_block).await.unwrap();
                let found = read_from(&clicks, ShardId(0), StartingPosition::TrimHorizon).await;
                found.records.iter().map(|record| record.number).collect::<Vec<_>>()
            };
            let mut row = store.row(PARTITION, 3).unwrap().unwrap().to_vec();
            damage(&store, |batch| match kind {
                0 => batch.delete_row(PARTITION, 3),
                1 => batch.put_row(PARTITION, 3, Vec::new()),
                2 => batch.put_row(PARTITION, 3, vec![9; 60]),
                _ => {
                    // A flag that no build knows.
                    row[1] |= 0x80;
                    batch.put_row(PARTITION, 3, row);
                }
            });
            let (_broker, clicks) = open(&store, can_block).await.unwrap();
            let place = "row 3 of partition 3";
            // Those before it come, whatever the size of the read; then it is named, as often as one asks.
            let found = read(&clicks, StartingPosition::At(numbers[0]), 1_000).await.unwrap();
            assert_eq!((texts(&found), found.missed), (numbered(0..3), 0));
            for _ in 0..2 {
                assert_corrupt(clicks.read(&found.next.unwrap(), 10).await, place);
            }
            for from in [StartingPosition::At(numbers[3]), StartingPosition::After(numbers[2])] {
                assert_corrupt(read(&clicks, from, 10).await, place);
            }
            let behind = read(&clicks, StartingPosition::After(numbers[3]), 10).await.unwrap();
            assert_eq!(texts(&behind), numbered(4..6));
            // Other shards are as they were.
            let other = read_from(&clicks, ShardId(1), StartingPosition::TrimHorizon).await;
            assert_eq!(texts(&other), numbered(6..8));
        }
    }
}

/// A record that promises more than is there, or less.
#[tokio::test(start_paused = true)]
async fn ig3_a_tail_or_a_head_that_is_wrong_is_found_when_it_is_met() {
    for can_block in [false, true] {
        let store = store().await;
        change_record(&store, RECORD, |record| record[2] += 1);
        let (_broker, clicks) = open(&store, can_block).await.unwrap();
        let from = clicks.iterator(ShardId(0), StartingPosition::TrimHorizon).await.unwrap();
        let found = clicks.read(&from, 1_000).await.unwrap();
        assert_eq!(texts(&found), numbered(0..6));
        assert_corrupt(clicks.read(&found.next.unwrap(), 10).await, "row 6 of partition 3");
        // What is gone for good by the record's word was trimmed.
        let store = self::store().await;
        change_record(&store, RECORD, |record| record[1] = 4);
        let (_broker, clicks) = open(&store, can_block).await.unwrap();
        let found = read_from(&clicks, ShardId(0), StartingPosition::TrimHorizon).await;
        assert_eq!(texts(&found), numbered(4..6));
    }
}

/// A record that seems to have expired among others that have not is passed over, but not in silence.
#[tokio::test(start_paused = true)]
async fn is6_a_record_with_a_wrong_time_counts_as_missed() {
    let store = store().await;
    let mut row = store.row(PARTITION, 3).unwrap().unwrap().to_vec();
    row[2..10].copy_from_slice(&[0; 8]);
    damage(&store, |batch| batch.put_row(PARTITION, 3, row));
    let (_broker, clicks) = open(&store, false).await.unwrap();
    let at = clicks.iterator(ShardId(0), StartingPosition::TrimHorizon).await.unwrap();
    let found = clicks.read(&at, 10).await.unwrap();
    assert_eq!((texts(&found), found.missed), (numbered(0..3), 0));
    let found = clicks.read(&found.next.unwrap(), 10).await.unwrap();
    assert_eq!((texts(&found), found.missed), (numbered(4..6), 1));
}

/// The whole is read back as it was, if nothing is damaged.
#[tokio::test(start_paused = true)]
async fn ig3_an_undamaged_store_is_whole() {
    let store = store().await;
    let (_broker, clicks) = open(&store, false).await.unwrap();
    assert_eq!(replay(&clicks).await.len(), 8);
}

/// D10: the receive that meets it names it, and gives the others back; the next one returns them.
#[tokio::test(start_paused = true)]
async fn d10_an_unreadable_record_does_not_keep_the_others_of_its_receive() {
    let store = store().await;
    let at_once = || ReceiveOptions::up_to(6).wait_time(Duration::ZERO);
    // With memory for all of them.
    let open = async || Broker::builder(SlowStorage::new(Arc::new(store.clone()))).open().await.unwrap();
    let broker = open().await;
    let clicks = broker.open_stream("clicks").await.unwrap();
    let settings = StreamQueueSettings::default();
    let work = clicks.queue("work", StartingPosition::TrimHorizon, &settings).await.unwrap();
    let got = work.receive(at_once()).await.unwrap();
    assert_eq!(got.len(), 6);
    for message in got {
        work.update_visibility(message.receipt, Duration::ZERO).await.unwrap();
    }
    broker.close().await.unwrap();
    damage(&store, |batch| batch.put_row(PARTITION, 3, vec![9; 60]));
    let broker = open().await;
    let work = broker.open_stream("clicks").await.unwrap().open_queue("work").unwrap();
    assert_corrupt(work.receive(at_once()).await, "row 3 of partition 3");
    let counters = work.counters().await.unwrap();
    assert_eq!((counters.visible, counters.in_flight), (5, 1));
    let behind = work.receive(at_once()).await.unwrap();
    assert!(behind.iter().all(|message| message.receive_count == 2) && behind.len() == 5, "{behind:?}");
}

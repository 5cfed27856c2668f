//! Reading from every position, to the end and beyond. K50, K51, K53, K54, K55, IS2, IS3, IS9, IS10.

use broker_core::{LocalStream, ShardFilter, ShardId, StartingPosition, Timestamp};

use crate::{
    ground::{
        DAY, HALF, assert_refused, bodies, numbered, put, put_numbers, read_from, reopened, replay, stream,
        texts, whole,
    },
    support::{World, advance, ms, secs, settle_down},
};

everywhere! {
    k50_a_reader_begins_at_each_of_five_positions,
    k50_positions_mean_the_same_after_a_split_a_trim_and_a_restart,
    k50_latest_is_behind_the_newest_record_at_the_time_of_the_call,
    k50_a_time_finds_the_first_record_of_then_or_later,
    k50_a_time_in_the_future_is_refused,
    k51_a_number_of_another_shard_is_refused,
    k53_a_reader_learns_how_far_behind_it_is,
    k53_a_read_returns_as_many_as_it_is_asked_for,
    k54_a_closed_shard_ends_with_its_children,
    k55_a_closed_shard_can_be_read_from_every_position,
    is3_an_iterator_leaves_out_and_repeats_nothing,
    is9_times_of_a_shard_do_not_go_back,
    is10_two_full_replays_are_the_same,
}

async fn k50_a_reader_begins_at_each_of_five_positions(world: World) {
    let world = world.with_little_memory();
    let (_broker, clicks) = stream(&world, 1).await;
    let mut put_at = Vec::new();
    for n in 0..10 {
        put_at.push((put(&clicks, "k", &n.to_string()).await.number, world.now()));
        advance(secs(1)).await;
    }
    for (n, (number, time)) in put_at.iter().copied().enumerate() {
        assert_eq!(bodies(&clicks, ShardId(0), StartingPosition::At(number)).await, numbered(n..10));
        assert_eq!(bodies(&clicks, ShardId(0), StartingPosition::After(number)).await, numbered(n + 1..10));
        assert_eq!(bodies(&clicks, ShardId(0), StartingPosition::AtTimestamp(time)).await, numbered(n..10));
    }
    assert_eq!(whole(&clicks, ShardId(0)).await, numbered(0..10));
    assert!(bodies(&clicks, ShardId(0), StartingPosition::Latest).await.is_empty());
}

async fn check_positions(clicks: &LocalStream, numbers: &[broker_core::RecordNumber], from: usize) {
    for (n, number) in numbers.iter().enumerate() {
        let (at, after) = (StartingPosition::At(*number), StartingPosition::After(*number));
        assert_eq!(bodies(clicks, ShardId(0), at).await, numbered(n.max(from)..numbers.len()));
        assert_eq!(bodies(clicks, ShardId(0), after).await, numbered((n + 1).max(from)..numbers.len()));
    }
    assert_eq!(whole(clicks, ShardId(0)).await, numbered(from..numbers.len()));
    assert!(bodies(clicks, ShardId(0), StartingPosition::Latest).await.is_empty());
}

async fn k50_positions_mean_the_same_after_a_split_a_trim_and_a_restart(world: World) {
    let world = world.with_little_memory();
    let (broker, clicks) = stream(&world, 1).await;
    let mut numbers: Vec<_> = put_numbers(&clicks, 0, 0..5).await.iter().map(|one| one.number).collect();
    advance(secs(3_600)).await;
    numbers.extend(put_numbers(&clicks, 0, 5..12).await.iter().map(|one| one.number));
    check_positions(&clicks, &numbers, 0).await;
    let children = clicks.split_shard(ShardId(0), HALF).await.unwrap();
    put_numbers(&clicks, 0, 50..55).await;
    check_positions(&clicks, &numbers, 0).await;
    let (broker, clicks) = reopened(&world, broker).await;
    check_positions(&clicks, &numbers, 0).await;
    // The first five expire: at first they are only not shown, then they are gone.
    advance(secs(23 * 3_600 + 1)).await;
    check_positions(&clicks, &numbers, 5).await;
    put_numbers(&clicks, 0, 55..60).await;
    settle_down().await;
    check_positions(&clicks, &numbers, 5).await;
    let (_broker, clicks) = reopened(&world, broker).await;
    check_positions(&clicks, &numbers, 5).await;
    assert_eq!(whole(&clicks, children[0]).await, numbered(50..60));
}

async fn k50_latest_is_behind_the_newest_record_at_the_time_of_the_call(world: World) {
    let (_broker, clicks) = stream(&world, 1).await;
    let empty = clicks.iterator(ShardId(0), StartingPosition::Latest).await.unwrap();
    put_numbers(&clicks, 0, 0..3).await;
    let latest = clicks.iterator(ShardId(0), StartingPosition::Latest).await.unwrap();
    put_numbers(&clicks, 0, 3..5).await;
    assert_eq!(texts(&clicks.read(&empty, 10).await.unwrap()), numbered(0..5));
    assert_eq!(texts(&clicks.read(&latest, 10).await.unwrap()), numbered(3..5));
}

async fn k50_a_time_finds_the_first_record_of_then_or_later(world: World) {
    let world = world.with_little_memory();
    let (_broker, clicks) = stream(&world, 1).await;
    let start = world.now().as_millis();
    // Three at each of four times, ten milliseconds apart.
    for n in 0..4 {
        put_numbers(&clicks, 0, n * 3..n * 3 + 3).await;
        advance(ms(10)).await;
    }
    let from = async |at: u64| {
        let time = StartingPosition::AtTimestamp(Timestamp::from_millis(at));
        bodies(&clicks, ShardId(0), time).await.len()
    };
    for (after, left) in [(0, 12), (1, 9), (9, 9), (10, 9), (11, 6), (30, 3), (31, 0), (40, 0)] {
        assert_eq!(from(start + after).await, left, "{after} ms after the first");
    }
    assert_eq!([from(start - 1).await, from(0).await], [12, 12]);
    // Older than what is kept: the oldest that there is, and nothing was missed on the way.
    advance(DAY.saturating_sub(ms(25))).await;
    for time in [0, start, start + 5] {
        let found =
            read_from(&clicks, ShardId(0), StartingPosition::AtTimestamp(Timestamp::from_millis(time))).await;
        assert_eq!((texts(&found), found.missed), (numbered(6..12), 0));
    }
}

async fn k50_a_time_in_the_future_is_refused(world: World) {
    let (_broker, clicks) = stream(&world, 1).await;
    let now = world.now().as_millis();
    for time in [now + 1, u64::MAX] {
        let from = StartingPosition::AtTimestamp(Timestamp::from_millis(time));
        assert_refused(clicks.iterator(ShardId(0), from).await, "timestamp");
    }
    clicks.iterator(ShardId(0), StartingPosition::AtTimestamp(world.now())).await.unwrap();
}

async fn k51_a_number_of_another_shard_is_refused(world: World) {
    let (_broker, clicks) = stream(&world, 2).await;
    let first = put_numbers(&clicks, 0, 0..1).await[0].number;
    let [low, _] = clicks.split_shard(ShardId(0), 1 << 100).await.unwrap();
    let child = put_numbers(&clicks, 0, 1..2).await[0];
    assert_eq!(child.shard, low);
    for (shard, number) in [(ShardId(1), first), (low, first), (ShardId(0), child.number)] {
        for from in [StartingPosition::At(number), StartingPosition::After(number)] {
            assert_refused(clicks.iterator(shard, from).await, "starting_sequence_number");
        }
    }
    for shard in [5, u32::MAX] {
        assert_refused(clicks.iterator(ShardId(shard), StartingPosition::Latest).await, "shard");
    }
}

async fn k53_a_reader_learns_how_far_behind_it_is(world: World) {
    let (_broker, clicks) = stream(&world, 1).await;
    for n in 0..5 {
        put(&clicks, "k", &n.to_string()).await;
        advance(secs(10)).await;
    }
    let mut at = clicks.iterator(ShardId(0), StartingPosition::TrimHorizon).await.unwrap();
    let mut behind = Vec::new();
    for _ in 0..7 {
        let found = clicks.read(&at, 1).await.unwrap();
        behind.push(found.millis_behind_latest);
        at = found.next.unwrap();
    }
    assert_eq!(behind, [50_000, 40_000, 30_000, 20_000, 0, 0, 0]);
}

async fn k53_a_read_returns_as_many_as_it_is_asked_for(world: World) {
    let (_broker, clicks) = stream(&world, 1).await;
    put_numbers(&clicks, 0, 0..50).await;
    let at = clicks.iterator(ShardId(0), StartingPosition::TrimHorizon).await.unwrap();
    for max in [1, 7, 50, 10_000] {
        assert_eq!(clicks.read(&at, max).await.unwrap().records.len(), max.min(50));
    }
    for max in [0, 10_001, usize::MAX] {
        assert_refused(clicks.read(&at, max).await, "max");
    }
}

async fn k54_a_closed_shard_ends_with_its_children(world: World) {
    let world = world.with_little_memory();
    let (broker, clicks) = stream(&world, 1).await;
    put_numbers(&clicks, 0, 0..7).await;
    let children = clicks.split_shard(ShardId(0), HALF).await.unwrap();
    let (_broker, clicks) = reopened(&world, broker).await;
    let mut at = clicks.iterator(ShardId(0), StartingPosition::TrimHorizon).await.unwrap();
    let mut count = 0;
    let last = loop {
        let found = clicks.read(&at, 3).await.unwrap();
        count += found.records.len();
        let Some(next) = found.next else { break found };
        assert!(found.child_shards.is_empty(), "only in the last answer");
        at = next;
    };
    assert_eq!((count, last.child_shards.clone(), last.millis_behind_latest), (7, children.to_vec(), 0));
    // And so again, whoever asks.
    assert_eq!(clicks.read(&at, 3).await.unwrap(), last);
    let merged = clicks.merge_shards(children[0], children[1]).await.unwrap();
    for child in children {
        assert_eq!(read_from(&clicks, child, StartingPosition::TrimHorizon).await.child_shards, [merged]);
    }
    let mut reader = clicks.reader(ShardId(0), StartingPosition::TrimHorizon).await.unwrap();
    for n in 0..7 {
        assert_eq!(reader.next().await.unwrap().unwrap().data, n.to_string());
    }
    assert_eq!((reader.next().await.unwrap(), reader.next().await.unwrap()), (None, None));
    assert_eq!(reader.child_shards(), children);
}

async fn k55_a_closed_shard_can_be_read_from_every_position(world: World) {
    let (_broker, clicks) = stream(&world, 1).await;
    let put = put_numbers(&clicks, 0, 0..5).await;
    let time = world.now();
    advance(secs(5)).await;
    let children = clicks.split_shard(ShardId(0), HALF).await.unwrap();
    assert_eq!(whole(&clicks, ShardId(0)).await, numbered(0..5));
    assert_eq!(bodies(&clicks, ShardId(0), StartingPosition::AtTimestamp(time)).await, numbered(0..5));
    assert_eq!(bodies(&clicks, ShardId(0), StartingPosition::At(put[3].number)).await, numbered(3..5));
    let at_the_end = [
        StartingPosition::Latest,
        StartingPosition::After(put[4].number),
        StartingPosition::AtTimestamp(world.now()),
    ];
    for from in at_the_end {
        let found = read_from(&clicks, ShardId(0), from).await;
        assert_eq!((found.records.len(), found.next, found.child_shards), (0, None, children.to_vec()));
    }
}

async fn is3_an_iterator_leaves_out_and_repeats_nothing(world: World) {
    let world = world.with_little_memory();
    let (_broker, clicks) = stream(&world, 1).await;
    let mut at = clicks.iterator(ShardId(0), StartingPosition::TrimHorizon).await.unwrap();
    let mut seen = Vec::new();
    for n in 0..30 {
        // Sometimes the reader is ahead, sometimes it falls behind what memory keeps.
        put_numbers(&clicks, 0, n * 7..n * 7 + 7).await;
        for max in [1, n % 5 + 1, n % 11 + 1] {
            let again = clicks.read(&at, max).await.unwrap();
            let found = clicks.read(&at, max).await.unwrap();
            assert_eq!(again.records, found.records, "an iterator is good more than once");
            seen.extend(texts(&found));
            at = found.next.unwrap();
        }
    }
    let rest = clicks.read(&at, 1_000).await.unwrap();
    seen.extend(texts(&rest));
    assert_eq!(seen, numbered(0..210));
}

async fn is9_times_of_a_shard_do_not_go_back(world: World) {
    let (broker, clicks) = stream(&world, 1).await;
    for n in 0..5 {
        put(&clicks, "k", "x").await;
        advance(ms(n % 3)).await;
    }
    clicks.split_shard(ShardId(0), HALF).await.unwrap();
    let (_broker, clicks) = reopened(&world, broker).await;
    put(&clicks, "k", "x").await;
    let times: Vec<_> = replay(&clicks).await.iter().map(|record| record.arrived_at).collect();
    assert!(times.is_sorted() && times.len() == 6);
}

async fn is10_two_full_replays_are_the_same(world: World) {
    let world = world.with_little_memory();
    let (broker, clicks) = stream(&world, 2).await;
    for n in 0..60 {
        put(&clicks, &format!("k{}", n % 9), &n.to_string()).await;
    }
    let first = replay(&clicks).await;
    clicks.merge_shards(ShardId(0), ShardId(1)).await.unwrap();
    let (_broker, clicks) = reopened(&world, broker).await;
    assert_eq!(replay(&clicks).await, first);
    assert_eq!(first.len(), 60);
    assert_eq!(clicks.shards(ShardFilter::FromTrimHorizon).await.unwrap().len(), 3);
}

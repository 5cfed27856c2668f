//! The stored layout of the meta space: the one module that spells keys.
//!
//! | tag | key after the tag | value |
//! |---|---|---|
//! | `b` | – | store header: format version, seed |
//! | `i` | – | the next free id, for queues, topics, subscriptions, streams, shards, spaces and partitions |
//! | `n` | queue name | queue definition, JSON |
//! | `d` | queue name | when the queue was deleted |
//! | `r` | queue, topic or shard id | record: tail, head, counts |
//! | `s` | partition, sequence | lease of a message that is in memory ([`Lease`](crate::queue::lease::Lease)) |
//! | `c` | partition, sequence | lease of a received message that waits in storage only |
//! | `t` | partition, time, sequence | a delayed message that waits in storage only |
//! | `u` | partition, generation, group and id | the message that a deduplication id was accepted with |
//! | `m` | queue id, number | a move task of that source queue, JSON |
//! | `p` | topic name | topic definition, JSON |
//! | `q` | topic id, number, part | a part of a subscription of that topic, JSON |
//! | `e` | stream name | stream definition, JSON |
//! | `h` | stream id, number | a shard of that stream, JSON |
//! | `k` | stream id, group name | a consumer group, JSON |
//! | `l` | group id, shard number | how far a group has consumed a shard, JSON |
//! | `o` | stream id, queue name | a queue on a stream, JSON |
//! | `w` | queue id, shard number | the first sequence that a queue on a stream has not come to |
//! | `v` | space name | a space of user keys, JSON |
//! | `x` | space id, user key | the user's value, as it is |
//! | `y` | note name | a note, which means nothing to the broker |
//! | `g` | partition | a partition whose rows are no longer needed, and how far they reach |
//!
//! Numbers are big-endian, so that byte order is number order. Tags are never reused for another meaning.

/// The newest layout that this build writes and reads.
pub(crate) const FORMAT_VERSION: u32 = 1;

pub(crate) const HEADER: &[u8] = b"b";
pub(crate) const NEXT_ID: &[u8] = b"i";

/// The first key behind all keys that start with `tag`.
pub(crate) fn after_tag(tag: u8) -> [u8; 1] {
    [tag + 1]
}

pub(crate) const DEFINITION: u8 = b'n';
pub(crate) const TOMBSTONE: u8 = b'd';
pub(crate) const RECORD: u8 = b'r';
pub(crate) const GARBAGE: u8 = b'g';
pub(crate) const MOVE_TASK: u8 = b'm';
pub(crate) const TOPIC: u8 = b'p';
pub(crate) const STREAM: u8 = b'e';
pub(crate) const SPACE: u8 = b'v';
const USER_KEY: u8 = b'x';
const NOTE: u8 = b'y';
const SHARD: u8 = b'h';
const GROUP: u8 = b'k';
const GROUP_LEASE: u8 = b'l';
const STREAM_QUEUE: u8 = b'o';
const POSITION: u8 = b'w';
const SUBSCRIPTION: u8 = b'q';
const HOT: u8 = b's';
const COLD: u8 = b'c';
const DELAYED: u8 = b't';
const DEDUPLICATION: u8 = b'u';

/// The tags of keys that belong to something with the id or partition behind the tag: those of the table above.
pub(crate) const OWNED: &[u8] = b"rsctumqhklowx";

pub(crate) fn definition(name: &str) -> Vec<u8> {
    named(DEFINITION, name)
}

pub(crate) fn tombstone(name: &str) -> Vec<u8> {
    named(TOMBSTONE, name)
}

pub(crate) fn note(name: &str) -> Vec<u8> {
    named(NOTE, name)
}

/// The name in a definition, tombstone or note key.
pub(crate) fn name_of(key: &[u8]) -> Option<&str> {
    std::str::from_utf8(key.get(1..)?).ok()
}

fn named(tag: u8, name: &str) -> Vec<u8> {
    let mut key = Vec::with_capacity(1 + name.len());
    key.push(tag);
    key.extend_from_slice(name.as_bytes());
    key
}

pub(crate) fn record(queue: u64) -> [u8; 9] {
    one(RECORD, queue)
}

pub(crate) fn garbage(partition: u64) -> [u8; 9] {
    one(GARBAGE, partition)
}

/// The number in a record or garbage key.
pub(crate) fn number_of(key: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(key.get(1..)?.try_into().ok()?))
}

pub(crate) fn hot(partition: u64, seq: u64) -> [u8; 17] {
    two(HOT, partition, seq)
}

pub(crate) fn cold(partition: u64, seq: u64) -> [u8; 17] {
    two(COLD, partition, seq)
}

/// The sequence in a hot or cold key.
pub(crate) fn seq_of(key: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(key.get(9..)?.try_into().ok()?))
}

pub(crate) fn delayed(partition: u64, time: u64, seq: u64) -> [u8; 25] {
    three(DELAYED, partition, time, seq)
}

/// The first key of a generation of deduplication ids.
pub(crate) fn deduplication_generation(partition: u64, generation: u64) -> [u8; 17] {
    two(DEDUPLICATION, partition, generation)
}

/// The key of a deduplication id, its partition and generation to be filled in. The group has at most 128 bytes.
pub(crate) fn deduplication(group: &str, id: &str) -> Box<[u8]> {
    let mut key = Vec::with_capacity(18 + group.len() + id.len());
    key.extend_from_slice(&[DEDUPLICATION; 17]);
    key.push(u8::try_from(group.len()).unwrap_or(u8::MAX));
    key.extend_from_slice(group.as_bytes());
    key.extend_from_slice(id.as_bytes());
    key.into_boxed_slice()
}

/// Fills in the partition and the generation of a deduplication key.
pub(crate) fn complete_deduplication(key: &mut [u8], partition: u64, generation: u64) {
    key[..17].copy_from_slice(&two(DEDUPLICATION, partition, generation));
}

/// The group and the id in a deduplication key.
pub(crate) fn deduplication_id(key: &[u8]) -> &[u8] {
    &key[17..]
}

/// The move task of this number among those of a source queue.
pub(crate) fn move_task(queue: u64, number: u64) -> [u8; 17] {
    two(MOVE_TASK, queue, number)
}

/// The source queue and the number in the key of a move task.
pub(crate) fn queue_and_number_of(key: &[u8]) -> Option<(u64, u64)> {
    let queue = u64::from_be_bytes(key.get(1..9)?.try_into().ok()?);
    let number = u64::from_be_bytes(key.get(9..)?.try_into().ok()?);
    Some((queue, number))
}

pub(crate) fn topic(name: &str) -> Vec<u8> {
    named(TOPIC, name)
}

/// A part of the subscription of this number.
pub(crate) fn subscription(topic: u64, number: u64, part: u64) -> [u8; 25] {
    three(SUBSCRIPTION, topic, number, part)
}

/// The number of the subscription whose part has this key, and which part it is.
pub(crate) fn subscription_number_and_part_of(key: &[u8]) -> Option<(u64, u64)> {
    let number = u64::from_be_bytes(key.get(9..17)?.try_into().ok()?);
    let part = u64::from_be_bytes(key.get(17..)?.try_into().ok()?);
    Some((number, part))
}

pub(crate) fn stream(name: &str) -> Vec<u8> {
    named(STREAM, name)
}

/// The shard of this number.
pub(crate) fn shard(stream: u64, number: u64) -> [u8; 17] {
    two(SHARD, stream, number)
}

/// The consumer group of this name.
pub(crate) fn group(stream: u64, name: &str) -> Vec<u8> {
    let mut key = one(GROUP, stream).to_vec();
    key.extend_from_slice(name.as_bytes());
    key
}

/// The name in the key of a consumer group or of a queue on a stream.
pub(crate) fn group_name_of(key: &[u8]) -> Option<&str> {
    std::str::from_utf8(key.get(9..)?).ok()
}

/// How far a group has consumed the shard of this number.
pub(crate) fn group_lease(group: u64, shard: u64) -> [u8; 17] {
    two(GROUP_LEASE, group, shard)
}

/// The queue of this name on a stream.
pub(crate) fn stream_queue(stream: u64, name: &str) -> Vec<u8> {
    let mut key = one(STREAM_QUEUE, stream).to_vec();
    key.extend_from_slice(name.as_bytes());
    key
}

/// Where a queue on a stream is in the shard of this number.
pub(crate) fn position(queue: u64, shard: u64) -> [u8; 17] {
    two(POSITION, queue, shard)
}

pub(crate) fn space(name: &str) -> Vec<u8> {
    named(SPACE, name)
}

/// A key of the user in a space.
pub(crate) fn user_key(space: u64, key: &[u8]) -> Vec<u8> {
    let mut stored = Vec::with_capacity(9 + key.len());
    stored.extend_from_slice(&one(USER_KEY, space));
    stored.extend_from_slice(key);
    stored
}

/// The first key behind all user keys of a space that start with `prefix`.
pub(crate) fn after_user_keys(space: u64, prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if let Some(next) = last.checked_add(1) {
            end.push(next);
            return user_key(space, &end);
        }
    }
    user_key(space.saturating_add(1), &[])
}

/// What the user calls a key that is stored.
pub(crate) fn user_key_of(stored: &[u8]) -> &[u8] {
    stored.get(9..).unwrap_or_default()
}

/// Time and sequence in a delayed key.
pub(crate) fn time_and_seq_of(key: &[u8]) -> Option<(u64, u64)> {
    let time = u64::from_be_bytes(key.get(9..17)?.try_into().ok()?);
    let seq = u64::from_be_bytes(key.get(17..)?.try_into().ok()?);
    Some((time, seq))
}

fn one(tag: u8, number: u64) -> [u8; 9] {
    let mut key = [tag; 9];
    key[1..].copy_from_slice(&number.to_be_bytes());
    key
}

fn two(tag: u8, first: u64, second: u64) -> [u8; 17] {
    let mut key = [tag; 17];
    key[1..9].copy_from_slice(&first.to_be_bytes());
    key[9..].copy_from_slice(&second.to_be_bytes());
    key
}

fn three(tag: u8, first: u64, second: u64, third: u64) -> [u8; 25] {
    let mut key = [tag; 25];
    key[..17].copy_from_slice(&two(tag, first, second));
    key[17..].copy_from_slice(&third.to_be_bytes());
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_sort_as_their_numbers_do() {
        assert!(hot(1, u64::MAX) < hot(2, 0));
        assert!(hot(1, 255) < hot(1, 256));
        assert!(delayed(1, 9, u64::MAX) < delayed(1, 10, 0));
        assert!(hot(u64::MAX, u64::MAX).as_slice() < after_tag(HOT).as_slice());
    }

    #[test]
    fn what_is_behind_a_prefix_is_behind_all_that_start_with_it() {
        assert!(user_key(1, b"ab\xff\xff") < after_user_keys(1, b"ab"));
        assert!(after_user_keys(1, b"ab") <= user_key(1, b"ac"));
        assert!(user_key(1, b"\xff\xff\xff") < after_user_keys(1, b"\xff\xff"));
        assert_eq!(after_user_keys(1, b"\xff"), user_key(2, b""));
        assert_eq!(after_user_keys(1, b"a\xff"), user_key(1, b"b"));
    }

    #[test]
    fn keys_give_back_what_they_were_made_of() {
        assert_eq!(seq_of(&cold(3, 4)), Some(4));
        assert_eq!(time_and_seq_of(&delayed(1, 5, 6)), Some((5, 6)));
        assert_eq!(number_of(&record(7)), Some(7));
        assert_eq!(queue_and_number_of(&move_task(8, 9)), Some((8, 9)));
        assert_eq!(subscription_number_and_part_of(&subscription(8, 9, 1)), Some((9, 1)));
        assert_eq!(subscription_number_and_part_of(b"short"), None);
        assert_eq!(name_of(&definition("orders")), Some("orders"));
        assert_eq!(user_key_of(&user_key(7, b"total")), b"total");
        assert_eq!(seq_of(b"short"), None);
        assert_eq!(time_and_seq_of(b"short"), None);
    }
}

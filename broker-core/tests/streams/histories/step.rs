//! What a history is made of, and the small conversions between a stream and its model.

use broker_core::Record;
use proptest::prelude::*;

use super::model::Put;

/// What happens to a stream. Numbers choose among what there is.
#[derive(Debug, Clone)]
pub(super) enum Step {
    Put { key: u8 },
    PutAt { hash: u128 },
    Batch { keys: Vec<u8> },
    Read { shard: usize, from: usize, max: usize, keep: bool },
    ReadOn { iterator: usize, max: usize },
    Split { shard: usize, at: u128 },
    Merge { first: usize },
    Count { count: u32 },
    Pass { minutes: u64 },
    Retain { hours: u64 },
    Reopen,
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => any::<u8>().prop_map(|key| Step::Put { key }),
        4 => any::<u128>().prop_map(|hash| Step::PutAt { hash }),
        6 => proptest::collection::vec(any::<u8>(), 1..12).prop_map(|keys| Step::Batch { keys }),
        8 => (any::<usize>(), any::<usize>(), 1..9_usize, any::<bool>())
            .prop_map(|(shard, from, max, keep)| Step::Read { shard, from, max, keep }),
        8 => (any::<usize>(), 1..9_usize).prop_map(|(iterator, max)| Step::ReadOn { iterator, max }),
        3 => (any::<usize>(), any::<u128>()).prop_map(|(shard, at)| Step::Split { shard, at }),
        3 => any::<usize>().prop_map(|first| Step::Merge { first }),
        1 => (1..6_u32).prop_map(|count| Step::Count { count }),
        4 => (0..700_u64).prop_map(|minutes| Step::Pass { minutes }),
        1 => (24..60_u64).prop_map(|hours| Step::Retain { hours }),
        2 => Just(Step::Reopen),
    ]
}

pub(super) fn number_in(text: &str) -> usize {
    text.trim_end_matches('x').parse().unwrap()
}

pub(super) fn put_of(record: &Record) -> Put {
    Put {
        number: record.number,
        key: record.partition_key.clone(),
        text: crate::ground::body(record),
        at: record.arrived_at.as_millis(),
    }
}

/// The hash keys of the seven partition keys, reckoned elsewhere.
pub(super) fn md5(key: &str) -> u128 {
    MD5_OF_KEYS[key[1..].parse::<usize>().unwrap()]
}

const MD5_OF_KEYS: [u128; 7] = [
    0x28d6_1f7b_1f07_d88c_18f1_0684_10d1_40b5,
    0xb637_b17a_f08a_ced8_850c_18cc_cde9_15da,
    0x6162_0957_a144_3c94_6a14_3cf9_9a7d_24fa,
    0xf7ab_469d_1dc7_9166_fc87_4dad_cc0d_d854,
    0xc90b_440e_841a_6b82_e1f9_b329_9164_296b,
    0x97b2_f1ed_f640_580f_6605_6cc4_bfcf_6335,
    0x4d69_3a86_1996_3f77_5046_2b67_8770_e604,
];

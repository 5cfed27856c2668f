//! What can happen in a history.

use broker_core::SubscriptionSettings;
use proptest::{collection::vec, prelude::*};

#[derive(Debug, Clone)]
pub(crate) struct Setup {
    pub(crate) fifo: bool,
    /// Whether ids count within their group only.
    pub(crate) scope_of_groups: bool,
    /// Whether the handler gets its messages independently of each other.
    pub(crate) independent: bool,
}

/// A message: which of the values that filters ask for it has, its group, its id, and how often the handler fails at it.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    pub(crate) kind: u8,
    pub(crate) group: u8,
    pub(crate) id: u8,
    pub(crate) fails: u32,
}

/// Which kinds are wanted, a bit for each; `None` for no filter.
pub(crate) type Filter = Option<u8>;

/// The filter as settings: an empty text takes a policy away.
pub(crate) fn policy(filter: Filter) -> SubscriptionSettings {
    let kinds = |filter: u8| (0..3).filter(move |kind| filter & (1 << kind) != 0);
    let text = filter.map(|filter| {
        format!("{{\"kind\": {:?}}}", kinds(filter).map(|kind| kind.to_string()).collect::<Vec<_>>())
    });
    SubscriptionSettings::new().filter_attributes(text.unwrap_or_default())
}

#[derive(Debug, Clone)]
pub(crate) enum Step {
    Publish(Vec<Draft>),
    /// Straight to a queue, which may know the id from there.
    Send {
        queue: usize,
        id: u8,
    },
    Subscribe {
        queue: usize,
        filter: Filter,
        dead: bool,
    },
    Filter {
        queue: usize,
        filter: Filter,
    },
    Unsubscribe(usize),
    CreateQueue(usize),
    DeleteQueue(usize),
    /// Receives and deletes all that a queue has.
    Drain(usize),
    SubscribeHandler(Filter),
    UnsubscribeHandler,
    Attach,
    Stop,
    /// Without waiting for what is under way.
    Drop,
    Wait(u64),
    /// A replay of what was published in the last so many seconds, and so many messages published meanwhile.
    Replay {
        queue: usize,
        seconds: u64,
        meanwhile: usize,
    },
    Reopen,
}

pub(crate) fn setup() -> impl Strategy<Value = Setup> {
    (any::<bool>(), any::<bool>(), any::<bool>()).prop_map(|(fifo, scope_of_groups, independent)| Setup {
        fifo,
        scope_of_groups,
        independent,
    })
}

fn draft() -> impl Strategy<Value = Draft> {
    (0..3u8, 0..2u8, 0..12u8, 0..5u32).prop_map(|(kind, group, id, fails)| Draft { kind, group, id, fails })
}

fn filter() -> impl Strategy<Value = Filter> {
    proptest::option::of(1..7u8)
}

pub(crate) fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => vec(draft(), 1..2).prop_map(Step::Publish),
        3 => vec(draft(), 2..6).prop_map(Step::Publish),
        1 => (0..3usize, 0..12u8).prop_map(|(queue, id)| Step::Send { queue, id }),
        4 => (0..3usize, filter(), any::<bool>())
            .prop_map(|(queue, filter, dead)| Step::Subscribe { queue, filter, dead }),
        2 => (0..3usize, filter()).prop_map(|(queue, filter)| Step::Filter { queue, filter }),
        1 => (0..3usize).prop_map(Step::Unsubscribe),
        3 => (0..3usize).prop_map(Step::CreateQueue),
        1 => (0..3usize).prop_map(Step::DeleteQueue),
        1 => (0..3usize).prop_map(Step::Drain),
        2 => filter().prop_map(Step::SubscribeHandler),
        1 => Just(Step::UnsubscribeHandler),
        3 => Just(Step::Attach),
        1 => Just(Step::Stop),
        1 => Just(Step::Drop),
        2 => prop_oneof![1..5u64, 100..200u64, Just(300), 301..400u64].prop_map(Step::Wait),
        2 => (0..3usize, 0..400u64, 0..4usize)
            .prop_map(|(queue, seconds, meanwhile)| Step::Replay { queue, seconds, meanwhile }),
        1 => Just(Step::Reopen),
    ]
}

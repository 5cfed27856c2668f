//! The operations of which histories are made: one of every kind, with small arguments.

use broker_core::{Result, storage::Durability};

use super::{seen::Seen, world::World};

/// An operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Op {
    Send,
    SendDelayed,
    SendThree,
    SendBuffered,
    SendToGroupA,
    SendToGroupB,
    SendAgain,
    ReceiveOne,
    ReceiveThree,
    ReceiveInOrder,
    Delete,
    DeleteInOrder,
    Release,
    ReleaseInOrder,
    Extend,
    GiveUp,
    Redrive,
    Purge,
    Settings,
    Publish,
    PublishElse,
    Subscribe,
    Unsubscribe,
    Put,
    PutTwo,
    Split,
    Consume,
    Work,
    WorkDone,
    SetKey,
    RemoveKey,
    Transact,
    Doomed,
    NewQueue,
    DropQueue,
    DropTopic,
    DropStream,
    DropSpace,
    LeaseEnds,
    Expire,
    DeleteBatch,
    ReleaseBatch,
    TagQueue,
    UntagQueue,
    PublishBatch,
    TopicSettings,
    TagTopic,
    SetSubscription,
    StreamSettings,
    TagStream,
    MoreShards,
    Merge,
    WorkRelease,
    WorkDead,
    WorkRestore,
    WorkSettings,
    DropWork,
    DropGroup,
    NewTopic,
    NewStream,
    NewSpace,
    SetNote,
    RemoveNote,
    CheckpointIn,
    NewGroup,
    NewWork,
    UntagTopic,
    UntagStream,
    WatchShards,
    Look,
    Confirm,
    PublishInOrder,
    Replay,
    StopReplay,
    CancelMove,
    Deliver,
    Process,
    WorkDoneBatch,
    WorkReleaseBatch,
    DeadDone,
    DeadExtend,
    TransactAgain,
    ReceiveAndSend,
    ReceiveInVain,
    ReadAndPut,
    LookCloser,
    Reopen,
}

impl Op {
    /// Those that most happens with: of them there are longer histories.
    pub(crate) const MOST: [Self; 40] = [
        Self::Send,
        Self::SendDelayed,
        Self::SendThree,
        Self::SendBuffered,
        Self::SendToGroupA,
        Self::SendToGroupB,
        Self::SendAgain,
        Self::ReceiveOne,
        Self::ReceiveThree,
        Self::ReceiveInOrder,
        Self::Delete,
        Self::DeleteInOrder,
        Self::Release,
        Self::ReleaseInOrder,
        Self::Extend,
        Self::GiveUp,
        Self::Redrive,
        Self::Purge,
        Self::Settings,
        Self::Publish,
        Self::PublishElse,
        Self::Subscribe,
        Self::Unsubscribe,
        Self::Put,
        Self::PutTwo,
        Self::Split,
        Self::Consume,
        Self::Work,
        Self::WorkDone,
        Self::SetKey,
        Self::RemoveKey,
        Self::Transact,
        Self::Doomed,
        Self::NewQueue,
        Self::DropQueue,
        Self::DropTopic,
        Self::DropStream,
        Self::DropSpace,
        Self::LeaseEnds,
        Self::Expire,
    ];

    /// The others.
    pub(crate) const MORE: [Self; 41] = [
        Self::DeleteBatch,
        Self::ReleaseBatch,
        Self::TagQueue,
        Self::UntagQueue,
        Self::PublishBatch,
        Self::TopicSettings,
        Self::TagTopic,
        Self::SetSubscription,
        Self::StreamSettings,
        Self::TagStream,
        Self::MoreShards,
        Self::Merge,
        Self::WorkRelease,
        Self::WorkDead,
        Self::WorkRestore,
        Self::WorkSettings,
        Self::DropWork,
        Self::DropGroup,
        Self::NewTopic,
        Self::NewStream,
        Self::NewSpace,
        Self::SetNote,
        Self::RemoveNote,
        Self::CheckpointIn,
        Self::NewGroup,
        Self::NewWork,
        Self::UntagTopic,
        Self::UntagStream,
        Self::WatchShards,
        Self::Look,
        Self::Confirm,
        Self::PublishInOrder,
        Self::Replay,
        Self::StopReplay,
        Self::Deliver,
        Self::Process,
        Self::WorkDoneBatch,
        Self::WorkReleaseBatch,
        Self::DeadDone,
        Self::DeadExtend,
        Self::TransactAgain,
    ];

    /// Those that change nothing, or two things one after the other, or what goes on by itself: nothing to crash at, but futures to
    /// be dropped.
    pub(crate) const WAITING: [Self; 6] = [
        Self::CancelMove,
        Self::ReceiveAndSend,
        Self::ReceiveInVain,
        Self::ReadAndPut,
        Self::LookCloser,
        Self::Reopen,
    ];

    /// All that a crash may interrupt.
    pub(crate) fn all() -> impl Iterator<Item = Self> + Clone {
        Self::MOST.into_iter().chain(Self::MORE)
    }

    /// Of an operation that does two things, the first.
    pub(crate) fn half(self) -> Option<Self> {
        (self == Self::ReceiveAndSend).then_some(Self::SendBuffered)
    }

    /// What is seen of it if it was dropped when it had done everything, or else would have: a receive gives back what it had, and
    /// what it has moved to the dead-letter queue is moved.
    pub(crate) fn seen_if_dropped(self, before: &Seen, after: &Seen) -> Seen {
        match self {
            Self::ReceiveOne | Self::ReceiveThree | Self::ReceiveInOrder => after.given_back(before),
            Self::Work | Self::WorkDead => before.clone(),
            _ => after.clone(),
        }
    }

    /// What its effect has survived when it returns: hand-outs are counted before a process can die of them, not synced. Time has
    /// passed, whatever becomes of the store.
    pub(crate) fn promise(self) -> Option<Durability> {
        match self {
            Self::LeaseEnds | Self::Expire => None,
            Self::SendBuffered
            | Self::ReceiveOne
            | Self::ReceiveThree
            | Self::ReceiveInOrder
            | Self::Release
            | Self::ReleaseInOrder
            | Self::Extend
            | Self::ReleaseBatch
            | Self::WorkRelease
            | Self::WorkDead
            | Self::Deliver
            | Self::ReceiveAndSend
            | Self::WorkReleaseBatch
            | Self::DeadExtend
            | Self::Work => Some(Durability::Buffered),
            _ => Some(Durability::Synced),
        }
    }

    /// Does it, and waits for what it has begun.
    pub(crate) async fn carry_out(self, world: &mut World) -> Result<()> {
        self.run(world).await?;
        world.settled().await
    }

    /// Does it. What cannot be done here, since something is gone, changes nothing.
    pub(crate) async fn run(self, world: &mut World) -> Result<()> {
        let done = match self {
            Self::Send
            | Self::SendDelayed
            | Self::SendThree
            | Self::SendBuffered
            | Self::SendToGroupA
            | Self::SendToGroupB
            | Self::SendAgain => self.send(world).await,
            Self::ReceiveOne | Self::ReceiveThree | Self::ReceiveInOrder | Self::Work => {
                self.receive(world).await
            }
            Self::Delete
            | Self::DeleteInOrder
            | Self::Release
            | Self::ReleaseInOrder
            | Self::Extend
            | Self::GiveUp
            | Self::WorkDone => self.settle(world).await,
            Self::Publish | Self::PublishElse | Self::Subscribe | Self::Unsubscribe => {
                self.topic(world).await
            }
            Self::Put | Self::PutTwo | Self::Split | Self::Consume => self.stream(world).await,
            Self::Transact | Self::Doomed => self.transact(world).await,
            Self::Confirm
            | Self::PublishInOrder
            | Self::Replay
            | Self::StopReplay
            | Self::CancelMove
            | Self::Deliver
            | Self::Process => self.background(world).await,
            _ if Self::WAITING.contains(&self) => self.background(world).await,
            _ if Self::MORE.contains(&self) => self.more(world).await,
            _ => self.manage(world).await,
        };
        match done {
            Err(error) if error.certainty() == broker_core::Certainty::Rejected => Ok(()),
            done => done,
        }
    }
}

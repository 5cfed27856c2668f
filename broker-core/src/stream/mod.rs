//! Streams: the trait, and the stream of this broker.
//!
//! | file | what it is for |
//! |---|---|
//! | `settings`, `shard`, `hash` | what a stream is told once; shards and the space that they divide |
//! | `record`, `number` | what goes in and comes out, and its place |
//! | `attributes` | a stream described |
//! | `check`, `limits` | what is refused |
//! | `stored`, `recovery` | streams and shards as they are kept, and read |
//! | `state` | the decisions, pure |
//! | `group` | consumer groups: leases, checkpoints, workers |
//! | `queue` | work queues over a stream |
//! | `shell` | the asynchronous operations of [`LocalStream`] |

pub(crate) mod attributes;
pub(crate) mod check;
pub(crate) mod group;
pub(crate) mod hash;
mod limits;
pub(crate) mod number;
pub(crate) mod queue;
pub(crate) mod record;
pub(crate) mod recovery;
pub(crate) mod settings;
pub(crate) mod shard;
pub(crate) mod shell;
pub(crate) mod state;
pub(crate) mod stored;

use std::time::Duration;

use async_trait::async_trait;
pub use limits::StreamLimits;
pub use shell::LocalStream;

use self::{
    number::ShardIterator,
    record::{PutOutcome, PutRecord, Records, StartingPosition},
    shard::{ShardFilter, ShardId, ShardInfo},
};
use crate::error::Result;

/// A stream, wherever it is: what code that takes any stream asks for.
///
/// Implementors owe: records of one partition key keep the order in which they were put, also across splits and merges; what
/// was accepted can be read until it expires, by any number of readers, and a reader sees nothing that a crash could take
/// back. An error says whether something happened ([`Error::certainty`](crate::Error::certainty)).
#[async_trait]
pub trait Stream: Send + Sync + 'static {
    /// The stream's name.
    fn name(&self) -> &str;

    /// Puts records: see [`LocalStream::put_batch`].
    async fn put_batch(&self, records: Vec<PutRecord>) -> Result<Vec<Result<PutOutcome>>>;

    /// Lists shards: see [`LocalStream::shards`].
    async fn shards(&self, filter: ShardFilter) -> Result<Vec<ShardInfo>>;

    /// Begins to read a shard: see [`LocalStream::iterator`].
    async fn iterator(&self, shard: ShardId, from: StartingPosition) -> Result<ShardIterator>;

    /// Reads: see [`LocalStream::read_within`].
    async fn read_within(&self, iterator: &ShardIterator, max: usize, wait: Duration) -> Result<Records>;
}

#[async_trait]
impl Stream for LocalStream {
    fn name(&self) -> &str {
        LocalStream::name(self)
    }

    async fn put_batch(&self, records: Vec<PutRecord>) -> Result<Vec<Result<PutOutcome>>> {
        LocalStream::put_batch(self, records).await
    }

    async fn shards(&self, filter: ShardFilter) -> Result<Vec<ShardInfo>> {
        LocalStream::shards(self, filter).await
    }

    async fn iterator(&self, shard: ShardId, from: StartingPosition) -> Result<ShardIterator> {
        LocalStream::iterator(self, shard, from).await
    }

    async fn read_within(&self, iterator: &ShardIterator, max: usize, wait: Duration) -> Result<Records> {
        LocalStream::read_within(self, iterator, max, wait).await
    }
}

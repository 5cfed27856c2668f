//! Subscribing to a shard: an event stream of its records (rule K71).
//!
//! | file | what it is for |
//! |---|---|
//! | `event` | events as the client's event stream has them |
//! | `table` | who is subscribed to what, since when |
//! | `run` | one subscription, event by event |

mod event;
mod run;
mod table;

use broker_core::ShardIterator;

pub(crate) use table::Subscriptions;

use super::{
    check::Checks,
    consumers, put,
    read::{begin, check_kind},
    shapes::SubscribeToShardInput,
    target::{ConsumerName, Target},
};
use crate::{body::Body, call::Call, protocol::answer::Answer, wire::error::WireResult};

const CONTENT_TYPE: &str = "application/vnd.amazon.eventstream";

/// Answers with an event stream that is open for up to five minutes.
pub(super) async fn subscribe_to_shard(call: &Call) -> WireResult<Answer> {
    let context = call.context();
    let input: SubscribeToShardInput = call.input()?;
    let mut checks = Checks::default();
    let arn = checks.required("consumerARN", input.consumer_arn.as_deref());
    let shard = checks.required("shardId", input.shard.as_deref());
    checks.name("shardId", input.shard.as_deref());
    let position = checks.required("startingPosition", input.position.clone());
    check_kind(&mut checks, "startingPosition.type", position.kind.as_deref());
    checks.done()?;
    let name = ConsumerName::of_arn(context, arn)?;
    consumers::found(context, &name).await?;
    let target = Target::named(context, &name.stream).await?;
    put::check_dry_run(input.dry_run)?;
    let iterator: ShardIterator =
        begin(context, &target.stream, shard, &position, "SubscribeToShard").await?;
    let place = context.options.subscriptions.take(context, &name.arn(context), &iterator)?;
    let events = run::Subscription::new(call, target, iterator, place).into_chunks();
    Ok(Answer::chunks(CONTENT_TYPE, Body::Chunks(events)))
}

//! One subscription, event by event, for five minutes (rule K71).

use std::time::Duration;

use broker_core::{Error, ShardIterator, Timestamp};
use bytes::Bytes;
use futures_util::{StreamExt as _, stream, stream::BoxStream};

use super::{
    event,
    table::{End, Place},
};
use crate::{
    call::{Call, Context},
    kinesis::{errors, number, read, shapes::SubscribeToShardEvent, target::Target},
    protocol::{Protocol, cbor, json},
    wire::error::{WireError, WireResult},
};

/// How long a subscription is open.
const OPEN_FOR: Duration = Duration::from_secs(300);
/// How often there is an event without records, so that a client knows that it is still subscribed and how far it is.
const QUIET_MAX: Duration = Duration::from_secs(5);
/// The most records of an event: with their names, 10 MiB of data in base64 stay below the 16 MiB that clients take.
const RECORDS_MAX: usize = 1_000;

/// A subscription: a sequence of frames.
pub(super) struct Subscription {
    context: Context,
    protocol: Protocol,
    target: Target,
    place: Place,
    until: Timestamp,
    next: Next,
}

enum Next {
    Opening(ShardIterator),
    Reading(ShardIterator),
    Done,
}

impl Subscription {
    pub(super) fn new(call: &Call, target: Target, from: ShardIterator, place: Place) -> Self {
        let context = call.context().clone();
        let until = Timestamp::from_millis(context.broker.now().as_millis() + millis(OPEN_FOR));
        Self { context, protocol: call.protocol(), target, place, until, next: Next::Opening(from) }
    }

    /// The frames, as they come.
    pub(super) fn into_chunks(self) -> BoxStream<'static, Bytes> {
        stream::unfold(self, |mut subscription| async {
            let frame = subscription.frame().await?;
            Some((frame, subscription))
        })
        // Clients may look again at what has ended.
        .fuse()
        .boxed()
    }

    /// The next frame. `None`: its time is over, or the shard is.
    async fn frame(&mut self) -> Option<Bytes> {
        match std::mem::replace(&mut self.next, Next::Done) {
            Next::Done => None,
            Next::Opening(from) => {
                self.next = Next::Reading(from);
                Some(event::initial_response(self.protocol))
            }
            Next::Reading(from) => {
                let written = self.read(&from).await.transpose()?;
                let frame = written.map(|event| event::event("SubscribeToShardEvent", self.protocol, &event));
                Some(frame.unwrap_or_else(|error| event::exception(self.protocol, &error)))
            }
        }
    }

    /// Waits for records and writes an event with them.
    async fn read(&mut self, from: &ShardIterator) -> WireResult<Option<Bytes>> {
        let Some(left) = self.left() else { return Ok(None) };
        let mut ended = self.place.end.clone();
        let ended = async { ended.wait_for(Option::is_some).await.ok().and_then(|end| *end) };
        let found = tokio::select! {
            biased;
            end = ended => return Err(self.ended(end.unwrap_or(End::TakenOver))),
            found = self.target.stream.read_within(from, RECORDS_MAX, left.min(QUIET_MAX)) => found,
        };
        let found = found.map_err(|error: Error| errors::from_broker(&self.context, &error))?;
        self.place.note_behind(found.millis_behind_latest);
        let children = read::children(&self.context, &self.target.stream, &found).await?;
        let continuation = found.next.map(|next| number::below(self.target.stream.number_at(&next)));
        self.next = found.next.map_or(Next::Done, Next::Reading);
        let encrypted = self.target.extras.key_id.is_some();
        let event = SubscribeToShardEvent {
            records: read::shown_records(found.records, encrypted),
            continuation,
            behind: found.millis_behind_latest,
            children,
        };
        let written = if self.protocol == Protocol::Cbor { cbor::write(&event) } else { json::write(&event) };
        written.map(Some)
    }

    /// The time that is left.
    fn left(&self) -> Option<Duration> {
        let left = self.until.since(self.context.broker.now());
        (!left.is_zero()).then_some(left)
    }

    fn ended(&self, end: End) -> WireError {
        match end {
            End::TakenOver => {
                errors::in_use("Another subscription of this consumer to this shard has taken over.")
            }
            End::Deregistered => {
                let name = self.target.name();
                errors::not_found(format!("The consumer of stream {name} was deregistered."))
            }
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

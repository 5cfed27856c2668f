//! All that can be seen of a broker from outside, in lines that can be compared.

use std::fmt::Write as _;

use broker_core::{
    Broker, Explanation, LocalStream, MessageId, MoveTaskStatus, PeekOptions, Result, SendMessage,
    ShardFilter, StartingPosition,
};

use super::world::{LINE, LOST};

/// Something that ends by itself at a time, or nothing that does.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Line {
    text: String,
    /// The queue and the id, of a message.
    message: Option<(String, MessageId)>,
    /// What it is until then, in milliseconds, and how long.
    until: Option<(&'static str, u64)>,
    /// When it is gone.
    gone: u64,
}

/// All that was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen(Vec<Line>);

/// The most of anything: histories are short.
const MANY: usize = 1_000;
const FOR_EVER: u64 = u64::MAX;
const IN_FLIGHT: &str = "in flight";

impl Seen {
    pub(crate) async fn of(broker: &Broker) -> Result<Self> {
        let mut seen = Self(Vec::new());
        for name in broker.list_queues("") {
            seen.queue(broker, &name).await?;
        }
        for (name, note) in broker.notes("", None, MANY).await? {
            seen.line(format!("note {name} {note:?}"));
        }
        for name in broker.list_topics() {
            let topic = broker.open_topic(&name).await?;
            seen.line(format!(
                "topic {name} {:?} {:?}",
                topic.attributes().await?.display_name,
                topic.tags()
            ));
            for it in topic.subscriptions().await? {
                let (waiting, raw, confirmed) = (it.counters.waiting, it.raw_delivery, it.confirmed);
                let replay = it.replay.map(|replay| (replay.status, replay.replayed));
                seen.line(format!(
                    "  {} {:?}, raw: {raw}, confirmed: {confirmed}, {waiting} waiting, replayed {replay:?}",
                    it.id, it.endpoint
                ));
            }
        }
        for name in broker.list_streams() {
            seen.stream(&broker.open_stream(&name).await?).await?;
        }
        for name in broker.list_spaces() {
            seen.line(format!("space {name}"));
            let space = broker.open_space(&name).await?;
            for (key, value) in space.scan("", None, MANY).await?.entries {
                seen.line(format!("  {key:?} {value:?}"));
            }
        }
        Ok(seen)
    }

    /// This, but each message that is in flight now as it was before.
    pub(crate) fn given_back(&self, before: &Self) -> Self {
        let as_it_was = |line: &Line| match (&line.message, line.until) {
            (Some(message), Some((IN_FLIGHT, _))) => {
                let was = before.0.iter().find(|was| was.message.as_ref() == Some(message));
                was.unwrap_or(line).clone()
            }
            _ => line.clone(),
        };
        Self(self.0.iter().map(as_it_was).collect())
    }

    /// What is to be seen of it at that time, if nothing happens until then.
    pub(crate) fn at(&self, now_ms: u64) -> Vec<String> {
        let mut lines = Vec::new();
        for line in self.0.iter().filter(|line| line.gone > now_ms) {
            let mut text = line.text.clone();
            if let Some((what, until)) = line.until
                && until > now_ms
            {
                write!(text, " {what} until {until}").unwrap_or_default();
            }
            lines.push(text);
        }
        lines
    }

    fn line(&mut self, text: String) {
        self.0.push(Line { text, message: None, until: None, gone: FOR_EVER });
    }

    async fn queue(&mut self, broker: &Broker, name: &str) -> Result<()> {
        let queue = broker.open_queue(name).await?;
        let (settings, counters) = (queue.attributes().await?, queue.counters().await?);
        self.line(format!("queue {name}, delay {:?}, {:?}", settings.delay, queue.tags()));
        let peeked = queue.peek(PeekOptions::up_to(MANY)).await?;
        if peeked.len() as u64 != counters.total() {
            self.line(format!("of which {counters:?} are counted and {} are there", peeked.len()));
        }
        for it in peeked {
            let until = match it.state {
                Explanation::InFlight { until, .. } => Some((IN_FLIGHT, until.as_millis())),
                Explanation::Delayed { until } => Some(("delayed", until.as_millis())),
                _ => None,
            };
            let text = format!(
                "  {} {} {:?} {:?} {:?} sent {} received {} {:?} {:?}",
                it.id,
                it.sequence_number,
                it.body,
                it.group_id,
                it.deduplication_id,
                it.sent_at,
                it.receive_count,
                it.attributes,
                it.dead_letter
            );
            let kept = u64::try_from(settings.retention.as_millis()).unwrap_or(FOR_EVER);
            let message = Some((name.to_owned(), it.id));
            self.0.push(Line { text, message, until, gone: it.sent_at.as_millis() + kept });
        }
        if name == LOST {
            for task in broker.list_move_tasks(name, 1).await? {
                // Whether it knows already that it is done is its own affair, and so is whether it can still be cancelled then.
                let cancelled = task.status == MoveTaskStatus::Cancelled && task.moved < task.to_move;
                self.line(format!("  a move, cancelled: {cancelled}, has moved {}", task.moved));
            }
        }
        if name == LINE {
            let again = SendMessage::new("again").group_id("a").deduplication_id("again");
            if let Some(first) = queue.duplicate_of(&again).await? {
                let (text, gone) = (format!("  remembers {}", first.id), first.until.as_millis());
                self.0.push(Line { text, message: None, until: None, gone });
            }
        }
        Ok(())
    }

    async fn stream(&mut self, stream: &LocalStream) -> Result<()> {
        self.line(format!("stream {} {:?}", stream.name(), stream.attributes().await?));
        for shard in stream.shards(ShardFilter::FromTrimHorizon).await? {
            self.line(format!("stream {} {shard:?}", stream.name()));
            let mut at = Some(stream.iterator(shard.id, StartingPosition::TrimHorizon).await?);
            while let Some(iterator) = at {
                let found = stream.read(&iterator, MANY).await?;
                for record in &found.records {
                    self.line(format!("  {record:?}"));
                }
                at = found.next.filter(|_| !found.records.is_empty());
            }
        }
        for group in stream.consumer_groups().await? {
            for lease in group.leases {
                self.line(format!("  {} {:?} ended {}", group.name, lease.next, lease.ended));
            }
        }
        for name in stream.queues() {
            if let Some(queue) = stream.open_queue(&name) {
                // A record that was pulled and not handed out is as good as one that was not pulled.
                let counters = queue.counters().await?;
                let left = counters.behind + counters.visible;
                let timeout = queue.settings().await?.0.visibility_timeout;
                self.line(format!(
                    "  {name} for {timeout:?}: {left} left, {} in flight, {} dead",
                    counters.in_flight, counters.dead
                ));
            }
        }
        Ok(())
    }
}

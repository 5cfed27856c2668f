//! Publishing: the filters decide, and all queues that are to have the message get it in one commit.

use super::{LocalTopic, TopicCell, accept::Draft, fan_out::LookedUpAll, joint::Publishing, plan::Plan};
use crate::{
    error::{Error, Result},
    pipeline::{Admission, Ticket},
    queue::{
        entries::{Entries, EntryId, Outcomes},
        shell::{Operation, QueueCell, ToLookUp},
    },
    storage::{Batch, Durability},
    topic::{
        check,
        message::{PublishMessage, Published},
    },
};

/// What an attempt to publish came to.
enum Tried {
    Done(Vec<Published>, Ticket),
    /// The subscriptions or the queues are not what they were.
    Changed,
    /// These ids of the topic or of queues must be looked up first.
    LookUp(Vec<(u64, ToLookUp)>),
}

impl LocalTopic {
    /// Publishes a message: every queue whose subscription wants it gets it in **one commit**, or after a crash none does.
    /// Returns when that has the strongest durability that the topic or one of those queues asks for. Push subscribers are
    /// delivered to afterwards, from backlogs that are part of that commit.
    ///
    /// What cannot be delivered is no error here: it goes to the subscription's dead-letter queue, in the same commit, or
    /// is dropped and counted. On a FIFO topic the message needs a group, and a deduplication id unless the topic takes the
    /// body for one; if its id was accepted in the last five minutes nobody gets it, and the answer is that of the original.
    ///
    /// Cancel safe in this sense: a dropped call has published the message to all or to nobody.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// # let broker = broker_core::Broker::open(broker_mem::MemStorage::new()).await?;
    /// let topic = broker.topic("orders").await?;
    /// let billing = broker.queue("billing").await?;
    /// topic.subscribe(&billing).raw_delivery(true).await?;
    /// topic.publish("order 1").await?;
    /// assert_eq!(billing.receive(Default::default()).await?[0].text(), Ok("order 1"));
    /// # Ok::<(), broker_core::Error>(()) }).unwrap();
    /// ```
    pub async fn publish(&self, message: impl Into<PublishMessage>) -> Result<Published> {
        let message = message.into();
        let (bytes, max) = (message.size_bytes(), self.cell.max_message_size());
        if bytes > max {
            return Err(Error::MessageTooLong { bytes, max });
        }
        let published = self.publish_batch(Entries::one(message)).await?.0.pop();
        published.expect("a batch of one has one outcome").1
    }

    /// Publishes several messages in one commit: after a crash all of them are everywhere, or none is anywhere.
    ///
    /// An entry whose body or subject is refused fails alone. The call fails if the batch as a whole is refused: no
    /// entries, more than 10, ids that are not distinct, larger together than one message may be; or any entry's
    /// attributes, group or deduplication id. Cancel safe as [`publish`](Self::publish) is.
    pub async fn publish_batch(&self, entries: Entries<PublishMessage>) -> Result<Outcomes<Published>> {
        let cell = &*self.cell;
        let limits = &cell.engine.limits;
        entries.check(limits)?;
        let bytes = entries.entries.iter().map(|(_, message)| message.size_bytes()).sum();
        let max = cell.max_message_size();
        if bytes > max {
            return Err(Error::BatchTooLong { bytes, max });
        }
        for (_, message) in &entries.entries {
            check::whole_call(message, cell.fifo, limits)?;
        }
        let (mut drafts, mut outcomes) = (Vec::new(), Vec::new());
        for (id, message) in entries.entries {
            let checked = check::entry(&message).map(|()| drafts.push(Draft::new(message, cell.fifo)));
            outcomes.push((id, checked));
        }
        let published = if drafts.is_empty() { Vec::new() } else { self.publish_all(&drafts, bytes).await? };
        let mut published = published.into_iter();
        let answer = |(id, checked): (EntryId, Result<()>)| {
            (id, checked.map(|()| published.next().expect("each draft has been published")))
        };
        Ok(Outcomes(outcomes.into_iter().map(answer).collect()))
    }

    async fn publish_all(&self, drafts: &[Draft], bytes: usize) -> Result<Vec<Published>> {
        let cell = &*self.cell;
        let pipeline = &cell.engine.pipeline;
        let messages: Vec<_> = drafts.iter().map(|draft| &draft.message).collect();
        loop {
            let plan = Plan::new(&self.broker, &cell.subscriptions()?, &messages);
            let bytes = bytes.saturating_mul(plan.routes.len().div_ceil(drafts.len()));
            let attempt = async |looked_up: &LookedUpAll| {
                cell.try_publish(&plan, drafts, looked_up, pipeline.admit(bytes).await?)
            };
            let mut tried = attempt(&LookedUpAll::new()).await?;
            let turns;
            if let Tried::LookUp(_) = tried {
                // As for a send to a queue: with the turns, what was found stays so until it is used.
                turns = plan.turns(cell).await;
                let mut looked_up = LookedUpAll::new();
                tried = attempt(&looked_up).await?;
                while let Tried::LookUp(missing) = tried {
                    for (owner, missing) in missing {
                        let found = pipeline.read(move |store| missing.find(store)).await?;
                        looked_up.entry(owner).or_default().add(found);
                    }
                    tried = attempt(&looked_up).await?;
                }
                drop(turns);
            }
            if let Tried::Done(published, ticket) = tried {
                ticket.wait().await?;
                self.trim_archive();
                return Ok(published);
            }
        }
    }
}

impl TopicCell {
    pub(super) fn max_message_size(&self) -> usize {
        self.inner.lock().state.settings.max_message_size
    }

    /// Publishes, unless ids must be looked up first or something has changed: then nothing has happened.
    fn try_publish(
        &self,
        plan: &Plan,
        drafts: &[Draft],
        looked_up: &LookedUpAll,
        admission: Admission<'_>,
    ) -> Result<Tried> {
        let engine = &self.engine;
        let mut guard = self.inner.lock();
        let inner = &mut *guard;
        if inner.state.deleted {
            return Err(self.missing());
        }
        if !std::sync::Arc::ptr_eq(&inner.state.subscriptions, &plan.subscriptions) {
            return Ok(Tried::Changed);
        }
        inner.state.committed(engine.pipeline.completed());
        let now = engine.timeline.now();
        let mut publishing = match Publishing::judge(self, inner, (plan, drafts), looked_up, now)? {
            Ok(publishing) => publishing,
            Err(missing) => return Ok(Tried::LookUp(vec![(self.id, missing)])),
        };
        let own: Durability = inner.state.settings.durability.into();
        let durability = |queues: Durability| queues.max(own);
        let step = |ops: &mut [Operation<'_>], (_, batch): (u64, &mut Batch)| {
            let missing = publishing.missing(looked_up, ops)?;
            if !missing.is_empty() {
                return Ok(Err(missing));
            }
            publishing.hand_over(None, looked_up, ops)?;
            publishing.accept(inner, now, batch);
            Ok(Ok(()))
        };
        match QueueCell::operate_all(engine, &plan.cells, durability, Some(admission), step) {
            Err(Error::QueueDoesNotExist { .. }) => Ok(Tried::Changed),
            Err(error) => Err(error),
            Ok((Err(missing), _)) => Ok(Tried::LookUp(missing)),
            Ok((Ok(()), ticket)) => {
                let published = publishing.submitted(inner, &ticket, now);
                Ok(Tried::Done(published, ticket))
            }
        }
    }
}

//! A publish in steps, so that it can be a part of a transaction: which messages are new, whether all can be handed over, handing
//! them over.

use super::{
    LocalTopic, TopicCell, TopicInner,
    accept::{Draft, Verdict},
    fan_out::{self, HandedOver, LookedUpAll, Way},
    forms::{Form, Forms},
    plan::Plan,
};
use crate::{
    error::{Error, Result},
    pipeline::Ticket,
    queue::{
        row::RowHead,
        shell::{Operation, ToLookUp},
    },
    reclaim,
    seeded::seeded,
    storage::Batch,
    topic::{
        check,
        message::{PublishMessage, Published},
    },
};

/// What is to be published to one topic in one commit.
pub(crate) struct TopicPart {
    pub(crate) topic: LocalTopic,
    pub(crate) drafts: Vec<Draft>,
    pub(crate) bytes: usize,
}

impl TopicPart {
    pub(crate) fn new(topic: LocalTopic) -> Self {
        Self { topic, drafts: Vec::new(), bytes: 0 }
    }

    /// Adds a message that passes the checks that need no lock. Returns its place among the drafts.
    pub(crate) fn stage(&mut self, message: PublishMessage) -> Result<usize> {
        let cell = &*self.topic.cell;
        let (bytes, max) = (message.size_bytes(), cell.max_message_size());
        if bytes > max {
            return Err(Error::MessageTooLong { bytes, max });
        }
        check::whole_call(&message, cell.fifo, &cell.engine.limits)?;
        check::entry(&message)?;
        self.bytes += bytes;
        self.drafts.push(Draft::new(message, cell.fifo));
        Ok(self.drafts.len() - 1)
    }

    /// Lets the filters decide.
    pub(crate) fn plan(&self) -> Result<Plan> {
        let messages: Vec<_> = self.drafts.iter().map(|draft| &draft.message).collect();
        Ok(Plan::new(&self.topic.broker, &self.topic.cell.subscriptions()?, &messages))
    }
}

/// A publish under the locks of its topic and of the queues of its plan.
pub(crate) struct Publishing<'p> {
    cell: &'p TopicCell,
    plan: &'p Plan,
    verdicts: Vec<Verdict>,
    forms: Vec<Option<Forms<'p>>>,
    published: Vec<Published>,
    handed_over: Vec<(usize, HandedOver)>,
}

impl<'p> Publishing<'p> {
    /// Finds out which messages are new, unless ids must be looked up for that.
    pub(crate) fn judge(
        cell: &'p TopicCell,
        inner: &TopicInner,
        (plan, drafts): (&'p Plan, &'p [Draft]),
        looked_up: &LookedUpAll,
        now: u64,
    ) -> Result<Result<Self, ToLookUp>> {
        let verdicts = match cell.judge(inner, drafts, looked_up, now)? {
            Ok(verdicts) => verdicts,
            Err(missing) => return Ok(Err(missing)),
        };
        let (mut forms, published) = cell.stamp(inner, drafts, &verdicts, now);
        cell.check_archived(inner, &mut forms)?;
        let handed_over = Vec::with_capacity(plan.routes.len());
        Ok(Ok(Self { cell, plan, verdicts, forms, published, handed_over }))
    }

    /// Which ids of queues must be looked up before the messages can be handed over.
    pub(crate) fn missing(
        &self,
        looked_up: &LookedUpAll,
        ops: &[Operation<'_>],
    ) -> Result<Vec<(u64, ToLookUp)>> {
        fan_out::missing(self.plan, &self.forms, looked_up, ops)
    }

    /// Hands over all messages, or only one of them.
    pub(crate) fn hand_over(
        &mut self,
        only: Option<usize>,
        looked_up: &LookedUpAll,
        ops: &mut [Operation<'_>],
    ) -> Result<()> {
        let plan = self.plan;
        let left_out = usize::from(plan.routes.len() > 2 && seeded("last-subscriber-left-out"));
        let routes = &plan.routes[..plan.routes.len() - left_out];
        for route in routes.iter().filter(|route| only.is_none_or(|only| route.message == only)) {
            if let Some(forms) = &mut self.forms[route.message] {
                let subscription = &plan.subscriptions[route.subscription];
                let way = Way { cells: &plan.cells, target: route.target, dead: route.dead };
                let became = self.cell.hand_over(subscription, &way, forms, Some(looked_up), ops)?;
                self.handed_over.push((route.subscription, became));
            }
        }
        Ok(())
    }

    /// Gives all messages that are new their places in the topic, which [`judge`](Self::judge) has told already.
    pub(crate) fn accept(&mut self, inner: &mut TopicInner, now: u64, batch: &mut Batch) {
        let archives = inner.state.settings.archive_ms().is_some();
        let envelope = &self.cell.engine.envelope;
        for (verdict, forms) in self.verdicts.iter_mut().zip(&mut self.forms) {
            if let (Verdict::New(id), Some(forms)) = (verdict, forms) {
                let parts = Form::archived();
                let row = || forms.row(&parts, envelope).stamp(RowHead::sent(now, 0));
                inner.state.accept(id.take(), archives.then(row), now, batch);
            }
        }
        // Also if all are duplicates: the answer is as durable as the topic says, whatever the original was.
        inner.state.save(now, batch);
    }

    /// What became of the messages, in their order.
    pub(crate) fn published(&self) -> &[Published] {
        &self.published
    }

    /// Notes that all is on its way.
    pub(crate) fn submitted(self, inner: &mut TopicInner, ticket: &Ticket, now: u64) -> Vec<Published> {
        inner.state.submitted(ticket.number());
        self.plan.count(&self.handed_over, |message| self.forms[message].is_some());
        if let Some((partition, below)) = inner.state.take_forgotten_ids(now) {
            reclaim::start_ids(&self.cell.engine, partition, below);
        }
        self.published
    }
}

//! Runs a history against the broker and the model side by side.

use std::sync::Arc;

use broker_core::{
    Attached, AttributeValue, Broker, DeliveryOrder, Endpoint, Entries, FifoThroughputScope, LocalQueue,
    LocalTopic, Notification, PublishMessage, Published, Replay, ReplayStatus, SendMessage, Timestamp,
};
use parking_lot::Mutex;

use super::{
    model::{Item, Message, Model, Queue, Subscription},
    steps::{Draft, Filter, Setup, Step, policy},
};
use crate::{
    support::{World, ms, secs, settle_down},
    topic_support::drain,
};

pub(crate) struct Run {
    world: World,
    setup: Setup,
    broker: Broker,
    model: Model,
    attached: Option<Attached>,
    /// What the handler took since the model was last told.
    log: Arc<Mutex<Vec<String>>>,
    published: usize,
}

fn topic_name(setup: &Setup) -> &'static str {
    if setup.fifo { "t.fifo" } else { "t" }
}

impl Run {
    pub(crate) async fn new(world: World, setup: Setup) -> Self {
        let broker = world.broker().await;
        let model = Model::new(&setup);
        let run = Self { world, setup, broker, model, attached: None, log: Arc::default(), published: 0 };
        let builder = run.broker.topic(topic_name(&run.setup));
        if run.setup.fifo {
            let scope = [FifoThroughputScope::Topic, FifoThroughputScope::MessageGroup];
            let scope = scope[usize::from(run.setup.scope_of_groups)];
            builder.fifo().archive_days(1).fifo_throughput_scope(scope).await.unwrap();
            run.broker.queue("dead.fifo").fifo().await.unwrap();
        } else {
            builder.await.unwrap();
        }
        run.broker.queue("dead").await.unwrap();
        run
    }

    async fn topic(&self) -> LocalTopic {
        self.broker.open_topic(topic_name(&self.setup)).await.unwrap()
    }

    fn name(&self, queue: usize) -> String {
        format!("q{queue}{}", if self.model.queues[queue].fifo { ".fifo" } else { "" })
    }

    fn now(&self) -> u64 {
        self.world.now().as_millis()
    }

    pub(crate) async fn run(mut self, steps: &[Step]) {
        for step in steps {
            self.step(step).await;
        }
        if self.model.handler.is_some() && self.attached.is_none() {
            self.attach().await;
        }
        self.settle().await;
        for queue in 0..3 {
            self.check(queue).await;
        }
        for (fifo, name) in [(0, "dead"), (1, "dead.fifo")] {
            if let Ok(queue) = self.broker.open_queue(name).await {
                let expected = std::mem::take(&mut self.model.dead[fifo]);
                // The order among several subscriptions is nobody's business.
                compare(&queue, expected, false).await;
            }
        }
    }

    /// Waits until the handler has got all that waits for it, and tells the model.
    async fn settle(&mut self) {
        if self.attached.is_some() {
            // Four failures take a second, and others wait behind them.
            let waiting = u32::try_from(self.model.waiting.len()).unwrap();
            tokio::time::sleep(ms(10) + secs(2) * waiting).await;
        }
        settle_down().await;
        let handled = std::mem::take(&mut *self.log.lock());
        self.model.handled(&handled);
        assert!(self.attached.is_none() || self.model.waiting.is_empty(), "{:?} wait", self.model.waiting);
    }

    async fn step(&mut self, step: &Step) {
        if !matches!(step, Step::Drop | Step::Stop | Step::Publish(_)) {
            self.settle().await;
        }
        match step {
            Step::Publish(drafts) => self.publish(drafts, None).await,
            Step::Send { queue, id } => self.send(*queue, *id).await,
            Step::Subscribe { queue, filter, dead } => self.subscribe(*queue, *filter, *dead).await,
            Step::Filter { queue, filter } => self.change(*queue, *filter).await,
            Step::Unsubscribe(queue) => {
                if let Some(there) = self.model.queues[*queue].subscription.take() {
                    self.topic().await.unsubscribe(there.id).await.unwrap();
                }
            }
            Step::CreateQueue(queue) => self.create(*queue).await,
            Step::DeleteQueue(queue) => {
                let deleted = self.broker.delete_queue(&self.name(*queue)).await;
                let model = &mut self.model.queues[*queue];
                assert_eq!(deleted.is_ok(), model.exists);
                let (fifo, subscription) = (model.fifo, model.subscription.take());
                *model = Queue { fifo, subscription, ..Queue::default() };
            }
            Step::Drain(queue) => self.check(*queue).await,
            Step::SubscribeHandler(filter) => self.subscribe_handler(*filter).await,
            Step::UnsubscribeHandler => self.unsubscribe_handler().await,
            Step::Attach => self.attach().await,
            Step::Stop => {
                if let Some(attached) = self.attached.take() {
                    attached.stop().await;
                }
                self.settle().await;
            }
            Step::Drop => {
                drop(self.attached.take());
                self.settle().await;
            }
            Step::Wait(seconds) => tokio::time::sleep(secs(*seconds)).await,
            Step::Replay { queue, seconds, meanwhile } => self.replay(*queue, *seconds, *meanwhile).await,
            Step::Reopen => {
                drop(self.attached.take());
                settle_down().await;
                self.broker.close().await.unwrap();
                self.broker = self.world.broker().await;
            }
        }
    }

    /// Publishes, while a queue is replayed to or not.
    async fn publish(&mut self, drafts: &[Draft], replaying: Option<usize>) {
        let mut entries = Vec::new();
        for draft in drafts {
            self.published += 1;
            let item = Item {
                group: format!("g{}", draft.group),
                body: format!("{}/{}", self.published, draft.fails),
            };
            entries.push(Message { item, kind: draft.kind, id: draft.id.to_string() });
        }
        let message = |Message { item, kind, id }: &Message| {
            let kind = AttributeValue::string(kind.to_string());
            let message =
                PublishMessage::new(item.body.clone()).attribute("kind", kind).group_id(item.group.clone());
            if self.setup.fifo { message.deduplication_id(id.clone()) } else { message }
        };
        let batch: Entries<PublishMessage> = entries.iter().map(message).collect();
        let published: Vec<Published> = self.topic().await.publish_batch(batch).await.unwrap().all().unwrap();
        let now = self.now();
        for (message, published) in entries.into_iter().zip(published) {
            match replaying {
                Some(queue) => self.model.publish_meanwhile(now, queue, message, published),
                None => self.model.publish(now, message, published),
            }
        }
    }

    async fn send(&mut self, queue: usize, id: u8) {
        let Ok(there) = self.broker.open_queue(&self.name(queue)).await else { return };
        self.published += 1;
        let item = Item { group: "own".into(), body: format!("{}/own", self.published) };
        let message = SendMessage::new(item.body.clone()).group_id("own");
        let fifo = self.model.queues[queue].fifo;
        let message = if fifo { message.deduplication_id(id.to_string()) } else { message };
        there.send(message).await.unwrap();
        let now = self.now();
        self.model.queues[queue].take(now, item, &id.to_string());
    }

    async fn create(&mut self, queue: usize) {
        let (name, fifo) = (self.name(queue), self.model.queues[queue].fifo);
        let builder = self.broker.queue(name);
        let builder = if fifo { builder.fifo() } else { builder };
        builder.await.unwrap();
        self.model.queues[queue].exists = true;
    }

    async fn subscribe(&mut self, queue: usize, filter: Filter, dead: bool) {
        let name = self.name(queue);
        let model = &mut self.model.queues[queue];
        let settings = policy(filter).raw_delivery(true);
        let settings = match (dead, model.fifo) {
            (false, _) => settings,
            (true, false) => settings.dead_letter("dead"),
            (true, true) => settings.dead_letter("dead.fifo"),
        };
        if model.subscription.is_none() {
            let topic = self.broker.open_topic(topic_name(&self.setup)).await.unwrap();
            let id = topic.subscribe(Endpoint::queue(name)).settings(settings).await.unwrap().id;
            model.subscription = Some(Subscription { id, filter, dead });
        }
    }

    async fn change(&mut self, queue: usize, filter: Filter) {
        let topic = self.topic().await;
        if let Some(there) = &mut self.model.queues[queue].subscription {
            topic.set_subscription(there.id, &policy(filter)).await.unwrap();
            there.filter = filter;
        }
    }

    async fn subscribe_handler(&mut self, filter: Filter) {
        if self.setup.fifo || self.model.handler.is_some() {
            return;
        }
        let order =
            if self.setup.independent { DeliveryOrder::Independent(3) } else { DeliveryOrder::InOrder };
        let settings = policy(filter).order(order);
        let id = self.topic().await.subscribe(Endpoint::handler("h")).settings(settings).await.unwrap().id;
        self.model.handler = Some(Subscription { id, filter, dead: false });
    }

    async fn unsubscribe_handler(&mut self) {
        if let Some(handler) = self.model.handler.take() {
            self.topic().await.unsubscribe(handler.id).await.unwrap();
            settle_down().await;
            self.attached = None;
            self.model.waiting.clear();
        }
    }

    /// The handler fails as often as the body says.
    async fn attach(&mut self) {
        let Some(handler) = self.model.handler.as_ref().filter(|_| self.attached.is_none()) else { return };
        let log = self.log.clone();
        let handle = move |message: Notification| {
            let fails: u32 = message.text().split('/').nth(1).unwrap().parse().unwrap();
            let done = message.attempt > fails;
            if done {
                log.lock().push(message.text().to_owned());
            }
            async move { if done { Ok(()) } else { Err("not yet") } }
        };
        self.attached = Some(self.topic().await.attach(handler.id, handle).await.unwrap());
    }

    async fn replay(&mut self, queue: usize, seconds: u64, meanwhile: usize) {
        let Some(id) = self.model.queues[queue].subscription.as_ref().map(|there| there.id) else { return };
        if !self.setup.fifo {
            return;
        }
        let topic = self.topic().await;
        let from = self.now().saturating_sub(1_000 * seconds);
        topic.start_replay(id, Replay::from(Timestamp::from_millis(from))).await.unwrap();
        let first = self.published;
        for n in 0..meanwhile {
            // An id that nobody knows, so that it does not matter by which way it comes.
            let id = u8::try_from(100 + (first + n) % 100).unwrap();
            self.publish(&[Draft { kind: 0, group: 0, id, fails: 0 }], Some(queue)).await;
        }
        while topic.subscription(id).await.unwrap().replay.unwrap().status != ReplayStatus::Completed {
            settle_down().await;
        }
        self.model.replay(queue, from);
    }

    /// Receives all that a queue has, and compares.
    async fn check(&mut self, queue: usize) {
        let expected = self.model.drain(queue);
        if let Ok(there) = self.broker.open_queue(&self.name(queue)).await {
            compare(&there, expected, self.model.queues[queue].fifo).await;
        }
    }
}

/// A FIFO queue must have each group in its order, another one the same messages.
async fn compare(queue: &LocalQueue, mut expected: Vec<Item>, fifo: bool) {
    let item = |message: broker_core::Message| Item {
        group: message.group_id.clone().unwrap_or_default(),
        body: message.text().unwrap().to_owned(),
    };
    let mut got: Vec<_> = drain(queue).await.into_iter().map(item).collect();
    if fifo {
        got.sort_by(|a, b| a.group.cmp(&b.group));
        expected.sort_by(|a, b| a.group.cmp(&b.group));
    } else {
        // A FIFO topic does not tell others the group.
        got.iter_mut().chain(&mut expected).for_each(|item| item.group.clear());
        got.sort_unstable();
        expected.sort_unstable();
    }
    assert_eq!(got, expected, "in {}", queue.name());
}

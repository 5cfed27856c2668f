//! A naive topic: lists of what everybody should have.

use std::collections::HashMap;

use broker_core::{Published, SubscriptionId};

use super::steps::{Filter, Setup};

/// How long an id is remembered, in milliseconds.
const WINDOW_MS: u64 = 300_000;

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Item {
    pub(crate) group: String,
    pub(crate) body: String,
}

/// A message as it is published.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) item: Item,
    pub(crate) kind: u8,
    pub(crate) id: String,
}

#[derive(Debug)]
pub(crate) struct Subscription {
    pub(crate) id: SubscriptionId,
    pub(crate) filter: Filter,
    pub(crate) dead: bool,
}

impl Subscription {
    fn wants(&self, message: &Message) -> bool {
        self.filter.is_none_or(|filter| filter & (1 << message.kind) != 0)
    }
}

#[derive(Debug, Default)]
pub(crate) struct Queue {
    pub(crate) exists: bool,
    pub(crate) fifo: bool,
    pub(crate) items: Vec<Item>,
    /// When ids were accepted here.
    pub(crate) ids: HashMap<String, u64>,
    pub(crate) subscription: Option<Subscription>,
}

impl Queue {
    /// Takes a message, unless it knows its id.
    pub(crate) fn take(&mut self, now: u64, item: Item, id: &str) {
        let known = self.fifo && self.ids.get(id).is_some_and(|at| at + WINDOW_MS > now);
        if !known {
            self.ids.insert(id.to_owned(), now);
            self.items.push(item);
        }
    }
}

#[derive(Debug)]
pub(crate) struct Model {
    setup: Setup,
    pub(crate) queues: [Queue; 3],
    /// What could not be delivered, of FIFO queues and of others.
    pub(crate) dead: [Vec<Item>; 2],
    pub(crate) handler: Option<Subscription>,
    /// What the handler has not got yet.
    pub(crate) waiting: Vec<String>,
    /// When ids were accepted by the topic, and what the answer was.
    ids: HashMap<String, (u64, Published)>,
    archive: Vec<(u64, Message)>,
}

impl Model {
    pub(crate) fn new(setup: &Setup) -> Self {
        let mut queues: [Queue; 3] = Default::default();
        if setup.fifo {
            (queues[0].fifo, queues[1].fifo) = (true, true);
        }
        Self {
            setup: setup.clone(),
            queues,
            dead: Default::default(),
            handler: None,
            waiting: Vec::new(),
            ids: HashMap::new(),
            archive: Vec::new(),
        }
    }

    /// A message was published, and this was the answer.
    pub(crate) fn publish(&mut self, now: u64, message: Message, published: Published) {
        if self.setup.fifo {
            let scope = if self.setup.scope_of_groups { &message.item.group } else { "" };
            let id = format!("{scope}/{}", message.id);
            if let Some((_, first)) = self.ids.get(&id).filter(|(at, _)| at + WINDOW_MS > now) {
                assert_eq!(published, Published { duplicate: true, ..*first }, "{message:?} at {now}");
                return;
            }
            self.ids.insert(id, (now, published));
        }
        assert!(!published.duplicate, "{message:?} at {now}");
        for queue in 0..3 {
            self.hand_over(now, queue, &message, true);
        }
        if self.handler.as_ref().is_some_and(|handler| handler.wants(&message)) {
            self.waiting.push(message.item.body.clone());
        }
        self.archive.push((now, message));
    }

    fn hand_over(&mut self, now: u64, queue: usize, message: &Message, live: bool) {
        let queue = &mut self.queues[queue];
        let Some(there) = queue.subscription.as_ref().filter(|there| there.wants(message)) else { return };
        let item = message.item.clone();
        if !queue.exists {
            if there.dead {
                self.dead[usize::from(queue.fifo)].push(item);
            }
        } else if live {
            queue.take(now, item, &message.id);
        } else {
            queue.items.push(item);
        }
    }

    /// What was published from a time on is replayed to a queue.
    pub(crate) fn replay(&mut self, queue: usize, from: u64) {
        let messages: Vec<_> = self.archive.iter().filter(|(at, _)| *at >= from).cloned().collect();
        for (_, message) in messages {
            self.hand_over(0, queue, &message, false);
        }
    }

    /// Published while a queue was replayed to: it gets that from the archive.
    pub(crate) fn publish_meanwhile(
        &mut self,
        now: u64,
        queue: usize,
        message: Message,
        published: Published,
    ) {
        let there = self.queues[queue].subscription.take();
        self.publish(now, message, published);
        self.queues[queue].subscription = there;
    }

    /// What a queue had, which is gone now.
    pub(crate) fn drain(&mut self, queue: usize) -> Vec<Item> {
        std::mem::take(&mut self.queues[queue].items)
    }

    /// The handler has got these since it was last asked; in order, or not.
    pub(crate) fn handled(&mut self, bodies: &[String]) {
        for body in bodies {
            let at = self.waiting.iter().position(|waiting| waiting == body);
            let at = at.unwrap_or_else(|| panic!("{body} was not to come, or not again"));
            assert!(at == 0 || self.setup.independent, "{body} came before {:?}", &self.waiting[..at]);
            self.waiting.remove(at);
        }
    }
}

//! Any history of a queue and its dead-letter queue, standard or FIFO: nothing panics, no message appears, vanishes or
//! changes, duplicates are found, groups keep their order, and the counters add up.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    time::Duration,
};

use broker_core::{
    Broker, DeduplicationScope, Deleted, Error, LocalQueue, ManualClock, Message, MessageId, MoveTask,
    MoveTaskStatus, QueueSettings, ReceiptHandle, ReceiveOptions, SendMessage, Sent,
};
use broker_mem::MemStorage;
use bytes::Bytes;

use crate::{
    BEGIN_MS, block_on, builder, input,
    seen::{Content, contents, look},
    steps::{History, Kind, Letter, Side, Step, names, time},
};

/// How long a deduplication id is remembered.
const WINDOW: Duration = Duration::from_secs(300);

/// Does what the bytes stand for. Returns whether they stand for anything.
pub fn run(bytes: &[u8]) -> bool {
    input(bytes, exercise)
}

fn exercise(history: &History) {
    block_on(async {
        let mut run = Run::new(history).await;
        for step in &history.steps {
            run.step(step).await;
        }
        run.drain().await;
    });
}

/// A deduplication id in its scope: its group if that counts, and the id, or else the body.
type Scoped = (Option<String>, Option<String>, Option<Bytes>);

struct Run {
    kind: Kind,
    store: MemStorage,
    clock: ManualClock,
    now: Duration,
    broker: Broker,
    queues: [LocalQueue; 2],
    /// The messages that must be there, in either queue.
    kept: BTreeMap<MessageId, Content>,
    /// What each queue remembers, and since when.
    accepted: [HashMap<Scoped, (Sent, Duration)>; 2],
    receipts: Vec<(Side, ReceiptHandle, MessageId)>,
}

impl Run {
    async fn new(&History { kind, receives_max, .. }: &History) -> Self {
        let (store, clock) = (MemStorage::new(), ManualClock::new(BEGIN_MS));
        let broker = builder(&store, &clock).open().await.expect("memory");
        let [main, dead] = names(kind);
        let described = |name| match kind {
            Kind::Standard => broker.queue(name),
            Kind::Fifo => broker.queue(name).fifo().dedup_by_content(),
            Kind::FifoByGroup => {
                let scope = DeduplicationScope::MessageGroup;
                broker.queue(name).fifo().dedup_by_content().deduplication_scope(scope)
            }
        };
        let dead_queue = described(dead).await.expect("a good name");
        let main_queue = described(main).dead_letter(dead, 1 + u32::from(receives_max % 4));
        let queues = [main_queue.await.expect("a good name"), dead_queue];
        let (kept, accepted) = Default::default();
        Self { kind, store, clock, now: Duration::ZERO, broker, queues, kept, accepted, receipts: Vec::new() }
    }

    async fn step(&mut self, step: &Step) {
        match step {
            Step::Send { to, letter } => self.send(*to, letter).await,
            Step::Receive { from, max, timeout, attempt } => {
                let mut options = ReceiveOptions::up_to(1 + usize::from(max % 10));
                options.visibility_timeout = timeout.map(time);
                options.attempt_id = attempt.filter(|_| self.is_fifo()).map(|id| (id % 3).to_string());
                self.receive(*from, options).await;
            }
            Step::Delete { receipt } => self.delete(*receipt).await,
            Step::ChangeVisibility { receipt, timeout } => {
                let Some((side, receipt, _)) = self.receipt(*receipt) else { return };
                let changed = self.queues[side as usize].change_visibility(receipt, time(*timeout));
                self.settled(changed.await);
            }
            Step::GiveUp { receipt } => {
                let Some((Side::Main, receipt, _)) = self.receipt(*receipt) else { return };
                let given_up = self.queues[0].dead_letter(receipt, "no").await;
                self.settled(given_up);
            }
            Step::Move { home } => self.redrive(*home).await,
            Step::SetDelay { delay } => {
                let delay = QueueSettings::new().delay(time(*delay));
                self.queues[0].set_attributes(delay).await.expect("below fifteen minutes");
            }
            Step::Advance { time: by } => self.advance(time(*by)),
            Step::Purge { of } => {
                let purged = look(&self.queues[*of as usize]).await;
                self.queues[*of as usize].purge().await.expect("no wait between purges");
                self.kept.retain(|id, _| !purged.contains_key(id));
                self.accepted[*of as usize].clear();
            }
            Step::Reopen => {
                self.broker = builder(&self.store, &self.clock).open().await.expect("its own store");
                for (queue, name) in self.queues.iter_mut().zip(names(self.kind)) {
                    *queue = self.broker.open_queue(name).await.expect("it was created");
                }
            }
        }
        self.count().await;
    }

    fn is_fifo(&self) -> bool {
        self.kind != Kind::Standard
    }

    fn advance(&mut self, by: Duration) {
        self.clock.advance(by);
        self.now += by;
    }

    fn receipt(&self, at: u8) -> Option<(Side, ReceiptHandle, MessageId)> {
        let at = usize::from(at).checked_rem(self.receipts.len())?;
        Some(self.receipts[at])
    }

    /// What a call with its own receipt came to: `None` if that has expired, which is possible on a FIFO queue only.
    fn settled<T>(&self, outcome: Result<T, Error>) -> Option<T> {
        match outcome {
            Ok(outcome) => Some(outcome),
            Err(Error::ReceiptHandleExpired { .. }) if self.is_fifo() => None,
            Err(error) => panic!("its own receipt: {error}"),
        }
    }

    async fn send(&mut self, to: Side, letter: &Letter) {
        let mut message = SendMessage::new(vec![b'a' + letter.body % 26; 1 + usize::from(letter.body % 26)]);
        let group = letter.group.or(self.is_fifo().then_some(0));
        message.group_id = group.map(|group| (group % 3).to_string());
        if self.is_fifo() {
            message.deduplication_id = letter.deduplication_id.map(|id| (id % 8).to_string());
        } else {
            message.delay = letter.delay.map(time);
        }
        let sent = self.queues[to as usize].send(message.clone()).await.expect("a good message");
        let SendMessage { body, group_id, deduplication_id, .. } = message;
        if self.is_fifo() {
            let group = group_id.clone().filter(|_| self.kind == Kind::FifoByGroup);
            let hashed = deduplication_id.is_none().then(|| body.clone());
            let accepted = &mut self.accepted[to as usize];
            accepted.retain(|_, (_, at)| *at + WINDOW > self.now);
            let (first, _) = *accepted.entry((group, deduplication_id, hashed)).or_insert((sent, self.now));
            if sent.duplicate {
                assert_eq!(sent, Sent { duplicate: true, ..first });
                return;
            }
            assert_eq!(sent, first, "a duplicate");
        }
        assert!(!sent.duplicate);
        assert!(self.kept.insert(sent.id, (body, group_id)).is_none(), "an id was given out twice");
    }

    async fn receive(&mut self, from: Side, options: ReceiveOptions) {
        let received = self.queues[from as usize].receive(options).await.expect("within the limits");
        for message in &received {
            let content = self.kept.get(&message.id).expect("it was sent");
            assert_eq!((&message.body, &message.group_id), (&content.0, &content.1));
            self.receipts.push((from, message.receipt, message.id));
        }
        if self.is_fifo() {
            self.check_order(from, &received).await;
        }
    }

    /// In its group, no message is received before those that it is behind.
    async fn check_order(&self, from: Side, received: &[Message]) {
        let seen = look(&self.queues[from as usize]).await;
        let place = |message: &Message| seen[&message.id].1;
        for (n, message) in received.iter().enumerate() {
            let before: HashSet<_> = received[..n].iter().map(|message| message.id).collect();
            let in_front = seen.iter().filter(|(_, ((_, group), place_of_other))| {
                *group == message.group_id && *place_of_other < place(message)
            });
            assert!(in_front.into_iter().all(|(id, _)| before.contains(id)), "{message:?} has overtaken");
        }
    }

    async fn delete(&mut self, receipt: u8) {
        let Some((side, receipt, id)) = self.receipt(receipt) else { return };
        let seen = look(&self.queues[side as usize]).await;
        let deleted = self.queues[side as usize].delete(receipt).await;
        // It may have gone on to the other queue, under the same id.
        if self.settled(deleted) == Some(Deleted::Gone) && seen.contains_key(&id) {
            self.kept.remove(&id);
        }
    }

    /// Moves what can be received of the dead letters, as new messages: to where they came from, or all to one queue.
    async fn redrive(&mut self, home: bool) {
        let [main, dead] = names(self.kind);
        let task = MoveTask::from(dead);
        let task = if home { task } else { task.to(main) };
        self.broker.start_move_task(task).await.expect("no other is running");
        let done = loop {
            let task = self.broker.list_move_tasks(dead, 1).await.expect("it is there").remove(0);
            if task.status != MoveTaskStatus::Running {
                break task;
            }
            tokio::task::yield_now().await;
        };
        // Those that were sent there have nowhere to go.
        assert!(home || done.status == MoveTaskStatus::Completed, "{done:?}");
        let found = self.look().await;
        let before = std::mem::replace(&mut self.kept, found);
        let new = self.kept.keys().filter(|id| !before.contains_key(id)).count();
        assert_eq!(new as u64, done.moved);
        assert_eq!(contents(&before), contents(&self.kept), "moved messages are as they were");
    }

    /// What both queues show.
    async fn look(&self) -> BTreeMap<MessageId, Content> {
        let [main, dead] = [look(&self.queues[0]).await, look(&self.queues[1]).await];
        main.into_iter().chain(dead).map(|(id, (content, _))| (id, content)).collect()
    }

    async fn count(&self) {
        let [main, dead] = [self.queues[0].counters().await, self.queues[1].counters().await];
        let [main, dead] = [main.expect("memory"), dead.expect("memory")];
        assert_eq!(main.total() + dead.total(), self.kept.len() as u64, "{main:?} {dead:?}");
    }

    /// Once all timeouts and delays are over, exactly what was kept comes.
    async fn drain(mut self) {
        assert_eq!(self.look().await, self.kept);
        self.advance(Duration::from_secs(600));
        loop {
            let begin = self.receipts.len();
            for side in [Side::Main, Side::Dead] {
                self.receive(side, ReceiveOptions::up_to(10)).await;
            }
            if self.receipts.len() == begin {
                break;
            }
            for (side, receipt, id) in self.receipts.split_off(begin) {
                let deleted = self.queues[side as usize].delete(receipt).await.expect("received just now");
                assert_eq!((deleted, self.kept.remove(&id).is_some()), (Deleted::Gone, true));
            }
        }
        assert!(self.kept.is_empty(), "lost: {:?}", self.kept);
        self.count().await;
    }
}

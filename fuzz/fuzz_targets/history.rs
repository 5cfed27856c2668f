//! Any history of a queue: nothing panics, no message appears, vanishes or changes, and the counters add up.
#![no_main]

use std::{collections::BTreeMap, time::Duration};

use arbitrary::Arbitrary;
use broker_core::{
    Broker, Deleted, LocalQueue, ManualClock, MessageId, ReceiptHandle, ReceiveOptions, SendMessage,
};
use broker_fuzz::{BEGIN_MS, block_on, builder};
use broker_mem::MemStorage;
use libfuzzer_sys::fuzz_target;

#[derive(Debug, Arbitrary)]
enum Step {
    Send { body: u8, delay_s: Option<u8> },
    Receive { max: u8, timeout_s: Option<u8> },
    Delete { receipt: u8 },
    ChangeVisibility { receipt: u8, timeout_s: u8 },
    Advance { seconds: u8 },
    Purge,
    Reopen,
}

/// More would be slow, and a shorter history shows the same.
const STEPS_MAX: usize = 200;

fuzz_target!(|steps: Vec<Step>| {
    block_on(async {
        let mut run = Run::new().await;
        for step in steps.iter().take(STEPS_MAX) {
            run.step(step).await;
        }
        run.drain().await;
    });
});

struct Run {
    store: MemStorage,
    clock: ManualClock,
    broker: Broker,
    queue: LocalQueue,
    /// The messages that must be there.
    kept: BTreeMap<MessageId, Vec<u8>>,
    receipts: Vec<(ReceiptHandle, MessageId)>,
}

impl Run {
    async fn new() -> Self {
        let (store, clock) = (MemStorage::new(), ManualClock::new(BEGIN_MS));
        let broker = builder(&store, &clock).open().await.expect("memory");
        let queue = broker.queue("q").await.expect("a good name");
        Self { store, clock, broker, queue, kept: BTreeMap::new(), receipts: Vec::new() }
    }

    async fn step(&mut self, step: &Step) {
        match *step {
            Step::Send { body, delay_s } => {
                let body = vec![b'a' + body % 26; 1 + usize::from(body)];
                let mut message = SendMessage::new(body.clone());
                message.delay = delay_s.map(seconds);
                let sent = self.queue.send(message).await.expect("a good message");
                assert!(self.kept.insert(sent.id, body).is_none(), "an id was given out twice");
            }
            Step::Receive { max, timeout_s } => self.receive(max, timeout_s).await,
            Step::Delete { receipt } => {
                let Some((receipt, id)) = self.receipt(receipt) else { return };
                if self.queue.delete(receipt).await.expect("its own receipt") == Deleted::Gone {
                    self.kept.remove(&id);
                }
            }
            Step::ChangeVisibility { receipt, timeout_s } => {
                let Some((receipt, _)) = self.receipt(receipt) else { return };
                self.queue.change_visibility(receipt, seconds(timeout_s)).await.expect("below twelve hours");
            }
            Step::Advance { seconds: by } => self.clock.advance(seconds(by)),
            Step::Purge => {
                self.queue.purge().await.expect("no wait between purges");
                self.kept.clear();
            }
            Step::Reopen => {
                self.broker = builder(&self.store, &self.clock).open().await.expect("its own store");
                self.queue = self.broker.open_queue("q").await.expect("it was created");
            }
        }
        self.add_up().await;
    }

    fn receipt(&self, at: u8) -> Option<(ReceiptHandle, MessageId)> {
        let at = usize::from(at).checked_rem(self.receipts.len())?;
        Some(self.receipts[at])
    }

    async fn receive(&mut self, max: u8, timeout_s: Option<u8>) {
        let mut options = ReceiveOptions::up_to(1 + usize::from(max % 10));
        options.visibility_timeout = timeout_s.map(seconds);
        for message in self.queue.receive(options).await.expect("within the limits") {
            assert_eq!(self.kept.get(&message.id).map(Vec::as_slice), Some(&message.body[..]));
            self.receipts.push((message.receipt, message.id));
        }
    }

    async fn add_up(&self) {
        let counters = self.queue.counters().await.expect("memory");
        assert_eq!(counters.total(), self.kept.len() as u64, "{counters:?}");
    }

    /// Once all timeouts and delays are over, exactly what was kept comes.
    async fn drain(mut self) {
        self.clock.advance(Duration::from_secs(600));
        loop {
            let received = self.queue.receive(ReceiveOptions::up_to(10)).await.expect("memory");
            if received.is_empty() {
                break;
            }
            for message in received {
                assert_eq!(self.kept.remove(&message.id).as_deref(), Some(&message.body[..]));
                self.queue.delete(message.receipt).await.expect("its own receipt");
            }
        }
        assert!(self.kept.is_empty(), "lost: {:?}", self.kept);
        self.add_up().await;
    }
}

fn seconds(seconds: u8) -> Duration {
    Duration::from_secs(seconds.into())
}

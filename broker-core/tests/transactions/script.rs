//! Random histories with transactions in them, beside a naive model of what they leave.

use std::time::Duration;

use broker_core::{
    Checkpoint, Error, OperationKind, Outcome, PublishMessage, PutRecord, Reason, ReceiptHandle, Result,
    SendMessage, Transaction,
};

use crate::{
    contents::{Contents, World},
    dice::Dice,
};

/// A history, and what is promised by it so far.
pub(crate) struct Script {
    dice: Dice,
    next: usize,
    /// What was received from the orders and is not acknowledged, with the latest receipts.
    held: Vec<(String, ReceiptHandle)>,
    /// Receipts that do not hold a message any more.
    stale: Vec<ReceiptHandle>,
    /// How many records the consumer was given, and the last of them.
    fetched: u64,
    consumed: Option<Checkpoint>,
    /// What there was after each commit, or would have been: the last one may not have happened.
    pub(crate) snapshots: Vec<Contents>,
    /// The last of the snapshots that was acknowledged.
    pub(crate) acked: usize,
    /// Transactions that were committed, and that were rejected as they had to be.
    pub(crate) committed: usize,
    pub(crate) rejected: usize,
}

impl Script {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            dice: Dice::new(seed),
            next: 0,
            held: Vec::new(),
            stale: Vec::new(),
            fetched: 0,
            consumed: None,
            snapshots: vec![Contents::default()],
            acked: 0,
            committed: 0,
            rejected: 0,
        }
    }

    pub(crate) fn now(&self) -> &Contents {
        &self.snapshots[self.acked]
    }

    /// The world was opened again.
    pub(crate) fn reopened(&mut self) {
        self.fetched = self.now().consumed;
        self.consumed = None;
    }

    pub(crate) async fn run(&mut self, world: &mut World, steps: usize) -> Result<()> {
        for _ in 0..steps {
            match self.dice.below(10) {
                0 => self.send(world).await?,
                1 | 2 => self.receive(world).await?,
                3 => world.clock.advance(Duration::from_secs(1 + self.dice.below(15) as u64)),
                4 => self.doomed(world).await?,
                _ => self.transaction(world).await?,
            }
        }
        Ok(())
    }

    fn body(&mut self) -> String {
        self.next += 1;
        format!("m{}", self.next)
    }

    /// A commit is about to leave this.
    fn try_to(&mut self, next: Contents) {
        self.snapshots.push(next);
    }

    fn done(&mut self) {
        self.acked = self.snapshots.len() - 1;
    }

    async fn send(&mut self, world: &World) -> Result<()> {
        let (body, mut next) = (self.body(), self.now().clone());
        next.orders.insert(body.clone());
        self.try_to(next);
        world.orders.send(body).await?;
        self.done();
        Ok(())
    }

    async fn receive(&mut self, world: &World) -> Result<()> {
        let options = broker_core::ReceiveOptions::up_to(1 + self.dice.below(3)).wait_time(Duration::ZERO);
        for message in world.orders.receive(options).await? {
            let body = message.text().unwrap().to_owned();
            assert!(self.now().orders.contains(&body), "{body} was acknowledged");
            if let Some(at) = self.held.iter().position(|(held, _)| *held == body) {
                self.stale.push(self.held.remove(at).1);
            }
            self.held.push((body, message.receipt));
        }
        Ok(())
    }

    async fn transaction(&mut self, world: &mut World) -> Result<()> {
        let mut tx = world.broker.transaction();
        let mut next = self.now().clone();
        let settled = self.fill(world, &mut tx, &mut next).await?;
        self.try_to(next);
        let outcomes = tx.commit().await?.outcomes;
        assert!(outcomes.iter().all(|outcome| !matches!(outcome, Outcome::Sent(sent) if sent.duplicate)));
        self.done();
        self.committed += 1;
        self.stale.extend(settled);
        Ok(())
    }

    /// A transaction with one operation that cannot be done: nothing of it happens.
    async fn doomed(&mut self, world: &mut World) -> Result<()> {
        if self.stale.is_empty() {
            return Ok(());
        }
        let stale = self.stale[self.dice.below(self.stale.len())];
        let (mut tx, held) = (world.broker.transaction(), self.held.clone());
        let mut next = self.now().clone();
        self.fill(world, &mut tx, &mut next).await?;
        let at = tx.ack(&world.orders, stale)?;
        self.fill(world, &mut tx, &mut next).await?;
        self.held = held;
        match tx.commit().await {
            Err(Error::TransactionRejected(why)) => {
                let settled_twice = matches!(&why.reason, Reason::Failed(Error::InvalidParameter { .. }));
                assert!(why.operation == at || settled_twice, "{why}");
                let settles =
                    [OperationKind::Ack, OperationKind::ChangeVisibility, OperationKind::DeadLetter];
                assert!(settles.contains(&why.kind), "{why}");
            }
            Err(error) => return Err(error),
            Ok(committed) => panic!("a stale receipt was taken: {committed:?}"),
        }
        self.rejected += 1;
        Ok(())
    }

    /// Fills a transaction, and does the same to the model. Returns the receipts that hold nothing once it has committed.
    async fn fill(
        &mut self,
        world: &mut World,
        tx: &mut Transaction,
        next: &mut Contents,
    ) -> Result<Vec<ReceiptHandle>> {
        let mut settled = Vec::new();
        let held_before = self.held.len();
        for _ in 0..=self.dice.below(6) {
            match self.dice.below(10) {
                0 | 1 if !self.held.is_empty() => {
                    let (body, receipt) = self.held.remove(self.dice.below(self.held.len()));
                    tx.ack(&world.orders, receipt)?;
                    next.orders.remove(&body);
                    settled.push(receipt);
                }
                2 if !self.held.is_empty() && held_before == self.held.len() => {
                    // Once: a message is settled once in a transaction.
                    let receipt = self.held.remove(self.dice.below(self.held.len())).1;
                    let timeout = Duration::from_secs(self.dice.below(2) as u64 * 5);
                    tx.change_visibility(&world.orders, receipt, timeout)?;
                }
                3 => {
                    let body = self.body();
                    tx.send(&world.orders, body.as_str())?;
                    next.orders.insert(body);
                }
                4 => {
                    let body = self.body();
                    let message = SendMessage::new(body.clone()).group_id("g").deduplication_id(&body);
                    tx.send(&world.ordered, message)?;
                    next.ordered.push(body);
                }
                5 => {
                    let body = self.body();
                    tx.publish(&world.news, PublishMessage::new(&body))?;
                    next.audit.insert(body);
                }
                6 => {
                    let body = self.body();
                    tx.put_record(&world.clicks, PutRecord::new("k", body.clone()))?;
                    next.records.push(body);
                }
                7 => self.checkpoint(world, tx, next).await?,
                8 if !self.held.is_empty() => {
                    let (body, receipt) = self.held.remove(self.dice.below(self.held.len()));
                    tx.dead_letter(&world.orders, receipt, "a bad message")?;
                    next.orders.remove(&body);
                    next.dead.insert(body);
                    settled.push(receipt);
                }
                _ => self.keys(world, tx, next).await?,
            }
        }
        Ok(settled)
    }

    async fn checkpoint(
        &mut self,
        world: &mut World,
        tx: &mut Transaction,
        next: &mut Contents,
    ) -> Result<()> {
        if self.fetched < self.now().records.len() as u64 {
            let record = world.billing.next().await?;
            let expected = &self.now().records[usize::try_from(self.fetched).unwrap()];
            assert_eq!(&record.data[..], expected.as_bytes());
            self.fetched += 1;
            self.consumed = Some(Checkpoint::from(&record));
        }
        if let Some(consumed) = self.consumed.as_ref().filter(|_| self.fetched > self.now().consumed) {
            tx.checkpoint(consumed.clone())?;
            next.consumed = self.fetched;
        }
        Ok(())
    }

    /// Reads, sets or removes a key, and looks at all of them.
    async fn keys(&mut self, world: &World, tx: &mut Transaction, next: &mut Contents) -> Result<()> {
        let key = format!("k{}", self.dice.below(4));
        let found = tx.get(&world.totals, &key).await?;
        assert_eq!(found.as_deref(), next.keys.get(&key).map(String::as_bytes));
        if self.dice.below(4) == 0 {
            tx.delete(&world.totals, &key)?;
            next.keys.remove(&key);
        } else {
            let value = self.body();
            tx.put(&world.totals, &key, value.clone())?;
            next.keys.insert(key, value);
        }
        let page = tx.scan(&world.totals, "k", None, 10).await?;
        let expected = next.keys.iter().map(|(key, value)| (key.as_bytes(), value.as_bytes()));
        assert!(page.entries.iter().map(|(key, value)| (&key[..], &value[..])).eq(expected), "{page:?}");
        Ok(())
    }
}

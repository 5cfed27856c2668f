//! Transfers between accounts by eight tasks, driven by messages: the sum is what it was at every moment and after crashes, and
//! each transfer is done once.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use broker_core::{
    Broker, Error, LocalQueue, ManualClock, ReceiveOptions, Result, Space, Transaction,
    storage::{
        Storage,
        faults::{CrashPoint, CrashStorage, Survive},
    },
};
use broker_mem::MemStorage;
use bytes::Bytes;

use crate::{
    script::Dice,
    support::{Ground, KINDS, Kind},
};

const ACCOUNTS: usize = 5;
const TASKS: usize = 8;
const SUM: i64 = 5_000;

struct Bank {
    broker: Broker,
    transfers: LocalQueue,
    accounts: Space,
    done: Space,
}

fn number(bytes: &Bytes) -> i64 {
    i64::from_le_bytes(bytes[..].try_into().unwrap())
}

impl Bank {
    async fn open(store: Arc<dyn Storage>) -> Result<Self> {
        let clock = ManualClock::new(1_000_000);
        let broker = Broker::builder_on(store).clock(clock).seed(3).release_in_flight().open().await?;
        let transfers = broker.queue("transfers").await?;
        let (accounts, done) = (broker.space("accounts").await?, broker.space("done").await?);
        Ok(Self { broker, transfers, accounts, done })
    }

    /// Makes the accounts and orders the transfers, in one transaction each.
    async fn begin(&self, transfers: &[(usize, usize, i64)]) -> Result<()> {
        let mut tx = self.broker.transaction();
        for account in 0..ACCOUNTS {
            tx.put(&self.accounts, format!("{account}"), 1_000_i64.to_le_bytes().to_vec())?;
        }
        tx.commit().await?;
        for (at, batch) in transfers.chunks(100).enumerate() {
            let mut tx = self.broker.transaction();
            for (offset, (from, to, amount)) in batch.iter().enumerate() {
                tx.send(&self.transfers, format!("{} {from} {to} {amount}", at * 100 + offset))?;
            }
            tx.commit().await?;
        }
        Ok(())
    }

    /// One transfer, if there is one. What was received, the accounts and the mark change together.
    async fn step(&self) -> Result<bool> {
        let received = self.transfers.receive(ReceiveOptions::up_to(1).wait_time(Duration::ZERO)).await?;
        let Some(message) = received.into_iter().next() else { return Ok(false) };
        let text = message.text().unwrap();
        let [id, from, to, amount] = text.split(' ').collect::<Vec<_>>()[..] else { panic!("{text}") };
        let amount: i64 = amount.parse().unwrap();
        let work = async |mut tx: Transaction| {
            let balance = number(&tx.get(&self.accounts, from).await?.unwrap());
            tx.put(&self.accounts, from, (balance - amount).to_le_bytes().to_vec())?;
            tokio::task::yield_now().await; // It thinks, and others are faster.
            let balance = number(&tx.get(&self.accounts, to).await?.unwrap());
            tx.put(&self.accounts, to, (balance + amount).to_le_bytes().to_vec())?;
            assert_eq!(tx.get(&self.done, id).await?, None, "transfer {id} was done before");
            tx.put(&self.done, id, "done")?;
            tx.ack(&self.transfers, message.receipt)?;
            tokio::task::yield_now().await; // Once more: now only the commit can find out.
            tx.commit().await
        };
        self.broker.transact(work).await?;
        Ok(true)
    }

    /// What is in the accounts, at one moment.
    async fn balances(&self) -> Result<Vec<i64>> {
        self.broker
            .transact(async |mut tx| {
                let page = tx.scan(&self.accounts, "", None, 100).await?;
                tx.commit().await?;
                Ok(page.entries.iter().map(|(_, balance)| number(balance)).collect())
            })
            .await
    }

    /// Works off all transfers with eight tasks, while somebody looks at the sum all the time.
    async fn work(self: &Arc<Self>) -> Result<usize> {
        let finished = Arc::new(AtomicBool::new(false));
        let observer = tokio::spawn({
            let (bank, finished) = (self.clone(), finished.clone());
            async move {
                let mut looks = 0;
                while !finished.load(Ordering::SeqCst) {
                    if let Ok(balances) = bank.balances().await {
                        assert_eq!(balances.iter().sum::<i64>(), SUM, "{balances:?}");
                        looks += 1;
                    }
                    tokio::task::yield_now().await;
                }
                looks
            }
        });
        let task = |_| {
            let bank = self.clone();
            tokio::spawn(async move {
                while bank.step().await? {}
                Ok(())
            })
        };
        let tasks: Vec<_> = (0..TASKS).map(task).collect();
        let mut outcome = Ok(());
        for task in tasks {
            outcome = outcome.and(task.await.unwrap());
        }
        finished.store(true, Ordering::SeqCst);
        let looks = observer.await.unwrap();
        outcome.map(|()| looks)
    }

    /// All transfers are done, each once.
    async fn check(&self, transfers: &[(usize, usize, i64)]) {
        let mut expected: BTreeMap<usize, i64> = (0..ACCOUNTS).map(|account| (account, 1_000)).collect();
        for (from, to, amount) in transfers {
            *expected.get_mut(from).unwrap() -= amount;
            *expected.get_mut(to).unwrap() += amount;
        }
        assert_eq!(self.balances().await.unwrap(), expected.into_values().collect::<Vec<_>>());
        assert_eq!(self.done.stats().await.unwrap().keys, transfers.len() as u64);
        assert_eq!(self.transfers.counters().await.unwrap().total(), 0);
    }
}

fn transfers(count: usize, seed: u64) -> Vec<(usize, usize, i64)> {
    let mut dice = Dice::new(seed);
    let mut transfer = |_| {
        let from = dice.below(ACCOUNTS);
        let to = (from + 1 + dice.below(ACCOUNTS - 1)) % ACCOUNTS;
        (from, to, i64::try_from(dice.below(50)).unwrap())
    };
    (0..count).map(&mut transfer).collect()
}

fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build();
    runtime.unwrap().block_on(future)
}

// T6
#[test]
fn the_sum_is_conserved_at_every_moment() {
    for kind in KINDS {
        let transfers = transfers(if matches!(kind, Kind::Disk(_)) { 100 } else { 500 }, 7);
        run(async {
            let ground = Ground::new(kind);
            let bank = Arc::new(Bank::open(ground.store()).await.unwrap());
            bank.begin(&transfers).await.unwrap();
            let looks = bank.work().await.unwrap();
            assert!(looks > 0, "nobody has looked at the sum on {kind:?}");
            bank.check(&transfers).await;
        });
    }
}

// T6
#[test]
fn the_sum_is_conserved_and_each_transfer_is_done_once_after_crashes() {
    let transfers = transfers(60, 11);
    for (life, can_block) in [(0, true), (1, true), (2, true), (3, false), (4, false)] {
        let mut store = Arc::new(CrashStorage::new(Arc::new(MemStorage::new())).can_block(can_block));
        run(async { Bank::open(store.clone()).await.unwrap().begin(&transfers).await.unwrap() });
        let (mut crashes, mut commits) = (0, 2 + life);
        loop {
            let survive = if commits % 2 == 0 { Survive::Kill } else { Survive::PowerCut { unsynced: 1 } };
            let next = store.restart(survive, Arc::new(MemStorage::new())).unwrap();
            store = Arc::new(next.crash_at(CrashPoint::After(commits)));
            commits += 3;
            let ended = run(async {
                let bank = Arc::new(Bank::open(store.clone()).await?);
                assert_eq!(bank.balances().await?.iter().sum::<i64>(), SUM);
                bank.work().await?;
                bank.check(&transfers).await;
                Ok::<_, Error>(())
            });
            match ended {
                Ok(()) => break,
                Err(error) => assert!(store.crashed(), "it fails only by a crash: {error}"),
            }
            crashes += 1;
        }
        assert!(crashes > 3, "only {crashes} crashes");
    }
}

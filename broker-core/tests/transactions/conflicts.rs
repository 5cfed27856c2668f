//! User keys are serialisable: what a transaction has read is so when it commits, keys that come and go included.

use std::sync::atomic::{AtomicUsize, Ordering};

use broker_core::{
    Broker, Error, Limits, OperationKind, Reason, Rejection, Space, Transaction, TransactionLimits,
};
use broker_mem::MemStorage;
use bytes::Bytes;

use crate::support::{Ground, Kind, block_on, everywhere, rejection};

fn changed(why: &Rejection) -> (usize, OperationKind, &str) {
    match &why.reason {
        Reason::KeyChanged { key, .. } => (why.operation, why.kind, key),
        other => panic!("{other:?}"),
    }
}

fn names(entries: &[(Bytes, Bytes)]) -> Vec<&str> {
    entries.iter().map(|(key, _)| std::str::from_utf8(key).unwrap()).collect()
}

// T6
#[test]
fn a_key_that_was_changed_since_it_was_read() {
    everywhere(&async |_, broker| {
        let space = broker.space("s").await.unwrap();
        space.put("a", "1").await.unwrap();
        for change in ["2", ""] {
            let mut tx = broker.transaction();
            tx.get(&space, "b").await.unwrap();
            tx.get(&space, "a").await.unwrap();
            tx.put(&space, "c", "3").unwrap();
            match change {
                "" => space.delete("a").await.unwrap(),
                value => space.put("a", value).await.unwrap(),
            }
            assert_eq!(changed(&rejection(tx.commit().await)), (1, OperationKind::Get, "a"));
            assert_eq!(space.get("c").await.unwrap(), None);
        }
        let mut tx = broker.transaction();
        assert_eq!(tx.get(&space, "a").await.unwrap(), None);
        space.put("a", "came").await.unwrap();
        tx.put(&space, "c", "3").unwrap();
        assert_eq!(changed(&rejection(tx.commit().await)), (0, OperationKind::Get, "a"));
    });
}

// T6
#[test]
fn what_was_not_read_may_change() {
    everywhere(&async |_, broker| {
        let (space, other) = (broker.space("s").await.unwrap(), broker.space("t").await.unwrap());
        let mut tx = broker.transaction();
        tx.get(&space, "a").await.unwrap();
        tx.put(&space, "b", "mine").unwrap();
        space.put("b", "yours").await.unwrap();
        space.put("aa", "x").await.unwrap();
        other.put("a", "x").await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(space.get("b").await.unwrap().as_deref(), Some(&b"mine"[..]), "the later one wins");
    });
}

// T6
#[test]
fn a_key_that_comes_or_goes_where_a_scan_has_been() {
    everywhere(&async |_, broker| {
        let space = broker.space("s").await.unwrap();
        for key in ["p/1", "p/3", "p/5", "q"] {
            space.put(key, "x").await.unwrap();
        }
        let scanned = async |max: usize| {
            let mut tx = broker.transaction();
            let page = tx.scan(&space, "p/", None, max).await.unwrap();
            tx.put(&space, "seen", format!("{}", page.entries.len())).unwrap();
            (tx, page)
        };
        let (tx, page) = scanned(10).await;
        assert_eq!((names(&page.entries), page.next), (vec!["p/1", "p/3", "p/5"], None));
        space.put("p/4", "a phantom").await.unwrap();
        assert_eq!(changed(&rejection(tx.commit().await)), (0, OperationKind::Scan, "p/"));
        let (tx, _) = scanned(10).await;
        space.delete("p/3").await.unwrap();
        rejection(tx.commit().await);
        let (tx, _) = scanned(10).await;
        space.put("p/1", "another value").await.unwrap();
        rejection(tx.commit().await);
        let (tx, _) = scanned(10).await;
        space.put("p/9", "at the end").await.unwrap();
        rejection(tx.commit().await);

        // Behind a page that has ended, nothing was read.
        let (tx, page) = scanned(2).await;
        assert_eq!((names(&page.entries), page.next.as_deref()), (vec!["p/1", "p/4"], Some(&b"p/4"[..])));
        space.put("p/45", "behind it").await.unwrap();
        space.put("q", "elsewhere").await.unwrap();
        tx.commit().await.unwrap();
        let (tx, _) = scanned(2).await;
        space.put("p/2", "within it").await.unwrap();
        rejection(tx.commit().await);
        assert_eq!(space.get("seen").await.unwrap().as_deref(), Some(&b"2"[..]));
    });
}

// T7
#[test]
fn a_transaction_sees_what_it_has_written() {
    everywhere(&async |_, broker| {
        let space = broker.space("s").await.unwrap();
        for key in ["a", "b", "c"] {
            space.put(key, "old").await.unwrap();
        }
        let mut tx = broker.transaction();
        tx.put(&space, "b", "new").unwrap();
        tx.put(&space, "bb", "new").unwrap();
        tx.put(&space, "z", "new").unwrap();
        tx.delete(&space, "c").unwrap();
        assert_eq!(tx.get(&space, "b").await.unwrap().as_deref(), Some(&b"new"[..]));
        assert_eq!(tx.get(&space, "c").await.unwrap(), None);
        let all = tx.scan(&space, "", None, 10).await.unwrap();
        assert_eq!(names(&all.entries), ["a", "b", "bb", "z"]);
        assert_eq!(&all.entries[1].1[..], b"new");
        let page = tx.scan(&space, "", None, 2).await.unwrap();
        assert_eq!(names(&page.entries), ["a", "b"]);
        let rest = tx.scan(&space, "", page.next.as_deref(), 2).await.unwrap();
        assert_eq!(names(&rest.entries), ["bb", "z"], "and not c");
        assert_eq!(names(&tx.scan(&space, "c", None, 2).await.unwrap().entries), [""; 0]);
        assert_eq!(space.stats().await.unwrap().keys, 3, "nobody else does");
        tx.commit().await.unwrap();
        assert_eq!(names(&space.scan("", None, 10).await.unwrap().entries), ["a", "b", "bb", "z"]);
    });
}

/// What is read in one transaction was so at one moment, also while it goes on: it never sees half of another.
// T7
#[test]
fn a_read_that_does_not_fit_the_earlier_ones_fails() {
    everywhere(&async |_, broker| {
        let space = broker.space("s").await.unwrap();
        let both = async |value: &'static str| {
            let mut tx = broker.transaction();
            tx.put(&space, "a", value).unwrap();
            tx.put(&space, "b", value).unwrap();
            tx.commit().await.unwrap();
        };
        both("1").await;
        let mut tx = broker.transaction();
        tx.get(&space, "a").await.unwrap();
        both("2").await;
        let why = rejection(tx.get(&space, "b").await);
        assert_eq!(changed(&why), (0, OperationKind::Get, "a"));
        assert_eq!(changed(&rejection(tx.commit().await)), (0, OperationKind::Get, "a"), "it stays so");
    });
}

/// Two that have each read what the other one writes: only one commits.
// T6
#[test]
fn no_skew() {
    everywhere(&async |_, broker| {
        let space = broker.space("s").await.unwrap();
        let (mut first, mut second) = (broker.transaction(), broker.transaction());
        first.get(&space, "a").await.unwrap();
        second.get(&space, "b").await.unwrap();
        first.put(&space, "b", "x").unwrap();
        second.put(&space, "a", "x").unwrap();
        first.commit().await.unwrap();
        rejection(second.commit().await);
        assert_eq!(space.stats().await.unwrap().keys, 1);
    });
}

/// One that only reads is checked too.
// T6
#[test]
fn reading_alone_is_serialisable() {
    everywhere(&async |_, broker| {
        let space = broker.space("s").await.unwrap();
        let mut tx = broker.transaction();
        tx.get(&space, "a").await.unwrap();
        space.put("a", "x").await.unwrap();
        rejection(tx.commit().await);
        let mut tx = broker.transaction();
        tx.get(&space, "a").await.unwrap();
        tx.commit().await.unwrap();
    });
}

async fn increment(mut tx: Transaction, space: &Space) -> Result<u64, Error> {
    let before = tx.get(space, "n").await?;
    let next = before.map_or(0, |bytes| u64::from_le_bytes(bytes[..].try_into().unwrap())) + 1;
    tx.put(space, "n", next.to_le_bytes().to_vec())?;
    tx.commit().await?;
    Ok(next)
}

// T8
#[test]
fn after_a_conflict_the_work_is_done_again_so_many_times() {
    block_on(async {
        let transactions = TransactionLimits { tries_max: 3, ..TransactionLimits::standard() };
        let limits = Limits { transactions, ..Limits::aws() };
        let broker = Broker::builder(MemStorage::new()).limits(limits).open().await.unwrap();
        let space = broker.space("s").await.unwrap();
        let tries = AtomicUsize::new(0);
        let work = async |mut tx: Transaction, conflicts: usize| {
            let before = tx.get(&space, "n").await?;
            if tries.fetch_add(1, Ordering::SeqCst) < conflicts {
                space.put("n", "theirs").await?;
            }
            tx.put(&space, "n", "mine")?;
            tx.commit().await?;
            Ok::<_, Error>(before)
        };
        assert_eq!(broker.transact(|tx| work(tx, 2)).await.unwrap().as_deref(), Some(&b"theirs"[..]));
        assert_eq!(tries.swap(0, Ordering::SeqCst), 3);
        assert_eq!(space.get("n").await.unwrap().as_deref(), Some(&b"mine"[..]));
        let refused = broker.transact(|tx| work(tx, usize::MAX)).await;
        assert_eq!(changed(&rejection(refused)), (0, OperationKind::Get, "n"));
        assert_eq!(tries.load(Ordering::SeqCst), 3);
        assert_eq!(space.get("n").await.unwrap().as_deref(), Some(&b"theirs"[..]));
    });
}

/// What the work makes of an error is its own affair: if it has read what does not hold, it is done again; if it has not, its
/// error is the end.
// T8
#[test]
fn the_work_may_have_errors_of_its_own() {
    block_on(async {
        let broker = Ground::new(Kind::Inline).open().await;
        let space = broker.space("s").await.unwrap();
        let tries = AtomicUsize::new(0);
        let outcome = broker.transact(async |mut tx| {
            let before = tries.fetch_add(1, Ordering::SeqCst);
            tx.get(&space, "a").await.map_err(|error| error.to_string())?;
            if before == 0 {
                space.put("a", "x").await.map_err(|error| error.to_string())?;
            }
            tx.get(&space, "b").await.map_err(|_| "what it made of it".to_owned())?;
            tx.put(&space, "c", "x").map_err(|error| error.to_string())?;
            Err::<(), _>("its own".to_owned())
        });
        assert_eq!(outcome.await, Err("its own".to_owned()));
        assert_eq!(tries.load(Ordering::SeqCst), 2);
        assert_eq!(space.get("c").await.unwrap(), None, "and nothing is committed");
    });
}

/// Whatever else rejects it would do so again.
// T8
#[test]
fn another_reason_is_no_conflict() {
    block_on(async {
        let broker = Ground::new(Kind::Inline).open().await;
        let queue = broker.queue("q").await.unwrap();
        queue.send("m").await.unwrap();
        let receipt = crate::support::take_one(&queue).await.receipt;
        queue.delete(receipt).await.unwrap();
        let tries = AtomicUsize::new(0);
        let refused = broker.transact(async |mut tx| {
            tries.fetch_add(1, Ordering::SeqCst);
            tx.ack(&queue, receipt)?;
            tx.commit().await
        });
        assert!(matches!(rejection(refused.await).reason, Reason::MessageGone));
        assert_eq!(tries.load(Ordering::SeqCst), 1);
    });
}

/// Eight tasks that change one key: all get on, and none of their changes is lost.
// T8
#[test]
fn eight_tasks_on_one_key_make_progress() {
    for kind in crate::support::KINDS {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build();
        runtime.unwrap().block_on(async {
            let rounds = if matches!(kind, Kind::Disk(_)) { 20 } else { 200 };
            let ground = Ground::new(kind);
            let broker = ground.open().await;
            let space = broker.space("s").await.unwrap();
            let task = |_| {
                let (broker, space) = (broker.clone(), space.clone());
                tokio::spawn(async move {
                    for _ in 0..rounds {
                        broker.transact(|tx| increment(tx, &space)).await.unwrap();
                    }
                })
            };
            for task in (0..8).map(task).collect::<Vec<_>>() {
                task.await.unwrap();
            }
            let last = space.get("n").await.unwrap().unwrap();
            assert_eq!(u64::from_le_bytes(last[..].try_into().unwrap()), 8 * rounds, "{kind:?}");
        });
    }
}

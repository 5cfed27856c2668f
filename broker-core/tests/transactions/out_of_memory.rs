//! Messages that were put out of memory since they were received: their leases are read, and they are settled all the same.

use std::time::Duration;

use broker_core::{Broker, Reason};

use crate::support::{Ground, KINDS, TINY, block_on, count, rejection, take};

// T10
#[test]
fn messages_that_only_the_store_knows_are_settled() {
    for kind in KINDS {
        block_on(async {
            let ground = Ground::new(kind);
            let broker = Broker::builder_on(ground.store()).seed(3).memory(TINY).open().await.unwrap();
            let (one, two) = (broker.queue("one").await.unwrap(), broker.queue("two").await.unwrap());
            let mut receipts = Vec::new();
            for queue in [&one, &two] {
                for number in 0..8 {
                    queue.send(format!("m{number}")).await.unwrap();
                }
                let got: Vec<_> = take(queue, 8).await.iter().map(|message| message.receipt).collect();
                receipts.push(got);
            }
            // All are visible again, and so most are in the store alone; each latest receipt still holds its message.
            tokio::time::advance(Duration::from_secs(31)).await;
            assert_eq!((count(&one).await, count(&two).await), ((8, 0, 0), (8, 0, 0)));
            let mut tx = broker.transaction();
            for (queue, receipts) in [(&one, &receipts[0]), (&two, &receipts[1])] {
                receipts[..7].iter().for_each(|receipt| _ = tx.ack(queue, *receipt).unwrap());
                tx.change_visibility(queue, receipts[7], Duration::from_secs(60)).unwrap();
            }
            tx.commit().await.unwrap();
            assert_eq!((count(&one).await, count(&two).await), ((0, 1, 0), (0, 1, 0)), "{kind:?}");
            let mut tx = broker.transaction();
            tx.ack(&one, receipts[0][7]).unwrap();
            tx.ack(&two, receipts[1][0]).unwrap();
            let why = rejection(tx.commit().await);
            assert!(matches!((why.operation, &why.reason), (1, Reason::MessageGone)), "{why}");
            assert_eq!(count(&one).await, (0, 1, 0));
        });
    }
}

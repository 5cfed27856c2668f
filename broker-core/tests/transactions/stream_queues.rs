//! Records of a queue on a stream that are settled in a transaction.

use std::time::Duration;

use broker_core::{
    Error, OperationKind, PutRecord, Reason, ReceiveOptions, StartingPosition, StreamMessage, StreamQueue,
    StreamQueueSettings,
};

use crate::support::{count, everywhere, failed, rejection};

async fn take(queue: &StreamQueue) -> Option<StreamMessage> {
    let options = ReceiveOptions::up_to(1).wait_time(Duration::ZERO);
    queue.receive(options).await.unwrap().pop()
}

// T2, T3
#[test]
fn records_of_a_queue_on_a_stream_are_settled_together_with_the_rest() {
    everywhere(&async |ground, broker| {
        let clicks = broker.stream("clicks").shards(1).await.unwrap();
        let begin = StartingPosition::TrimHorizon;
        let work = clicks.queue("work", begin, &StreamQueueSettings::default()).await.unwrap();
        let parcels = broker.queue("parcels").await.unwrap();
        for data in ["a", "b"] {
            clicks.put(PutRecord::new("k", data)).await.unwrap();
        }
        let (a, b) = (take(&work).await.unwrap(), take(&work).await.unwrap());
        let mut tx = broker.transaction();
        tx.send(&parcels, "of a").unwrap();
        assert_eq!(tx.acknowledge(&work, a.receipt).unwrap(), 1);
        tx.update_visibility(&work, b.receipt, Duration::ZERO).unwrap();
        assert_eq!(work.counters().await.unwrap().in_flight, 2, "nothing before the commit");
        tx.commit().await.unwrap();
        assert_eq!(count(&parcels).await, (1, 0, 0));
        let again = take(&work).await.unwrap();
        assert_eq!((&again.data[..], again.receive_count), (&b"b"[..], 2));

        // Somebody else has it since: nothing of the other things happens either.
        for (receipt, kind) in [(b.receipt, OperationKind::Ack), (b.receipt, OperationKind::ChangeVisibility)]
        {
            let mut tx = broker.transaction();
            tx.send(&parcels, "of b").unwrap();
            match kind {
                OperationKind::Ack => tx.acknowledge(&work, receipt).unwrap(),
                _ => tx.update_visibility(&work, receipt, Duration::ZERO).unwrap(),
            };
            let why = rejection(tx.commit().await);
            assert!(matches!((why.operation, why.kind == kind), (1, true)), "{why}");
            assert!(matches!(why.reason, Reason::ReceiptStale), "{why}");
        }
        let mut tx = broker.transaction();
        tx.acknowledge(&work, a.receipt).unwrap();
        assert!(matches!(rejection(tx.commit().await).reason, Reason::MessageGone));
        assert_eq!(count(&parcels).await, (1, 0, 0));

        // What was acknowledged stays so after a restart.
        drop((work, clicks, parcels));
        broker.close().await.unwrap();
        drop(broker);
        let broker = ground.open().await;
        let clicks = broker.stream("clicks").await.unwrap();
        let work = clicks.queue("work", begin, &StreamQueueSettings::default()).await.unwrap();
        let counters = work.counters().await.unwrap();
        assert_eq!((counters.visible + counters.in_flight, counters.behind, counters.dead), (1, 0, 0));

        let mut tx = broker.transaction();
        tx.acknowledge(&work, again.receipt).unwrap();
        clicks.delete_queue("work").await.unwrap();
        let why = rejection(tx.commit().await);
        assert!(matches!(failed(&why), Error::QueueDoesNotExist { .. }), "{why}");
    });
}

//! Receipts that are not what they should be: rules Q73 and Q74, IQ6.

use broker_core::{Broker, Deleted, Error, LocalQueue, ReceiptHandle, VisibilityChanged};

use crate::support::{World, counts, refusal, secs, take};

/// Checks that a queue refuses this receipt, and names it, in both calls.
async fn refused(queue: &LocalQueue, handle: ReceiptHandle) {
    for error in [
        refusal(queue, queue.delete(handle)).await,
        refusal(queue, queue.change_visibility(handle, secs(1))).await,
    ] {
        assert!(matches!(error, Error::ReceiptHandleIsInvalid { receipt } if receipt == handle.to_string()));
    }
}

/// Q73.
#[test]
fn text_that_is_no_receipt_does_not_parse() {
    let (short, long, zeros) = ("0".repeat(47), "0".repeat(49), "0".repeat(48));
    let (sign, wide) = (format!("+{short}"), format!("é{}", "0".repeat(46)));
    for garbage in ["", "garbage", "INVALID", &short, &long, &sign, &wide, &"g".repeat(48), &"日".repeat(16)]
    {
        assert!(garbage.parse::<ReceiptHandle>().is_err(), "{garbage}");
    }
    assert!(zeros.parse::<ReceiptHandle>().is_ok(), "well formed, which no queue takes");
}

/// Q73.
async fn a_forged_receipt_is_refused(world: World) {
    let (_broker, queue) = world.queue().await;
    queue.send("m").await.unwrap();
    let genuine = take(&queue).await.receipt.to_string();
    for at in 0..genuine.len() {
        let mut forged = genuine.clone().into_bytes();
        forged[at] = if forged[at] == b'0' { b'1' } else { b'0' };
        refused(&queue, String::from_utf8(forged).unwrap().parse().unwrap()).await;
    }
    for digit in ["0", "f", "7"] {
        refused(&queue, digit.repeat(48).parse().unwrap()).await;
    }
    assert_eq!(counts(&queue).await, [0, 1, 0]);
}

/// Receipts travel as text, and survive a restart.
async fn a_receipt_is_good_as_text_and_after_a_restart(world: World) {
    let (broker, queue) = world.queue().await;
    queue.send("m").await.unwrap();
    let text = take(&queue).await.receipt.to_string();
    let (_broker, queue) = world.reopened(broker).await;
    assert_eq!(queue.delete(text.parse().unwrap()).await.unwrap(), Deleted::Gone);
    assert_eq!(counts(&queue).await, [0, 0, 0]);
}

/// Q74.
async fn a_receipt_of_another_queue_is_refused(world: World) {
    let (broker, queue) = world.queue().await;
    let other = broker.queue("other").await.unwrap();
    queue.send("m").await.unwrap();
    other.send("m").await.unwrap();
    let (own, foreign) = (take(&queue).await.receipt, take(&other).await.receipt);
    refused(&queue, foreign).await;
    refused(&other, own).await;
    assert_eq!(other.delete(foreign).await.unwrap(), Deleted::Gone);
    assert_eq!(counts(&queue).await, [0, 1, 0]);
}

/// Q74: nor does the same queue in another store take it.
#[tokio::test(start_paused = true)]
async fn a_receipt_of_another_store_is_refused() {
    let open = async || {
        let broker = Broker::open(broker_mem::MemStorage::new()).await.unwrap();
        let queue = broker.queue("orders").await.unwrap();
        queue.send("m").await.unwrap();
        let receipt = take(&queue).await.receipt;
        (queue, receipt)
    };
    let ((here, _), (_, there)) = (open().await, open().await);
    refused(&here, there).await;
}

/// Q8: what was purged is gone, however often the queue is used after that.
async fn a_receipt_from_before_a_purge_is_of_a_message_that_is_gone(world: World) {
    let (broker, queue) = world.queue().await;
    queue.send("old").await.unwrap();
    let old = take(&queue).await.receipt;
    queue.purge().await.unwrap();
    queue.send("new").await.unwrap();
    let new = take(&queue).await.receipt;
    assert_ne!(old, new);
    let gone = async |queue: &LocalQueue| {
        assert_eq!(queue.delete(old).await.unwrap(), Deleted::Gone);
        assert_eq!(queue.change_visibility(old, secs(1)).await.unwrap(), VisibilityChanged::Gone);
        assert_eq!(counts(queue).await, [0, 1, 0]);
    };
    gone(&queue).await;
    gone(&world.reopened(broker).await.1).await;
}

/// Q7.
async fn a_receipt_from_before_a_queue_was_recreated_is_refused(world: World) {
    let (broker, queue) = world.queue().await;
    queue.send("old").await.unwrap();
    let old = take(&queue).await.receipt;
    broker.delete_queue("orders").await.unwrap();
    let queue = broker.queue("orders").await.unwrap();
    queue.send("new").await.unwrap();
    let new = take(&queue).await.receipt;
    refused(&queue, old).await;
    let (_broker, queue) = world.reopened(broker).await;
    refused(&queue, old).await;
    assert_eq!(queue.delete(new).await.unwrap(), Deleted::Gone);
}

everywhere! {
    a_forged_receipt_is_refused,
    a_receipt_is_good_as_text_and_after_a_restart,
    a_receipt_of_another_queue_is_refused,
    a_receipt_from_before_a_purge_is_of_a_message_that_is_gone,
    a_receipt_from_before_a_queue_was_recreated_is_refused,
}

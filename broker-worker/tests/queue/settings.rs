//! Which mappings are refused, and with which words.

use broker_core::Error as BrokerError;
use broker_worker::{
    Error,
    handler::batch,
    queue::{Batch, Pollers, QueueMapping},
};

use crate::ground::{broker, ms, queue, secs};

async fn mapping() -> QueueMapping {
    QueueMapping::new(queue().await, batch(|_: Batch, _| async {}))
}

async fn fifo_mapping() -> QueueMapping {
    let queue = broker().await.queue("orders.fifo").fifo().await.unwrap();
    QueueMapping::new(queue, batch(|_: Batch, _| async {}))
}

async fn refused(mapping: QueueMapping) -> String {
    mapping.start().await.err().expect("it is refused").to_string()
}

async fn taken(mapping: QueueMapping) {
    drop(mapping.start().await.unwrap());
}

// Section E3: batch sizes.
#[tokio::test(start_paused = true)]
async fn a_batch_has_1_to_10000_messages_and_on_a_fifo_queue_1_to_10() {
    taken(mapping().await.batch_size(1)).await;
    taken(mapping().await.batch_size(10_000).window(secs(1))).await;
    taken(fifo_mapping().await.batch_size(10)).await;
    let of = |size, text: &str| format!("batch_size is {size}: a batch {text}");
    assert_eq!(refused(mapping().await.batch_size(0)).await, of(0, "has 1 to 10000 messages"));
    let too_large = mapping().await.batch_size(10_001).window(secs(1));
    assert_eq!(refused(too_large).await, of(10_001, "has 1 to 10000 messages"));
    assert_eq!(
        refused(fifo_mapping().await.batch_size(11)).await,
        of(11, "of a FIFO queue has 1 to 10 messages")
    );
}

// L30: more than ten messages need a window.
#[tokio::test(start_paused = true)]
async fn a_batch_of_more_than_ten_messages_needs_a_window() {
    let text =
        "Maximum batch window in seconds must be greater than 0 if maximum batch size is greater than 10";
    assert_eq!(refused(mapping().await.batch_size(11)).await, text);
    assert_eq!(refused(mapping().await.batch_size(11).window(ms(999))).await, text);
    taken(mapping().await.batch_size(11).window(secs(1))).await;
}

// Section E3: windows.
#[tokio::test(start_paused = true)]
async fn a_window_has_up_to_300_seconds_and_a_fifo_queue_none() {
    taken(mapping().await.window(secs(300))).await;
    assert_eq!(
        refused(mapping().await.window(secs(301))).await,
        "window is 301s: must be between 0s and 300s"
    );
    assert_eq!(
        refused(fifo_mapping().await.window(secs(1))).await,
        "window is 1s: a FIFO queue has no window"
    );
}

// L42: the timeout must not be longer than the visibility timeout.
#[tokio::test(start_paused = true)]
async fn the_timeout_must_not_be_longer_than_the_visibility_timeout() {
    taken(mapping().await.timeout(secs(30))).await;
    let text = "Queue visibility timeout: 30 seconds is less than Function timeout: 31 seconds";
    assert_eq!(refused(mapping().await.timeout(secs(31))).await, text);
    // With a heartbeat the messages stay invisible as long as it takes.
    taken(mapping().await.timeout(secs(31)).heartbeat(true)).await;
}

// L3: a timeout has 1 to 900 seconds; ours may be shorter.
#[tokio::test(start_paused = true)]
async fn a_timeout_has_up_to_900_seconds() {
    let queue = broker().await.queue("slow").visibility_timeout(secs(1_000)).await.unwrap();
    let mapping = || QueueMapping::new(queue.clone(), batch(|_: Batch, _| async {}));
    taken(mapping().timeout(secs(900))).await;
    assert_eq!(refused(mapping().timeout(secs(901))).await, "timeout is 901s: must be between 1ms and 900s");
    assert_eq!(refused(mapping().timeout(secs(0))).await, "timeout is 0ns: must be between 1ms and 900s");
    taken(mapping().timeout(secs(100_000)).heartbeat(true)).await;
}

// L60, L61: the limits of pollers. That provisioned pollers exclude a maximum is in the type.
#[tokio::test(start_paused = true)]
async fn pollers_have_limits() {
    let with = |pollers| async move { mapping().await.pollers(pollers) };
    taken(with(Pollers::Maximum(2)).await).await;
    taken(with(Pollers::Maximum(1_000)).await).await;
    for max in [1, 1_001] {
        let text = format!("maximum_concurrency is {max}: must be between 2 and 1000");
        assert_eq!(refused(with(Pollers::Maximum(max)).await).await, text);
    }
    taken(with(Pollers::Provisioned { min: 200, max: 10_000 }).await).await;
    let cases = [
        ((1, 2), "minimum_pollers is 1: must be between 2 and 200"),
        ((201, 300), "minimum_pollers is 201: must be between 2 and 200"),
        ((2, 10_001), "maximum_pollers is 10001: must be between 2 and 10000"),
        ((5, 4), "maximum_pollers is 4: must not be below the minimum"),
    ];
    for ((min, max), text) in cases {
        assert_eq!(refused(with(Pollers::Provisioned { min, max }).await).await, text);
    }
    assert_eq!(refused(with(Pollers::Fixed(10_001)).await).await, "workers is 10001: must be at most 10000");
}

// L33: a queue that does not exist.
#[tokio::test(start_paused = true)]
async fn a_queue_that_does_not_exist_is_refused() {
    let broker = broker().await;
    let queue = broker.queue("orders").await.unwrap();
    broker.delete_queue("orders").await.unwrap();
    let mapping = QueueMapping::new(queue, batch(|_: Batch, _| async {}));
    let error = mapping.start().await.err().unwrap();
    assert!(matches!(error, Error::Broker(BrokerError::QueueDoesNotExist { .. })), "{error}");
}

#[tokio::test(start_paused = true)]
async fn messages_that_are_never_invisible_cannot_be_handled() {
    let queue = broker().await.queue("hasty").visibility_timeout(secs(0)).await.unwrap();
    let mapping = QueueMapping::new(queue, batch(|_: Batch, _| async {}));
    assert_eq!(
        refused(mapping).await,
        "visibility_timeout is 0ns: a message must stay invisible for 2ms at least"
    );
}

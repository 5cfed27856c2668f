//! Receiving: rules Q50 to Q60, on virtual time.

use aws_sdk_sqs::types::QueueAttributeName;
use broker_core::Limits;
use tokio::time::Instant;

use crate::support::{INVALID, advance, refusal, secs, world_and_queue, world_with};

// Q50
#[tokio::test(start_paused = true)]
async fn a_receive_returns_1_to_10_messages() {
    let (world, url) = world_and_queue("orders").await;
    for n in 0..12 {
        world.send(&url, &n.to_string()).await;
    }
    let one = world.sqs.receive_message().queue_url(&url).send().await.unwrap();
    assert_eq!(one.messages().len(), 1);
    assert_eq!(world.receive(&url, 10).await.len(), 10);
    for bad in [0, 11, -1] {
        let told = format!(
            "Value {bad} for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided."
        );
        let receive = world.sqs.receive_message().queue_url(&url).max_number_of_messages(bad);
        refusal(receive.send().await).is(400, INVALID, &told);
    }
}

// Q51, Q53
#[tokio::test(start_paused = true)]
async fn an_empty_long_poll_takes_20_seconds_of_virtual_time() {
    let (world, url) = world_and_queue("orders").await;
    let receive = |seconds| world.sqs.receive_message().queue_url(&url).wait_time_seconds(seconds).send();
    let start = Instant::now();
    assert_eq!(receive(20).await.unwrap().messages, None, "no key at all");
    assert_eq!(start.elapsed(), secs(20));
    for bad in [-1, 21] {
        let told = format!(
            "Value {bad} for parameter WaitTimeSeconds is invalid. Reason: Must be >= 0 and <= 20, if provided."
        );
        refusal(receive(bad).await).is(400, INVALID, &told);
    }
}

// Q53
#[tokio::test(start_paused = true)]
async fn a_long_poll_ends_with_the_first_message() {
    let (world, url) = world_and_queue("orders").await;
    let poll = world.sqs.receive_message().queue_url(&url).wait_time_seconds(20).max_number_of_messages(10);
    let start = Instant::now();
    let poll = tokio::spawn(poll.send());
    advance(secs(3)).await;
    world.send(&url, "a").await;
    assert_eq!(poll.await.unwrap().unwrap().messages().len(), 1);
    assert_eq!(start.elapsed(), secs(3));
}

// Q51
#[tokio::test(start_paused = true)]
async fn a_queue_says_how_long_receives_wait() {
    let (world, url) = world_and_queue("orders").await;
    let set = world.sqs.set_queue_attributes().queue_url(&url);
    set.attributes(QueueAttributeName::ReceiveMessageWaitTimeSeconds, "7").send().await.unwrap();
    let start = Instant::now();
    assert!(world.receive(&url, 1).await.is_empty());
    assert_eq!(start.elapsed(), secs(7));
}

// Q54
#[tokio::test(start_paused = true)]
async fn a_receive_has_a_visibility_timeout_of_its_own() {
    let (world, url) = world_and_queue("orders").await;
    world.send(&url, "a").await;
    let receive = |seconds| world.sqs.receive_message().queue_url(&url).visibility_timeout(seconds).send();
    assert_eq!(receive(0).await.unwrap().messages().len(), 1);
    assert_eq!(receive(5).await.unwrap().messages().len(), 1);
    advance(secs(4)).await;
    assert_eq!(receive(5).await.unwrap().messages().len(), 0);
    advance(secs(1)).await;
    assert_eq!(receive(43_200).await.unwrap().messages().len(), 1);
    refusal(receive(43_201).await).says(INVALID, "parameter VisibilityTimeout");
    refusal(receive(-1).await).says(INVALID, "parameter VisibilityTimeout");
}

// Q59
#[tokio::test(start_paused = true)]
async fn too_many_in_flight_are_over_the_limit_for_a_short_poll() {
    let world = world_with(Limits { in_flight_max: 1, ..Limits::aws() }).await;
    let url = world.aws.queue("orders").await.unwrap();
    world.send(&url, "a").await;
    world.send(&url, "b").await;
    world.receipt(&url).await;
    let receive = || world.sqs.receive_message().queue_url(&url);
    let error = receive().send().await.unwrap_err();
    assert!(error.as_service_error().unwrap().is_over_limit());
    assert_eq!(refusal(Err::<(), _>(error)).status, 403);
    assert!(receive().wait_time_seconds(1).send().await.unwrap().messages.is_none());
}

// Q60
#[tokio::test(start_paused = true)]
async fn the_counts_say_what_each_message_is_doing() {
    let (world, url) = world_and_queue("orders").await;
    for body in ["a", "b", "c"] {
        world.send(&url, body).await;
    }
    let delayed = world.sqs.send_message().queue_url(&url).message_body("d").delay_seconds(10);
    delayed.send().await.unwrap();
    world.receipt(&url).await;
    assert_eq!(world.counts(&url).await, ["2", "1", "1"]);
}

/// A dropped call leaks nothing: the SDK gives a call up when its timeout is over.
#[tokio::test(start_paused = true)]
async fn a_poll_that_the_client_gives_up_takes_no_message_with_it() {
    let (world, url) = world_and_queue("orders").await;
    let poll = world.sqs.receive_message().queue_url(&url).wait_time_seconds(20).send();
    assert!(tokio::time::timeout(secs(5), poll).await.is_err());
    world.send(&url, "a").await;
    assert_eq!(world.counts(&url).await, ["1", "0", "0"]);
    assert_eq!(world.receive(&url, 1).await.len(), 1);
}

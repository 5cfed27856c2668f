//! Deleting and changing visibility: rules Q70 to Q78.

use crate::support::{INVALID, MISSING, World, advance, refusal, secs, world_and_queue};

async fn change(
    world: &World,
    url: &str,
    receipt: &str,
    seconds: i32,
) -> Result<(), crate::support::Refusal> {
    let change = world.sqs.change_message_visibility().queue_url(url).receipt_handle(receipt);
    match change.visibility_timeout(seconds).send().await {
        Ok(_) => Ok(()),
        refused => Err(refusal(refused)),
    }
}

async fn delete(world: &World, url: &str, receipt: &str) -> Result<(), crate::support::Refusal> {
    let delete = world.sqs.delete_message().queue_url(url).receipt_handle(receipt);
    match delete.send().await {
        Ok(_) => Ok(()),
        refused => Err(refusal(refused)),
    }
}

// Q70, Q72
#[tokio::test(start_paused = true)]
async fn a_deleted_message_can_be_deleted_again_and_not_be_hidden() {
    let (world, url) = world_and_queue("orders").await;
    world.send(&url, "a").await;
    let receipt = world.receipt(&url).await;
    advance(secs(30)).await;
    delete(&world, &url, &receipt)
        .await
        .expect("its visibility timeout is over, and nobody has received it since");
    assert_eq!(world.counts(&url).await, ["0", "0", "0"]);
    delete(&world, &url, &receipt).await.unwrap();
    let told = format!(
        "Value {receipt} for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not available for \
         visibility timeout change."
    );
    change(&world, &url, &receipt, 5).await.unwrap_err().is(400, INVALID, &told);
}

// Q71
#[tokio::test(start_paused = true)]
async fn an_old_receipt_deletes_nothing_and_still_ends_the_wait() {
    let (world, url) = world_and_queue("orders").await;
    world.send(&url, "a").await;
    let old = world.receipt(&url).await;
    advance(secs(30)).await;
    world.receipt(&url).await;
    delete(&world, &url, &old).await.unwrap();
    assert_eq!(world.counts(&url).await, ["0", "1", "0"]);
    change(&world, &url, &old, 0).await.unwrap();
    assert_eq!(world.counts(&url).await, ["1", "0", "0"]);
}

// Q73, Q74
#[tokio::test(start_paused = true)]
async fn a_receipt_of_nobody_or_of_another_queue_is_refused() {
    let (world, url) = world_and_queue("orders").await;
    let other = world.aws.queue("other").await.unwrap();
    world.send(&other, "a").await;
    let of_other = world.receipt(&other).await;
    for bad in ["garbage", of_other.as_str()] {
        let told = format!("The input receipt handle \"{bad}\" is not a valid receipt handle.");
        delete(&world, &url, bad).await.unwrap_err().is(400, "ReceiptHandleIsInvalid", &told);
        change(&world, &url, bad, 5).await.unwrap_err().is(400, "ReceiptHandleIsInvalid", &told);
    }
    let typed =
        world.sqs.delete_message().queue_url(&url).receipt_handle("garbage").send().await.unwrap_err();
    assert!(typed.into_service_error().is_receipt_handle_is_invalid());
    let none = world.sqs.delete_message().queue_url(&url).send().await;
    refusal(none).is(400, MISSING, "The request must contain the parameter ReceiptHandle.");
}

// Q75, Q77
#[tokio::test(start_paused = true)]
async fn a_changed_visibility_counts_from_now_and_zero_ends_it() {
    let (world, url) = world_and_queue("orders").await;
    world.send(&url, "a").await;
    let receipt = world.receipt(&url).await;
    advance(secs(20)).await;
    change(&world, &url, &receipt, 20).await.unwrap();
    advance(secs(19)).await;
    assert_eq!(world.counts(&url).await, ["0", "1", "0"]);
    advance(secs(1)).await;
    let receipt = world.receipt(&url).await;
    change(&world, &url, &receipt, 0).await.unwrap();
    assert_eq!(world.counts(&url).await, ["1", "0", "0"]);
    for bad in [-1, 43_201] {
        change(&world, &url, &receipt, bad).await.unwrap_err().says(INVALID, "between 0 and 43200");
    }
}

// Q76
#[tokio::test(start_paused = true)]
async fn a_message_is_invisible_for_12_hours_at_most() {
    let (world, url) = world_and_queue("orders").await;
    world.send(&url, "a").await;
    let receipt = world.receipt(&url).await;
    advance(secs(5)).await;
    let refused = change(&world, &url, &receipt, 43_200).await.unwrap_err();
    refused.says(INVALID, "Total VisibilityTimeout for the message is beyond the limit [43200 seconds]");
    change(&world, &url, &receipt, 43_195).await.unwrap();
}

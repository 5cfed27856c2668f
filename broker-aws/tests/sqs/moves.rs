//! Move tasks: rules Q86 to Q90.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::support::{INVALID, World, advance, refusal, secs, world};

const PREFIX: &str = "arn:aws:sqs:us-east-1:000000000000";

/// A dead-letter queue with three letters of a queue, and the URLs of both.
async fn world_with_letters() -> (World, String, String) {
    let world = world().await;
    let dead = world.aws.queue("dead").await.unwrap();
    let broker = world.aws.broker();
    let orders = broker.queue("orders").dead_letter("dead", 1).await.unwrap();
    let orders_url = world.aws.queue("orders").await.unwrap();
    for body in ["a", "b", "c"] {
        world.send(&orders_url, body).await;
    }
    assert_eq!(world.receive(&orders_url, 10).await.len(), 3);
    advance(secs(30)).await;
    assert!(world.receive(&orders_url, 10).await.is_empty());
    assert_eq!(orders.counters().await.unwrap().total(), 0);
    (world, orders_url, dead)
}

// Q86, Q88, Q90
#[tokio::test(start_paused = true)]
async fn dead_letters_go_back_to_their_queue() {
    let (world, orders, dead) = world_with_letters().await;
    let start = world.sqs.start_message_move_task().source_arn(format!("{PREFIX}:dead"));
    let handle = start.send().await.unwrap().task_handle.unwrap();
    let decoded: Value = serde_json::from_slice(&STANDARD.decode(&handle).unwrap()).unwrap();
    assert_eq!(decoded["sourceArn"], json!(format!("{PREFIX}:dead")));
    assert!(decoded["taskId"].is_string());
    advance(secs(60)).await;
    assert_eq!(world.counts(&orders).await, ["3", "0", "0"]);
    assert_eq!(world.counts(&dead).await, ["0", "0", "0"]);
    let listed =
        world.sqs.list_message_move_tasks().source_arn(format!("{PREFIX}:dead")).send().await.unwrap();
    let task = &listed.results()[0];
    assert_eq!((task.status(), task.task_handle()), (Some("COMPLETED"), None));
    assert_eq!(task.approximate_number_of_messages_moved(), 3);
    assert_eq!(task.approximate_number_of_messages_to_move(), Some(3));
    assert_eq!((task.destination_arn(), task.max_number_of_messages_per_second()), (None, None));
    assert!(task.started_timestamp() > 1_000_000_000_000, "milliseconds");
}

// Q87, Q88, Q89
#[tokio::test(start_paused = true)]
async fn a_task_runs_alone_and_can_be_cancelled() {
    let (world, orders, _) = world_with_letters().await;
    let arn = format!("{PREFIX}:dead");
    let start = || {
        let start = world.sqs.start_message_move_task().source_arn(&arn);
        start.destination_arn(format!("{PREFIX}:orders")).max_number_of_messages_per_second(1)
    };
    let handle = start().send().await.unwrap().task_handle.unwrap();
    let told = "There is already a task running. Only one active task is allowed for a source queue arn at a given time.";
    refusal(start().send().await).is(400, INVALID, told);
    let list = || world.sqs.list_message_move_tasks().source_arn(&arn);
    let running = list().send().await.unwrap();
    let running = &running.results()[0];
    assert_eq!((running.status(), running.task_handle()), (Some("RUNNING"), Some(handle.as_str())));
    assert_eq!(running.destination_arn(), Some(format!("{PREFIX}:orders").as_str()));
    assert_eq!(running.max_number_of_messages_per_second(), Some(1));
    let cancel = || world.sqs.cancel_message_move_task().task_handle(&handle).send();
    let moved = cancel().await.unwrap().approximate_number_of_messages_moved();
    assert_eq!(world.counts(&orders).await[0], moved.to_string());
    assert_eq!(list().send().await.unwrap().results()[0].status(), Some("CANCELLED"));
    let again = cancel().await.unwrap_err();
    assert!(again.as_service_error().unwrap().is_resource_not_found_exception());
    refusal(Err::<(), _>(again)).is(404, "ResourceNotFoundException", "Task does not exist.");
}

// Q86, Q88, Q89
#[tokio::test(start_paused = true)]
async fn what_a_task_cannot_do_is_told() {
    let (world, _, _) = world_with_letters().await;
    let start = |source: &str| world.sqs.start_message_move_task().source_arn(format!("{PREFIX}:{source}"));
    let told = "Source queue must be configured as a Dead Letter Queue.";
    refusal(start("orders").send().await).is(400, INVALID, told);
    let error = start("missing").send().await.unwrap_err();
    assert!(error.as_service_error().unwrap().is_resource_not_found_exception());
    assert_eq!(refusal(Err::<(), _>(error)).status, 404);
    let told = "The resource that you specified for the DestinationArn parameter doesn't exist.";
    let to_nowhere = start("dead").destination_arn(format!("{PREFIX}:missing")).send().await;
    refusal(to_nowhere).is(404, "ResourceNotFoundException", told);
    for rate in [0, 501] {
        let refused = refusal(start("dead").max_number_of_messages_per_second(rate).send().await);
        refused.says(INVALID, "between 1 and 500");
    }
    let no_arn = world.sqs.start_message_move_task().source_arn("dead").send().await;
    refusal(no_arn).says(INVALID, "You must use this format to specify the SourceArn");
    let list =
        |max| world.sqs.list_message_move_tasks().source_arn(format!("{PREFIX}:dead")).max_results(max);
    assert!(list(10).send().await.unwrap().results().is_empty());
    refusal(list(11).send().await).says(INVALID, "between 1 and 10");
    let cancel = |handle: String| world.sqs.cancel_message_move_task().task_handle(handle).send();
    refusal(cancel("garbage".into()).await).is(400, INVALID, "Value for parameter TaskHandle is invalid.");
    let handle = |source: &str| {
        let task = json!({ "taskId": "0".repeat(40), "sourceArn": format!("{PREFIX}:{source}") });
        STANDARD.encode(task.to_string())
    };
    refusal(cancel(handle("dead")).await).is(404, "ResourceNotFoundException", "Task does not exist.");
    refusal(cancel(handle("missing")).await).says("ResourceNotFoundException", "SourceArn");
}

// Q88
#[tokio::test(start_paused = true)]
async fn a_task_whose_destination_is_gone_fails_with_the_code_of_sqs() {
    let (world, _, _) = world_with_letters().await;
    world.aws.queue("other").await.unwrap();
    let start = world.sqs.start_message_move_task().source_arn(format!("{PREFIX}:dead"));
    let start = start.destination_arn(format!("{PREFIX}:other")).max_number_of_messages_per_second(1);
    start.send().await.unwrap();
    world.aws.broker().delete_queue("other").await.unwrap();
    advance(secs(60)).await;
    let listed =
        world.sqs.list_message_move_tasks().source_arn(format!("{PREFIX}:dead")).send().await.unwrap();
    let task = &listed.results()[0];
    assert_eq!(task.status(), Some("FAILED"));
    assert_eq!(task.failure_reason(), Some("AWS.SimpleQueueService.NonExistentQueue"));
}

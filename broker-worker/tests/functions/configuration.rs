//! Configuring a function. L3, L16, L17.

use std::{sync::Arc, time::Duration};

use broker_worker::invoke::{
    AsyncFunction, DeadLetterTarget, DestinationChange, DestinationKind, FunctionDestination, InvokeConfig,
    InvokeConfigChange, InvokeError, QueueDestination, TopicDestination, function,
};
use serde_json::Value;

use crate::support::{Broken, World, on_failure, on_success, secs};

fn echo() -> impl broker_worker::Handler<broker_worker::invoke::Invocation> {
    function(|event: Value, _| async move { Ok::<_, std::fmt::Error>(event) })
}

#[track_caller]
fn assert_refused<T>(outcome: Result<T, InvokeError>, expected: &str) {
    match outcome {
        Err(error) => assert_eq!(error.to_string(), expected),
        Ok(_) => panic!("it should have been refused: {expected}"),
    }
}

// L17
#[tokio::test(start_paused = true)]
async fn a_put_replaces_everything_and_an_update_what_it_names() {
    let world = World::new().await;
    let queue = world.queue("told").await;
    let function = world.working("orders").await.start().await.unwrap();
    let both = InvokeConfig {
        maximum_retry_attempts: Some(1),
        maximum_event_age: Some(secs(300)),
        on_success: on_success(&queue).on_success,
        on_failure: on_failure(&queue).on_failure,
    };
    function.put_config(both).unwrap();
    let changed = function
        .update_config(InvokeConfigChange { maximum_retry_attempts: Some(0), ..Default::default() })
        .unwrap();
    assert_eq!((changed.maximum_retry_attempts, changed.maximum_event_age), (Some(0), Some(secs(300))));
    assert!(changed.on_success.is_some() && changed.on_failure.is_some());
    // An empty destination removes it.
    let on_failure = DestinationChange::Remove;
    let changed = function.update_config(InvokeConfigChange { on_failure, ..Default::default() }).unwrap();
    assert!(changed.on_success.is_some() && changed.on_failure.is_none());
    let on_failure = DestinationChange::Set(QueueDestination::new(Arc::new(queue)).unwrap());
    let changed = function.update_config(InvokeConfigChange { on_failure, ..Default::default() }).unwrap();
    assert_eq!(changed.on_failure.unwrap().arn(), "arn:aws:sqs:us-east-1:000000000000:told");
    // What a put does not name is gone.
    function.put_config(InvokeConfig { maximum_retry_attempts: Some(2), ..Default::default() }).unwrap();
    let config = function.get_config().unwrap();
    assert!(config.maximum_event_age.is_none() && config.on_success.is_none() && config.on_failure.is_none());
    function.delete_config().unwrap();
    assert!(function.get_config().is_err());
}

// L17
#[tokio::test(start_paused = true)]
async fn what_cannot_be_configured_is_refused_in_the_words_of_lambda() {
    let world = World::new().await;
    let function = world.working("orders").await.start().await.unwrap();
    let none = "The function arn:aws:lambda:us-east-1:000000000000:function:orders:$LATEST doesn't have an EventInvokeConfig";
    assert_refused(function.get_config(), none);
    assert_refused(function.delete_config(), none);
    assert_refused(function.update_config(InvokeConfigChange::default()), none);
    let empty = "You must specify at least one of error handling or destination setting.";
    assert_refused(function.put_config(InvokeConfig::default()), empty);
    let own = FunctionDestination::new((*function).clone());
    let config = InvokeConfig { on_success: Some(own), ..Default::default() };
    assert_refused(
        function.put_config(config),
        "You can't specify the function as a destination for itself.",
    );
    // A function whose name only begins like this one's is another.
    let other = world.working("orders-2").await.start().await.unwrap();
    let other = FunctionDestination::new((*other).clone());
    function.put_config(InvokeConfig { on_success: Some(other), ..Default::default() }).unwrap();
    let config = InvokeConfig { maximum_retry_attempts: Some(3), ..Default::default() };
    assert_refused(function.put_config(config), "maximum_retry_attempts is 3: must be between 0 and 2");
    for age in [Duration::from_millis(59_999), Duration::from_millis(21_600_001)] {
        let config = InvokeConfig { maximum_event_age: Some(age), ..Default::default() };
        let expected = format!("maximum_event_age is {age:?}: must be between 60s and 21600s");
        assert_refused(function.put_config(config), &expected);
    }
    for age in [60, 21_600] {
        let config = InvokeConfig { maximum_event_age: Some(secs(age)), ..Default::default() };
        function.put_config(config).unwrap();
    }
    // A store of objects is told of failures only.
    let stores = || Some(Arc::new(Broken(DestinationKind::Objects, "arn:aws:s3:::b")) as Arc<_>);
    let config = InvokeConfig { on_success: stores(), ..Default::default() };
    let expected = "on_success is arn:aws:s3:::b: an object store is told of failures only";
    assert_refused(function.put_config(config), expected);
    function.put_config(InvokeConfig { on_failure: stores(), ..Default::default() }).unwrap();
}

// L16
#[tokio::test(start_paused = true)]
async fn fifo_queues_and_topics_are_no_destinations() {
    let world = World::new().await;
    let queue = Arc::new(world.broker.queue("told.fifo").fifo().await.unwrap());
    let topic = Arc::new(world.broker.topic("told.fifo").fifo().await.unwrap());
    let standard = Arc::new(world.broker.topic("told").await.unwrap());
    assert!(QueueDestination::new(queue.clone()).is_err());
    assert!(TopicDestination::new(topic.clone()).is_err());
    assert!(DeadLetterTarget::queue(queue).is_err());
    assert!(DeadLetterTarget::topic(topic).is_err());
    TopicDestination::new(standard.clone()).unwrap();
    DeadLetterTarget::topic(standard).unwrap();
}

// L3, and what else a function is built with.
#[tokio::test(start_paused = true)]
async fn a_function_that_cannot_run_is_not_started() {
    let world = World::new().await;
    let events = world.queue("events").await;
    let new = |name: &str| AsyncFunction::new(name, events.clone(), echo());
    for timeout in [Duration::ZERO, Duration::from_millis(900_001)] {
        let expected = format!("timeout is {timeout:?}: must be between 1ms and 900s");
        assert_refused(new("orders").timeout(timeout).start().await, &expected);
    }
    new("orders").timeout(secs(900)).start().await.unwrap();
    for name in ["", "a/b", "..", "a:b", &"x".repeat(65)] {
        assert!(new(name).start().await.is_err(), "{name}");
        assert!(new("orders").qualifier(name, "1").start().await.is_err(), "{name}");
    }
    assert_refused(new("orders").parallel(0).start().await, "parallel is 0: must be at least 1");
    let fifo = world.broker.queue("events.fifo").fifo().await.unwrap();
    let expected = "queue is events.fifo: events wait in a standard queue";
    assert_refused(AsyncFunction::new("orders", fifo, echo()).start().await, expected);
    let redriven = world.broker.queue("redriven").dead_letter("events", 3).await.unwrap();
    assert!(AsyncFunction::new("orders", redriven, echo()).start().await.is_err());
    let config = InvokeConfig { maximum_retry_attempts: Some(3), ..Default::default() };
    assert!(new("orders").config(config).start().await.is_err());
}

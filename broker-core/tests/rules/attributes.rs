//! Queue attributes: the table of A2, and rules Q1 to Q4.

use std::time::Duration;

use broker_core::{
    Error, QueueAttributes, QueueCounters, QueueSettings, RedriveAllowPolicy, RedrivePolicy,
    storage::Durability,
};

use crate::support::{World, advance, assert_invalid, counts, ms, poll, refusal, secs, take};

/// Q1, Q2: everything at once, each with its type.
async fn a_fresh_queue_has_the_defaults_of_sqs(world: World) {
    let (_broker, queue) = world.queue().await;
    let described = queue.attributes().await.unwrap();
    let expected = QueueAttributes {
        name: "orders".into(),
        visibility_timeout: secs(30),
        delay: Duration::ZERO,
        retention: secs(345_600),
        max_message_size: 1_048_576,
        receive_wait_time: Duration::ZERO,
        durability: Durability::Synced,
        created_at: described.created_at,
        last_modified_at: described.created_at,
        tags: std::collections::BTreeMap::new(),
        counters: QueueCounters { visible: 0, in_flight: 0, delayed: 0 },
        redrive_policy: RedrivePolicy::None,
        redrive_allow_policy: RedriveAllowPolicy::AllowAll,
        fifo: None,
    };
    assert_eq!(described, expected);
    assert!(described.created_at.as_millis() > 1_600_000_000_000);
}

/// The name of a setting, values that are taken, values that are refused as they are shown, and the limit named.
type Edges = (&'static str, Vec<QueueSettings>, Vec<(QueueSettings, String)>, &'static str);

/// The edges of each setting: accepted at both ends, refused just outside and far outside.
fn edges() -> Vec<Edges> {
    let durations = |set: fn(Duration) -> QueueSettings, min: Duration, max: Duration| {
        let mut outside = vec![max + ms(1), max + Duration::from_nanos(1), Duration::MAX];
        outside.extend(min.checked_sub(Duration::from_nanos(1)));
        outside.extend((!min.is_zero()).then_some(Duration::ZERO));
        let refused = outside.into_iter().map(|value| (set(value), format!("{value:?}"))).collect();
        (vec![set(min), set(max)], refused)
    };
    let new = QueueSettings::new;
    let (visibility, no_visibility) =
        durations(|d| QueueSettings::new().visibility_timeout(d), Duration::ZERO, secs(43_200));
    let (delay, no_delay) = durations(|d| QueueSettings::new().delay(d), Duration::ZERO, secs(900));
    let (retention, no_retention) =
        durations(|d| QueueSettings::new().retention(d), secs(60), secs(1_209_600));
    let (wait, no_wait) = durations(|d| QueueSettings::new().receive_wait_time(d), Duration::ZERO, secs(20));
    let sizes = [0, 1023, 1_048_577, usize::MAX];
    let no_sizes = sizes.map(|size| (new().max_message_size(size), size.to_string()));
    vec![
        ("visibility_timeout", visibility, no_visibility, "between 0ns and 43200s"),
        ("delay", delay, no_delay, "between 0ns and 900s"),
        ("retention", retention, no_retention, "between 60s and 1209600s"),
        ("receive_wait_time", wait, no_wait, "between 0ns and 20s"),
        (
            "max_message_size",
            vec![new().max_message_size(1024), new().max_message_size(1_048_576)],
            no_sizes.into(),
            "between 1024 and 1048576 bytes",
        ),
    ]
}

/// The table of A2: the range of each attribute.
async fn each_setting_is_taken_up_to_its_limits_and_refused_beyond(world: World) {
    let (broker, queue) = world.queue().await;
    for (field, taken, refused, limit) in edges() {
        for settings in taken {
            queue.set_attributes(settings.clone()).await.unwrap();
            broker.queue("orders").settings(settings).await.expect("the same as it has now");
        }
        for (settings, value) in refused {
            let error = refusal(&queue, queue.set_attributes(settings.clone())).await;
            assert_invalid(&error, field, &value, limit);
            let error = broker.queue("other").settings(settings).await.unwrap_err();
            assert_invalid(&error, field, &value, limit);
        }
    }
    assert_eq!(broker.list_queues(""), ["orders"]);
}

/// Q4: a change with one bad value changes nothing, one without changes what it names and applies at once.
async fn a_change_applies_at_once_and_as_a_whole(world: World) {
    let (broker, queue) = world.queue().await;
    let before = queue.attributes().await.unwrap();
    let bad = QueueSettings::new().visibility_timeout(secs(1)).delay(secs(901));
    let error = refusal(&queue, queue.set_attributes(bad)).await;
    assert_invalid(&error, "delay", "901s", "900s");

    advance(secs(7)).await;
    let change = QueueSettings::new().visibility_timeout(secs(1)).retention(secs(61));
    queue.set_attributes(change).await.unwrap();
    let after = queue.attributes().await.unwrap();
    assert_eq!(after.last_modified_at.since(before.last_modified_at), secs(7));
    let expected = QueueAttributes {
        visibility_timeout: secs(1),
        retention: secs(61),
        last_modified_at: after.last_modified_at,
        ..before
    };
    assert_eq!(after, expected);

    queue.send("m").await.unwrap();
    take(&queue).await;
    advance(ms(999)).await;
    assert!(poll(&queue, 1).await.is_empty());
    advance(ms(1)).await;
    take(&queue).await;
    let (_broker, queue) = world.reopened(broker).await;
    let reopened = queue.attributes().await.unwrap();
    let counters = QueueCounters { visible: 0, in_flight: 1, delayed: 0 };
    assert_eq!(reopened, QueueAttributes { counters, ..expected });
}

/// The table of A2: on a standard queue a new delay does not reach messages that were sent before.
async fn a_new_delay_is_not_retroactive(world: World) {
    let (_broker, queue) = world.queue().await;
    queue.set_attributes(QueueSettings::new().delay(secs(10))).await.unwrap();
    queue.send("slow").await.unwrap();
    queue.set_attributes(QueueSettings::new().delay(secs(1))).await.unwrap();
    queue.send("fast").await.unwrap();
    queue.set_attributes(QueueSettings::new().delay(secs(900))).await.unwrap();
    assert_eq!(counts(&queue).await, [0, 0, 2]);
    advance(secs(1)).await;
    assert_eq!(take(&queue).await.text(), Ok("fast"));
    advance(secs(9) - ms(1)).await;
    assert!(poll(&queue, 1).await.is_empty());
    advance(ms(1)).await;
    assert_eq!(take(&queue).await.text(), Ok("slow"));
}

/// A new visibility timeout is for receives to come.
async fn a_new_visibility_timeout_leaves_messages_in_flight_alone(world: World) {
    let (_broker, queue) = world.queue().await;
    queue.send("m").await.unwrap();
    take(&queue).await;
    queue.set_attributes(QueueSettings::new().visibility_timeout(Duration::ZERO)).await.unwrap();
    advance(secs(30) - ms(1)).await;
    assert!(poll(&queue, 1).await.is_empty());
    advance(ms(1)).await;
    take(&queue).await;
    assert_eq!(take(&queue).await.receive_count, 3);
}

/// Q21: a lowered maximum is for sends to come.
async fn a_lowered_maximum_size_leaves_larger_messages_deliverable(world: World) {
    let (broker, queue) = world.queue().await;
    queue.send("x".repeat(2000)).await.unwrap();
    queue.set_attributes(QueueSettings::new().max_message_size(1024)).await.unwrap();
    let error = refusal(&queue, queue.send("x".repeat(1025))).await;
    assert!(matches!(error, Error::MessageTooLong { bytes: 1025, max: 1024 }));
    queue.send("x".repeat(1024)).await.unwrap();
    let (_broker, queue) = world.reopened(broker).await;
    let sizes: Vec<_> = poll(&queue, 10).await.iter().map(|message| message.body.len()).collect();
    assert_eq!(sizes, [2000, 1024]);
}

everywhere! {
    a_fresh_queue_has_the_defaults_of_sqs,
    each_setting_is_taken_up_to_its_limits_and_refused_beyond,
    a_change_applies_at_once_and_as_a_whole,
    a_new_delay_is_not_retroactive,
    a_new_visibility_timeout_leaves_messages_in_flight_alone,
    a_lowered_maximum_size_leaves_larger_messages_deliverable,
}

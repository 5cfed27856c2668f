//! What cannot be delivered, and where it goes then (N54 to N56, IT5).

use broker_core::{AttributeValue, DeliveryOutcome, DeliveryPolicy, Endpoint, PublishMessage};

use crate::{
    support::{World, assert_invalid, counts, later, secs, settle_down, take},
    topic_support::{Log, bodies, counters, drain, envelope, fifo, refused},
};

/// N54: a client error is final, at once and whatever the policy is.
async fn a_client_error_is_not_retried(world: World) {
    let (broker, topic) = world.news().await;
    let dead = broker.queue("dead").await.unwrap();
    let with = topic.subscribe(Endpoint::handler("with")).dead_letter("dead").raw_delivery(true);
    let with = with.await.unwrap().id;
    let without = topic.subscribe(Endpoint::handler("without")).await.unwrap().id;
    let log = Log::new();
    let refuses = || log.answering(|_| DeliveryOutcome::ClientError("410 gone".into()));
    let _attached =
        [topic.attach(with, refuses()).await.unwrap(), topic.attach(without, refuses()).await.unwrap()];
    topic.publish("m").await.unwrap();
    tokio::time::sleep(secs(1_000)).await;
    assert_eq!(log.times(), [0, 0], "one attempt each");
    let seen = counters(&topic, with).await;
    assert_eq!((seen.dead_lettered, seen.dropped, seen.waiting, seen.delivered), (1, 0, 0, 0));
    let seen = counters(&topic, without).await;
    assert_eq!((seen.dead_lettered, seen.dropped, seen.waiting, seen.delivered), (0, 1, 0, 0));
    let message = take(&dead).await;
    assert_eq!(message.text(), Ok("m"));
    let why = message.dead_letter.unwrap();
    assert_eq!((why.reason.as_deref(), why.receive_count), (Some("410 gone"), 1));
}

/// N54, N55: a server error is final when all retries are used up.
async fn what_keeps_failing_is_given_up_after_its_last_retry(world: World) {
    let (broker, topic) = world.news().await;
    let dead = broker.queue("dead").await.unwrap();
    let policy = DeliveryPolicy::http();
    let subscribing = topic.subscribe(Endpoint::handler("h")).delivery_policy(policy).dead_letter("dead");
    let id = subscribing.raw_delivery(true).await.unwrap().id;
    let log = Log::new();
    let handler = log.answering(|message| Err::<(), _>(format!("failure {}", message.attempt)));
    let _attached = topic.attach(id, handler).await.unwrap();
    let begin = world.now();
    let published = topic.publish("m").await.unwrap();
    tokio::time::sleep(secs(59)).await;
    assert_eq!((counts(&dead).await, log.times().len()), ([0, 0, 0], 3));
    tokio::time::sleep(secs(2)).await;
    assert_eq!(log.times().len(), 4);
    let message = take(&dead).await;
    assert_eq!((message.id, message.text()), (published.id, Ok("m")));
    let why = message.dead_letter.unwrap();
    assert_eq!((why.source.as_str(), why.receive_count), ("news", 4));
    assert_eq!(why.reason.as_deref(), Some("failure 4"));
    assert_eq!((why.first_received_at, why.last_received_at, why.moved_at), {
        let end = later(begin, 60);
        (begin, end, end)
    });
    assert_eq!(counters(&topic, id).await.dead_lettered, 1);
}

/// N54, N56: a queue that is missing, too small for the message or for its envelope.
async fn what_a_queue_cannot_take_is_moved_in_the_commit_of_the_publish(world: World) {
    let (broker, topic) = world.news().await;
    let dead = broker.queue("dead").await.unwrap();
    let small = broker.queue("small").max_message_size(1_024).await.unwrap();
    let raw = topic.subscribe(&small).raw_delivery(true).dead_letter("dead").await.unwrap().id;
    let gone = topic.subscribe(Endpoint::queue("gone")).dead_letter("dead").await.unwrap().id;
    let published = topic.publish("x".repeat(1_024)).await.unwrap();
    assert_eq!(counts(&small).await, [1, 0, 0]);
    let lost = take(&dead).await;
    assert_eq!(
        (lost.id, envelope(&lost)["MessageId"].as_str().unwrap().to_owned()),
        (published.id, published.id.to_string())
    );
    let why = lost.dead_letter.unwrap();
    assert_eq!((why.source.as_str(), why.receive_count), ("news", 0));
    assert_eq!(why.reason.as_deref(), Some("the queue \"gone\" does not exist"));
    topic.unsubscribe(gone).await.unwrap();
    topic
        .publish(PublishMessage::new("x".repeat(1_015)).attribute("abc", AttributeValue::number(1)))
        .await
        .unwrap();
    let lost = take(&dead).await;
    assert_eq!((lost.body.len(), lost.attributes.len()), (1_015, 1));
    assert_eq!(lost.dead_letter.unwrap().reason.as_deref(), Some("1025 bytes, the queue takes at most 1024"));
    let seen = counters(&topic, raw).await;
    assert_eq!((seen.delivered, seen.dead_lettered), (1, 1));
    topic.unsubscribe(raw).await.unwrap();
    topic.subscribe(&small).dead_letter("dead").await.unwrap();
    topic.publish("y".repeat(1_000)).await.unwrap();
    let lost = envelope(&take(&dead).await);
    assert_eq!(lost["Message"].as_str().unwrap().len(), 1_000, "its envelope was too large");
}

/// N54: then there is nowhere to go, and once there is, the next message goes there.
async fn a_dead_letter_queue_need_not_exist_and_is_found_by_its_name(world: World) {
    let (broker, topic) = world.news().await;
    let subscribing = topic.subscribe(Endpoint::queue("gone")).dead_letter("dead").raw_delivery(true);
    let queue = subscribing.await.unwrap().id;
    let handler =
        topic.subscribe(Endpoint::handler("h")).dead_letter("dead").raw_delivery(true).await.unwrap().id;
    let log = Log::new();
    let refuses = log.answering(|_| DeliveryOutcome::ClientError("no".into()));
    let _attached = topic.attach(handler, refuses).await.unwrap();
    let publish = async |body: &str| {
        topic.publish(body).await.unwrap();
        tokio::time::sleep(secs(1)).await;
    };
    publish("lost").await;
    let dead = broker.queue("dead").await.unwrap();
    publish("kept").await;
    assert_eq!(bodies(&dead).await, ["kept", "kept"]);
    broker.delete_queue("dead").await.unwrap();
    publish("lost too").await;
    let dead = broker.queue("dead").await.unwrap();
    assert_eq!(counts(&dead).await, [0, 0, 0]);
    for id in [queue, handler] {
        let seen = counters(&topic, id).await;
        assert_eq!((seen.dropped, seen.dead_lettered, seen.delivered), (2, 1, 0));
    }
}

/// IT1: the queue and the dead-letter queue may be one; a message is in it once.
async fn a_queue_that_is_its_own_dead_letter_queue_has_each_message_once(world: World) {
    let (broker, topic) = world.news().await;
    let queue = broker.queue("q").max_message_size(1_024).await.unwrap();
    topic.subscribe(&queue).raw_delivery(true).dead_letter("q").await.unwrap();
    topic.subscribe(Endpoint::queue("gone")).raw_delivery(true).dead_letter("q").await.unwrap();
    topic.publish("m").await.unwrap();
    let mut found = drain(&queue).await;
    found.sort_by_key(|message| message.dead_letter.is_some());
    assert_eq!(found.iter().map(|message| message.text().unwrap()).collect::<Vec<_>>(), ["m", "m"]);
    assert!(found[0].dead_letter.is_none() && found[1].dead_letter.is_some());
}

/// N55.
async fn the_dead_letter_queue_is_of_the_type_of_the_subscription(world: World) {
    let (broker, standard) = world.news().await;
    let ordered = broker.topic("a.fifo").fifo().await.unwrap();
    let error = refused(ordered.subscribe(Endpoint::queue("q.fifo")).dead_letter("dead")).await;
    assert_invalid(&error, "dead_letter", "dead", "must use a FIFO queue as DLQ");
    ordered.subscribe(Endpoint::queue("q.fifo")).dead_letter("dead.fifo").await.unwrap();
    for (topic, endpoint) in [
        (&ordered, Endpoint::queue("q")),
        (&standard, Endpoint::queue("q")),
        (&standard, Endpoint::handler("h")),
        (&standard, Endpoint::push("lambda", "q.fifo")),
    ] {
        let error = refused(topic.subscribe(endpoint.clone()).dead_letter("dead.fifo")).await;
        assert_invalid(&error, "dead_letter", "dead.fifo", "must be a standard queue");
        topic.subscribe(endpoint).dead_letter("dead").await.unwrap();
    }
    for name in [" ", "a b", "https://dead", &"x".repeat(81)] {
        let error = refused(standard.subscribe(Endpoint::handler("new")).dead_letter(name)).await;
        assert_invalid(&error, "name", name, "1 to 80");
    }
    let id = ordered.subscriptions().await.unwrap()[0].id;
    let change = broker_core::SubscriptionSettings::new().dead_letter("dead");
    assert_invalid(
        &refused(ordered.set_subscription(id, &change)).await,
        "dead_letter",
        "dead",
        "FIFO queue",
    );
    assert_eq!(ordered.subscription(id).await.unwrap().dead_letter.as_deref(), Some("dead.fifo"));
}

/// N56: exactly what would have been delivered.
async fn a_dead_letter_is_what_would_have_been_delivered(world: World) {
    let (broker, topic) = world.news().await;
    let message =
        PublishMessage::structured(r#"{"default": "all", "sqs": "queues", "lambda": "lambda"}"#).unwrap();
    let message = message.subject("s").attribute("a", AttributeValue::binary(vec![0])).group_id("g");
    for (endpoint, body) in [
        (Endpoint::queue("gone"), "queues"),
        (Endpoint::handler("h"), "all"),
        (Endpoint::push("lambda", "f"), "lambda"),
    ] {
        for raw in [true, false] {
            let name = format!("{}-{raw}", endpoint.protocol());
            let dead = broker.queue(&name).await.unwrap();
            let reference = broker.queue("reference").await.unwrap();
            let subscribed =
                topic.subscribe(endpoint.clone()).raw_delivery(raw).dead_letter(&name).await.unwrap();
            let alive = topic.subscribe(&reference).raw_delivery(raw).await.unwrap().id;
            if endpoint.protocol() == "sqs" {
                topic.publish(message.clone()).await.unwrap();
            } else {
                let refuses = Log::new().answering(|_| DeliveryOutcome::ClientError("no".into()));
                let attached = topic.attach(subscribed.id, refuses).await.unwrap();
                topic.publish(message.clone()).await.unwrap();
                tokio::time::sleep(secs(1)).await;
                attached.stop().await;
            }
            let (dead, alive_message) = (take(&dead).await, take(&reference).await);
            assert_eq!(dead.attributes, alive_message.attributes, "{name}");
            assert_eq!(dead.group_id, alive_message.group_id, "{name}");
            if raw {
                assert_eq!(dead.text(), Ok(body), "{name}");
            } else {
                let (mut dead, mut expected) = (envelope(&dead), envelope(&alive_message));
                assert_eq!(dead["Message"], body, "{name}");
                dead["Message"].take();
                expected["Message"].take();
                assert_eq!(dead, expected, "{name}");
            }
            topic.unsubscribe(subscribed.id).await.unwrap();
            topic.unsubscribe(alive).await.unwrap();
            broker.delete_queue("reference").await.unwrap();
            settle_down().await;
        }
    }
}

/// N56, N82: group, id and order are kept, and what follows is not held up.
async fn a_fifo_dead_letter_keeps_group_and_id_and_order(world: World) {
    let broker = world.broker().await;
    let topic = broker.topic("a.fifo").fifo().await.unwrap();
    let dead = broker.queue("dead.fifo").fifo().await.unwrap();
    topic.subscribe(Endpoint::queue("q.fifo")).raw_delivery(true).dead_letter("dead.fifo").await.unwrap();
    let mut lost = Vec::new();
    for body in ["a1", "b1", "a2", "a3"] {
        lost.push(topic.publish(fifo(body)).await.unwrap().id);
    }
    let queue = broker.queue("q.fifo").fifo().await.unwrap();
    topic.publish(fifo("a4")).await.unwrap();
    assert_eq!(bodies(&queue).await, ["a4"]);
    let (broker, dead) = {
        drop((topic, queue, dead));
        let broker = world.open_again(broker).await;
        let dead = broker.open_queue("dead.fifo").await.unwrap();
        (broker, dead)
    };
    let found = drain(&dead).await;
    for message in &found {
        let body = message.text().unwrap();
        assert_eq!(message.deduplication_id.as_deref(), Some(body));
        assert_eq!(message.group_id.as_deref(), Some(&body[..1]));
        assert!(lost.contains(&message.id));
    }
    let of = |group: &str| -> Vec<_> {
        let texts = found.iter().map(|message| message.text().unwrap());
        texts.filter(|text| text.starts_with(group)).collect()
    };
    assert_eq!((of("a"), of("b")), (vec!["a1", "a2", "a3"], vec!["b1"]));
    drop(broker);
}

/// IT5: who can take a message gets it, whatever becomes of the others.
async fn a_subscriber_that_cannot_take_a_message_takes_it_from_nobody(world: World) {
    let (broker, topic) = world.news().await;
    let good = [broker.queue("good-1").await.unwrap(), broker.queue("good-2").await.unwrap()];
    broker.queue("deleted").await.unwrap();
    broker.queue("small").max_message_size(1_024).await.unwrap();
    let names = ["good-1", "deleted", "missing", "small", "good-2"];
    for name in names {
        topic.subscribe(Endpoint::queue(name)).raw_delivery(true).await.unwrap();
    }
    broker.delete_queue("deleted").await.unwrap();
    topic.publish("x".repeat(2_000)).await.unwrap();
    for queue in &good {
        assert_eq!(take(queue).await.body.len(), 2_000);
    }
    let dropped: Vec<_> =
        topic.subscriptions().await.unwrap().iter().map(|one| one.counters.dropped).collect();
    assert_eq!(dropped, [0, 1, 1, 1, 0]);
}

everywhere! {
    a_client_error_is_not_retried,
    what_keeps_failing_is_given_up_after_its_last_retry,
    what_a_queue_cannot_take_is_moved_in_the_commit_of_the_publish,
    a_dead_letter_queue_need_not_exist_and_is_found_by_its_name,
    a_queue_that_is_its_own_dead_letter_queue_has_each_message_once,
    the_dead_letter_queue_is_of_the_type_of_the_subscription,
    a_dead_letter_is_what_would_have_been_delivered,
    a_fifo_dead_letter_keeps_group_and_id_and_order,
    a_subscriber_that_cannot_take_a_message_takes_it_from_nobody,
}

//! Creating, finding, listing, deleting, purging and tagging queues: rules Q5 to Q10.

use aws_sdk_sqs::types::QueueAttributeName as Name;
use broker_core::Limits;

use crate::support::{INVALID, MISSING, advance, refusal, secs, world, world_and_queue, world_with};

// Q6
#[tokio::test(start_paused = true)]
async fn a_queue_is_created_once_and_opened_after_that() {
    let world = world().await;
    let create = || world.sqs.create_queue().queue_name("orders");
    let with = |name, value: &str| create().attributes(name, value).send();
    let first = with(Name::VisibilityTimeout, "60").await.unwrap();
    assert_eq!(first.queue_url(), Some("http://localhost/000000000000/orders"));
    assert_eq!(create().send().await.unwrap().queue_url, first.queue_url);
    assert_eq!(with(Name::VisibilityTimeout, "60").await.unwrap().queue_url, first.queue_url);
    let differs = refusal(with(Name::VisibilityTimeout, "61").await);
    let told =
        "A queue already exists with the same name and a different value for attribute VisibilityTimeout";
    differs.is(400, "QueueAlreadyExists", told);
    let typed = with(Name::Policy, r#"{"Statement":[]}"#).await.unwrap_err().into_service_error();
    assert!(typed.is_queue_name_exists(), "{typed:?}");
    // Read-only ones are not compared.
    with(Name::QueueArn, "arn:aws:sqs:us-east-1:000000000000:other").await.unwrap();
    // Those of now count.
    let set = world.sqs.set_queue_attributes().queue_url(first.queue_url.unwrap());
    set.attributes(Name::VisibilityTimeout, "61").send().await.unwrap();
    with(Name::VisibilityTimeout, "61").await.unwrap();
}

// Q6
#[tokio::test(start_paused = true)]
async fn attributes_without_a_place_in_the_broker_are_compared_too() {
    let world = world().await;
    let create = |key: &str| {
        let create = world.sqs.create_queue().queue_name("orders");
        create.attributes(Name::KmsMasterKeyId, key).send()
    };
    create("alias/one").await.unwrap();
    create("alias/one").await.unwrap();
    refusal(create("alias/two").await).says("QueueAlreadyExists", "KmsMasterKeyId");
}

// Q5
#[tokio::test(start_paused = true)]
async fn names_are_those_of_sqs() {
    let world = world().await;
    let create = |name: &str| world.sqs.create_queue().queue_name(name);
    create(&"n".repeat(80)).send().await.unwrap();
    for bad in ["", "no space", "no/slash", "dot.", &"n".repeat(81)] {
        refusal(create(bad).send().await).says(INVALID, "alphanumeric characters, hyphens, or underscores");
    }
    refusal(create("a.fifo").send().await).says(INVALID, "FIFO queue");
    let fifo = |name| create(name).attributes(Name::FifoQueue, "true").send();
    refusal(fifo("a").await).says(INVALID, "must end with .fifo suffix");
    fifo("a.fifo").await.unwrap();
}

// Q7
#[tokio::test(start_paused = true)]
async fn a_deleted_queue_does_not_exist() {
    let (world, url) = world_and_queue("orders").await;
    world.sqs.delete_queue().queue_url(&url).send().await.unwrap();
    let error = refusal(world.sqs.delete_queue().queue_url(&url).send().await);
    error.is(400, "AWS.SimpleQueueService.NonExistentQueue", "The specified queue does not exist.");
    let typed = world.sqs.send_message().queue_url(&url).message_body("a").send().await.unwrap_err();
    assert!(typed.into_service_error().is_queue_does_not_exist());
    let typed = world.sqs.get_queue_url().queue_name("orders").send().await.unwrap_err();
    assert!(typed.into_service_error().is_queue_does_not_exist());
}

// Q7
#[tokio::test(start_paused = true)]
async fn a_name_is_free_again_60_seconds_after_a_deletion() {
    let world = world_with(Limits::aws_with_waits()).await;
    let url = world.aws.queue("orders").await.unwrap();
    world.sqs.delete_queue().queue_url(&url).send().await.unwrap();
    let create = || world.sqs.create_queue().queue_name("orders").send();
    let error = create().await.unwrap_err();
    assert!(error.as_service_error().unwrap().is_queue_deleted_recently());
    refusal(Err::<(), _>(error)).says("AWS.SimpleQueueService.QueueDeletedRecently", "60 seconds");
    advance(secs(60)).await;
    create().await.unwrap();
}

// Q8
#[tokio::test(start_paused = true)]
async fn a_purge_empties_and_another_within_60_seconds_is_refused() {
    let world = world_with(Limits::aws_with_waits()).await;
    let url = world.aws.queue("orders").await.unwrap();
    for body in ["a", "b"] {
        world.send(&url, body).await;
    }
    world.receipt(&url).await;
    let purge = || world.sqs.purge_queue().queue_url(&url).send();
    purge().await.unwrap();
    assert_eq!(world.counts(&url).await, ["0", "0", "0"]);
    let error = purge().await.unwrap_err();
    assert!(error.as_service_error().unwrap().is_purge_queue_in_progress());
    let told = "Only one PurgeQueue operation on orders is allowed every 60 seconds.";
    refusal(Err::<(), _>(error)).is(403, "AWS.SimpleQueueService.PurgeQueueInProgress", told);
    advance(secs(60)).await;
    purge().await.unwrap();
}

// Q9
#[tokio::test(start_paused = true)]
async fn queues_are_listed_by_prefix_and_in_pages() {
    let world = world().await;
    let list = || world.sqs.list_queues();
    assert_eq!(list().send().await.unwrap().queue_urls, None, "no key at all");
    for name in ["a-1", "a-2", "a-3", "b"] {
        world.aws.queue(name).await.unwrap();
    }
    let names = |urls: &[String]| -> Vec<String> {
        urls.iter().map(|url| url.rsplit('/').next().unwrap().to_owned()).collect()
    };
    let all = list().send().await.unwrap();
    assert_eq!((names(all.queue_urls()).len(), all.next_token()), (4, None));
    let first = list().queue_name_prefix("a-").max_results(2).send().await.unwrap();
    assert_eq!(names(first.queue_urls()), ["a-1", "a-2"]);
    let rest = list().queue_name_prefix("a-").max_results(2).set_next_token(first.next_token);
    let rest = rest.send().await.unwrap();
    assert_eq!((names(rest.queue_urls()), rest.next_token()), (vec!["a-3".to_owned()], None));
    assert_eq!(list().queue_name_prefix("c").send().await.unwrap().queue_urls, None);
    refusal(list().max_results(0).send().await).says(INVALID, "between 1 and 1000");
    refusal(list().max_results(1_001).send().await).says(INVALID, "between 1 and 1000");
    refusal(list().max_results(2).next_token("%").send().await).says(INVALID, "next token");
    refusal(list().next_token("YQ").send().await).says(INVALID, "MaxResults is a mandatory parameter");
}

// Q9
#[tokio::test(start_paused = true)]
async fn who_asks_for_no_pages_gets_a_thousand_queues_and_no_token() {
    let world = world().await;
    for number in 0..1_001 {
        world.aws.queue(&format!("q-{number}")).await.unwrap();
    }
    let all = world.sqs.list_queues().send().await.unwrap();
    assert_eq!((all.queue_urls().len(), all.next_token()), (1_000, None));
    let page = world.sqs.list_queues().max_results(1_000).send().await.unwrap();
    assert_eq!((page.queue_urls().len(), page.next_token().is_some()), (1_000, true));
}

// Q7
#[tokio::test(start_paused = true)]
async fn a_queue_of_another_owner_does_not_exist() {
    let (world, url) = world_and_queue("orders").await;
    let of = |owner| world.sqs.get_queue_url().queue_name("orders").queue_owner_aws_account_id(owner).send();
    assert_eq!(of("000000000000").await.unwrap().queue_url, Some(url));
    let told = "The specified queue does not exist.";
    refusal(of("111111111111").await).is(400, "AWS.SimpleQueueService.NonExistentQueue", told);
}

// Q10
#[tokio::test(start_paused = true)]
async fn queues_have_tags() {
    let world = world().await;
    let created = world.sqs.create_queue().queue_name("orders").tags("team", "a").send().await.unwrap();
    let url = created.queue_url.unwrap();
    world.sqs.tag_queue().queue_url(&url).tags("team", "b").tags("empty", "").send().await.unwrap();
    let list = || world.sqs.list_queue_tags().queue_url(&url).send();
    let tags = list().await.unwrap().tags.unwrap();
    assert_eq!((tags.len(), tags["team"].as_str(), tags["empty"].as_str()), (2, "b", ""));
    let untag =
        world.sqs.untag_queue().queue_url(&url).tag_keys("team").tag_keys("empty").tag_keys("missing");
    untag.send().await.unwrap();
    assert_eq!(list().await.unwrap().tags, None, "no key at all");
    let tags = (0..51).map(|n| (n.to_string(), "v".to_owned())).collect();
    let many = world.sqs.tag_queue().queue_url(&url).set_tags(Some(tags));
    refusal(many.send().await).says(INVALID, "at most 50");
}

// Q9
#[tokio::test(start_paused = true)]
async fn a_queue_is_found_by_its_name_or_its_url_and_nothing_else() {
    let (world, url) = world_and_queue("orders").await;
    let found = world.sqs.get_queue_url().queue_name("orders").send().await.unwrap();
    assert_eq!(found.queue_url, Some(url.clone()));
    world.send("orders", "by its name").await;
    world.send("https://sqs.us-east-1.amazonaws.com/000000000000/orders", "by another host").await;
    assert_eq!(world.counts(&url).await, ["2", "0", "0"]);
    let purge = |url: &str| world.sqs.purge_queue().queue_url(url).send();
    refusal(purge("http://localhost/orders").await).says("InvalidAddress", "is not valid for this endpoint");
    refusal(world.sqs.purge_queue().send().await).is(
        400,
        MISSING,
        "The request must contain the parameter QueueUrl.",
    );
}

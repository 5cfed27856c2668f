//! Realms: what is in one account and region is in no other, and what is in one broker in no other.

use aws_sdk_sqs::Client;
use broker_aws::{Realm, Service};
use broker_core::Broker;

use crate::support::{ask_json, refusal, world, world_and_queue};

#[tokio::test(start_paused = true)]
async fn two_clients_of_one_broker_see_each_other_and_the_program_sees_both() {
    let (world, url) = world_and_queue("orders").await;
    let other = Client::new(&world.aws.config());
    world.send(&url, "a").await;
    let received = other.receive_message().queue_url(&url).send().await.unwrap();
    assert_eq!(received.messages()[0].body(), Some("a"));
    let queue = world.aws.broker().open_queue("orders").await.unwrap();
    assert_eq!(queue.counters().await.unwrap().in_flight, 1);
    queue.send("b").await.unwrap();
    assert_eq!(world.receive(&url, 1).await[0].body(), Some("b"));
}

#[tokio::test(start_paused = true)]
async fn two_brokers_never_see_each_other() {
    let ((one, url), two) = (world_and_queue("orders").await, world().await);
    one.send(&url, "a").await;
    assert_eq!(two.sqs.list_queues().send().await.unwrap().queue_urls, None);
    let missing = two.sqs.receive_message().queue_url(&url).send().await.unwrap_err();
    assert!(missing.into_service_error().is_queue_does_not_exist());
}

#[tokio::test(start_paused = true)]
async fn accounts_and_regions_do_not_leak_into_each_other() {
    let (world, url) = world_and_queue("orders").await;
    for (account, region) in [("111111111111", "us-east-1"), ("000000000000", "eu-west-1")] {
        let realm = Realm::new(account, region).unwrap();
        let there = Client::new(&world.aws.config_in(&realm));
        assert_eq!(there.list_queues().send().await.unwrap().queue_urls, None, "{realm}");
        let send = |url: &str| there.send_message().queue_url(url).message_body("a").send();
        let missing = refusal(send(&url).await);
        missing.is(400, "AWS.SimpleQueueService.NonExistentQueue", "The specified queue does not exist.");
        let owner = there.get_queue_url().queue_name("orders").queue_owner_aws_account_id("222222222222");
        assert!(owner.send().await.unwrap_err().into_service_error().is_queue_does_not_exist());
        let created = there.create_queue().queue_name("orders").send().await.unwrap().queue_url.unwrap();
        assert_eq!(created, format!("http://localhost/{account}/orders"));
        send(&created).await.unwrap();
        let arn = there.get_queue_attributes().queue_url(&created).attribute_names("QueueArn".into());
        let arn = arn.send().await.unwrap().attributes.unwrap().into_values().next();
        assert_eq!(arn, Some(format!("arn:aws:sqs:{region}:{account}:orders")));
    }
    assert_eq!(world.counts(&url).await, ["0", "0", "0"]);
}

#[tokio::test(start_paused = true)]
async fn a_service_over_one_broker_refuses_other_realms() {
    let broker = Broker::open(broker_mem::MemStorage::new()).await.unwrap();
    let service = Service::new(broker);
    assert_eq!(ask_json(&service, "ListQueues", "{}").await.status, 200);
    let signed = |credential: &str| {
        let signature = format!("AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=0");
        let request = http::Request::post("http://localhost/").header("authorization", signature);
        let request = request.header("x-amz-target", "AmazonSQS.ListQueues");
        request.body(bytes::Bytes::from_static(b"{}")).unwrap()
    };
    let there = service.handle(signed("AKIA/20261126/eu-west-1/sqs/aws4_request")).await;
    assert_eq!(there.status(), 400);
    assert_eq!(there.headers()["x-amzn-query-error"], "InvalidClientTokenId;Sender");
    let home = service.handle(signed("AKIA/20261126/us-east-1/sqs/aws4_request")).await;
    assert_eq!(home.status(), 200);
}

//! The account: limits and settings.

use aws_sdk_kinesis::types::{
    MinimumThroughputBillingCommitmentInput, MinimumThroughputBillingCommitmentInputStatus as Input,
    MinimumThroughputBillingCommitmentOutputStatus as Output,
};

use crate::support::{ask_json, world};

/// K60: how many streams are on demand, and how many may be on AWS.
#[tokio::test(start_paused = true)]
async fn k60_limits_are_described() {
    let world = world("bound", 3).await;
    world.kinesis.create_stream().stream_name("free").send().await.unwrap();
    let limits = world.kinesis.describe_limits().send().await.unwrap();
    assert_eq!((limits.open_shard_count, limits.on_demand_stream_count), (7, 1));
    assert_eq!((limits.shard_limit, limits.on_demand_stream_count_limit), (10_000, 50));
}

#[tokio::test(start_paused = true)]
async fn account_settings_are_kept() {
    let world = world("clicks", 1).await;
    let status = async || {
        let settings = world.kinesis.describe_account_settings().send().await.unwrap();
        settings.minimum_throughput_billing_commitment.unwrap()
    };
    assert_eq!(status().await.status, Output::Disabled);
    let enabled = MinimumThroughputBillingCommitmentInput::builder().status(Input::Enabled).build().unwrap();
    let update = world.kinesis.update_account_settings().minimum_throughput_billing_commitment(enabled);
    update.send().await.unwrap();
    assert_eq!(status().await.status, Output::Enabled);
    assert!(status().await.started_at.is_some());
    let (code, refused) = ask_json(world.aws.service(), "UpdateAccountSettings", serde_json::json!({})).await;
    assert_eq!((code, refused["__type"].as_str()), (400, Some("ValidationException")));
}

/// What is none of the operations, and what is not JSON, gets the errors of the protocol.
#[tokio::test(start_paused = true)]
async fn requests_that_make_no_sense_are_refused() {
    let world = world("clicks", 1).await;
    let service = world.aws.service();
    let (status, refused) = ask_json(service, "CreateChannel", serde_json::json!({})).await;
    assert_eq!((status, refused["__type"].as_str()), (400, Some("UnknownOperationException")));
    let deep = [vec![b'['; 100_000], vec![b']'; 100_000]].concat();
    for body in [&b"{"[..], b"[]", b"\xff", br#"{"StreamName": 7}"#, br#"{"Limit": 99999999999}"#, &deep] {
        let body = body.to_vec();
        let asked = crate::support::ask(service, "DescribeStream", "application/x-amz-json-1.1", body).await;
        let told: serde_json::Value = serde_json::from_slice(&asked.1).unwrap();
        assert_eq!((asked.0, told["__type"].as_str()), (400, Some("SerializationException")));
    }
}

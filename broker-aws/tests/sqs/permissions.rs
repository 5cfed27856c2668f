//! Permissions: rule Q11.

use serde_json::{Value, json};

use crate::support::{INVALID, MISSING, World, refusal, world_and_queue};

async fn policy(world: &World, url: &str) -> Option<Value> {
    let attributes = world.attributes(url).await;
    attributes.get("Policy").map(|policy| serde_json::from_str(policy).unwrap())
}

// Q11
#[tokio::test(start_paused = true)]
async fn permissions_are_statements_of_the_policy() {
    let (world, url) = world_and_queue("orders").await;
    let add = |label: &str| {
        let add = world.sqs.add_permission().queue_url(&url).label(label);
        add.aws_account_ids("111111111111").actions("SendMessage")
    };
    add("one").send().await.unwrap();
    let arn = "arn:aws:sqs:us-east-1:000000000000:orders";
    let statement = json!({
        "Sid": "one",
        "Effect": "Allow",
        "Principal": { "AWS": "arn:aws:iam::111111111111:root" },
        "Action": "SQS:SendMessage",
        "Resource": arn,
    });
    let expected = json!({
        "Version": "2008-10-17",
        "Id": format!("{arn}/SQSDefaultPolicy"),
        "Statement": [statement],
    });
    assert_eq!(policy(&world, &url).await, Some(expected));
    add("two").aws_account_ids("222222222222").actions("*").send().await.unwrap();
    let two = &policy(&world, &url).await.unwrap()["Statement"][1];
    assert_eq!(two["Action"], json!(["SQS:SendMessage", "SQS:*"]));
    assert_eq!(two["Principal"]["AWS"].as_array().map(Vec::len), Some(2));
    let again = refusal(add("one").send().await);
    again.is(400, INVALID, "Value one for parameter Label is invalid. Reason: Already exists.");
    let remove = |label: &str| world.sqs.remove_permission().queue_url(&url).label(label).send();
    let unknown = refusal(remove("three").await);
    unknown.is(400, INVALID, "Value three for parameter Label is invalid. Reason: can't find label.");
    remove("one").await.unwrap();
    remove("two").await.unwrap();
    assert_eq!(policy(&world, &url).await, None);
}

// Q11
#[tokio::test(start_paused = true)]
async fn permissions_have_limits() {
    let (world, url) = world_and_queue("orders").await;
    let add = |label: &str| world.sqs.add_permission().queue_url(&url).label(label);
    let grant = |label: &str| add(label).aws_account_ids("111111111111").actions("ReceiveMessage");
    refusal(grant(&"l".repeat(81)).send().await).says(INVALID, "parameter Label");
    refusal(add("l").actions("SendMessage").send().await).says(MISSING, "AWSAccountIds");
    refusal(add("l").aws_account_ids("111111111111").send().await).says(MISSING, "Actions");
    refusal(grant("l").aws_account_ids("me").send().await).says(INVALID, "12 digits");
    let owner = refusal(grant("l").actions("CreateQueue").send().await);
    owner.says(INVALID, "Only the queue owner is allowed to invoke this action.");
    let actions = std::iter::repeat_n("SendMessage".to_owned(), 8).collect();
    let many = grant("l").set_actions(Some(actions)).send().await.unwrap_err();
    assert!(many.as_service_error().unwrap().is_over_limit());
    refusal(Err::<(), _>(many)).is(403, "OverLimit", "8 Actions were found, maximum allowed is 7.");
    for label in 0..20 {
        grant(&label.to_string()).send().await.unwrap();
    }
    refusal(grant("more").send().await).says("OverLimit", "maximum allowed is 20");
}

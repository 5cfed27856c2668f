//! Policies of access and of data protection, which are kept and shown (N5).

use serde_json::{Value, json};

use crate::support::{Aws, invalid, refusal, topic_arn};

async fn policy(aws: &Aws, topic: &str) -> Value {
    let got = aws.sns.get_topic_attributes().topic_arn(topic).send().await.unwrap();
    serde_json::from_str(&got.attributes().unwrap()["Policy"]).unwrap()
}

// N5
#[tokio::test(start_paused = true)]
async fn permissions_are_statements_of_the_policy() {
    let aws = Aws::start().await;
    let topic = aws.topic("news").await;
    let default = policy(&aws, &topic).await;
    assert_eq!(default["Statement"][0]["Sid"], "__default_statement_ID");
    let add = |label: &str, action: &str| {
        let add = aws.sns.add_permission().topic_arn(&topic).label(label);
        add.aws_account_id("111122223333").action_name(action).send()
    };
    add("theirs", "Publish").await.unwrap();
    let expected = json!({
        "Sid": "theirs",
        "Effect": "Allow",
        "Principal": { "AWS": "arn:aws:iam::111122223333:root" },
        "Action": "SNS:Publish",
        "Resource": topic,
    });
    assert_eq!(policy(&aws, &topic).await["Statement"][1], expected);
    assert_eq!(invalid(add("theirs", "Publish").await), "Invalid parameter: Statement already exists");
    let told = "Invalid parameter: Policy statement action out of service scope!";
    assert_eq!(invalid(add("more", "Fly").await), told);
    for _ in 0..2 {
        aws.sns.remove_permission().topic_arn(&topic).label("theirs").send().await.unwrap();
    }
    assert_eq!(policy(&aws, &topic).await, default);
}

// N5
#[tokio::test(start_paused = true)]
async fn a_topic_that_does_not_exist_has_no_permissions() {
    let aws = Aws::start().await;
    let missing = topic_arn("missing");
    let add =
        aws.sns.add_permission().topic_arn(&missing).label("l").aws_account_id("1").action_name("Publish");
    assert_eq!(refusal(add.send().await).0, "NotFound");
    let remove = aws.sns.remove_permission().topic_arn(&missing).label("l").send().await;
    assert_eq!(refusal(remove).0, "NotFound");
}

// N5
#[tokio::test(start_paused = true)]
async fn a_data_protection_policy_is_kept() {
    let aws = Aws::start().await;
    let created = aws.sns.create_topic().name("news").data_protection_policy(r#"{"Name": "a"}"#).send().await;
    let topic = created.unwrap().topic_arn.unwrap();
    let get = || aws.sns.get_data_protection_policy().resource_arn(&topic).send();
    assert_eq!(get().await.unwrap().data_protection_policy(), Some(r#"{"Name": "a"}"#));
    let put = |text: &str| {
        aws.sns.put_data_protection_policy().resource_arn(&topic).data_protection_policy(text).send()
    };
    put(r#"{"Name": "b"}"#).await.unwrap();
    assert_eq!(get().await.unwrap().data_protection_policy(), Some(r#"{"Name": "b"}"#));
    assert!(
        invalid(put("{").await).starts_with("Invalid parameter: DataProtectionPolicy: failed to parse JSON.")
    );
    let missing = aws.sns.get_data_protection_policy().resource_arn(topic_arn("missing")).send().await;
    assert_eq!(refusal(missing).0, "NotFound");
    // It is no attribute.
    let attributes = aws.sns.get_topic_attributes().topic_arn(&topic).send().await.unwrap();
    assert_eq!(attributes.attributes().unwrap().get("DataProtectionPolicy"), None);
}

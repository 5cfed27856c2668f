//! The tags of topics (N6).

use aws_sdk_sns::types::Tag;

use crate::support::{Aws, invalid, refusal, topic_arn};

fn tag(key: &str, value: &str) -> Tag {
    Tag::builder().key(key).value(value).build().unwrap()
}

async fn tags(aws: &Aws, topic: &str) -> Vec<Tag> {
    let listed = aws.sns.list_tags_for_resource().resource_arn(topic).send().await.unwrap();
    listed.tags().to_vec()
}

// N6
#[tokio::test(start_paused = true)]
async fn tags_are_added_replaced_removed_and_listed() {
    let aws = Aws::start().await;
    let created = aws.sns.create_topic().name("news").tags(tag("k1", "v1")).tags(tag("k2", "")).send().await;
    let topic = created.unwrap().topic_arn.unwrap();
    assert_eq!(tags(&aws, &topic).await, [tag("k1", "v1"), tag("k2", "")]);
    aws.sns.tag_resource().resource_arn(&topic).tags(tag("k2", "v2b")).send().await.unwrap();
    aws.sns.untag_resource().resource_arn(&topic).tag_keys("k1").tag_keys("none").send().await.unwrap();
    assert_eq!(tags(&aws, &topic).await, [tag("k2", "v2b")]);
}

// N6
#[tokio::test(start_paused = true)]
async fn too_many_and_duplicate_tags_are_refused() {
    let aws = Aws::start().await;
    let topic = aws.topic("news").await;
    let duplicate = aws.sns.tag_resource().resource_arn(&topic).tags(tag("k", "a")).tags(tag("k", "b"));
    let told = "Invalid parameter: Duplicated keys are not allowed.";
    assert_eq!(invalid(duplicate.send().await), told);
    let created = aws.sns.create_topic().name("other").tags(tag("k", "a")).tags(tag("k", "b")).send().await;
    assert_eq!(invalid(created), told);
    let many = (0..51).map(|number| tag(&format!("k{number}"), "v")).collect();
    let refused = aws.sns.tag_resource().resource_arn(&topic).set_tags(Some(many)).send().await;
    assert!(refused.as_ref().unwrap_err().as_service_error().unwrap().is_tag_limit_exceeded_exception());
    assert_eq!(refusal(refused).0, "TagLimitExceeded");
    assert_eq!(tags(&aws, &topic).await, []);
}

// N6
#[tokio::test(start_paused = true)]
async fn what_does_not_exist_has_no_tags() {
    let aws = Aws::start().await;
    let missing = topic_arn("missing");
    let listed = aws.sns.list_tags_for_resource().resource_arn(&missing).send().await;
    assert!(listed.as_ref().unwrap_err().as_service_error().unwrap().is_resource_not_found_exception());
    assert_eq!(refusal(listed), ("ResourceNotFound".into(), "Resource does not exist".into(), 404));
    let tagged = aws.sns.tag_resource().resource_arn(&missing).tags(tag("k", "v")).send().await;
    assert_eq!(refusal(tagged).0, "ResourceNotFound");
    let untagged = aws.sns.untag_resource().resource_arn(&missing).tag_keys("k").send().await;
    assert_eq!(refusal(untagged).0, "ResourceNotFound");
}

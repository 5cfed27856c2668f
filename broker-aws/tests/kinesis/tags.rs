//! Tags and resource policies.

use crate::support::{INVALID, MISSING, NOT_VALID, refusal, stream_arn, world};

/// K90: tags of streams.
#[tokio::test(start_paused = true)]
async fn k90_a_stream_has_tags() {
    let world = world("clicks", 1).await;
    let kinesis = &world.kinesis;
    let add = |key: &str| kinesis.add_tags_to_stream().stream_name("clicks").tags(key, "1").send();
    for key in ["c", "a", "b"] {
        add(key).await.unwrap();
    }
    let list = |after: Option<&str>, limit| {
        let list = kinesis.list_tags_for_stream().stream_name("clicks").set_limit(limit);
        list.set_exclusive_start_tag_key(after.map(str::to_owned)).send()
    };
    let first = list(None, Some(2)).await.unwrap();
    assert_eq!(first.tags.iter().map(|tag| tag.key.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    assert!(first.has_more_tags);
    let second = list(Some("b"), None).await.unwrap();
    assert_eq!((second.tags[0].key.as_str(), second.has_more_tags), ("c", false));
    kinesis.remove_tags_from_stream().stream_name("clicks").tag_keys("a").send().await.unwrap();
    assert_eq!(list(None, None).await.unwrap().tags.len(), 2);
    refusal(add(&"k".repeat(129)).await).says(NOT_VALID, "less than or equal to 128");
    refusal(list(None, Some(51)).await).says(NOT_VALID, "less than or equal to 50");
    let gone = kinesis.add_tags_to_stream().stream_name("orders").tags("a", "1").send().await;
    assert!(gone.unwrap_err().as_service_error().unwrap().is_resource_not_found_exception());
}

/// K90: the same operations for streams and consumers, by their ARNs.
#[tokio::test(start_paused = true)]
async fn k90_resources_have_tags() {
    let world = world("clicks", 1).await;
    let kinesis = &world.kinesis;
    let register =
        kinesis.register_stream_consumer().stream_arn(stream_arn("clicks")).consumer_name("billing");
    let consumer = register.tags("team", "money").send().await.unwrap().consumer.unwrap().consumer_arn;
    for arn in [&stream_arn("clicks"), &consumer] {
        kinesis.tag_resource().resource_arn(arn).tags("a", "1").tags("b", "2").send().await.unwrap();
        kinesis.untag_resource().resource_arn(arn).tag_keys("a").send().await.unwrap();
        let tags = kinesis.list_tags_for_resource().resource_arn(arn).send().await.unwrap();
        assert_eq!(tags.tags()[0].key, "b");
    }
    let tags = kinesis.list_tags_for_resource().resource_arn(&consumer).send().await.unwrap();
    assert_eq!(tags.tags()[1].key, "team");
    // It has two.
    let more = (0..48).map(|n| (n.to_string(), String::new())).collect();
    kinesis.tag_resource().resource_arn(&consumer).set_tags(Some(more)).send().await.unwrap();
    let one_more = kinesis.tag_resource().resource_arn(&consumer).tags("one more", "").send().await;
    refusal(one_more).says(INVALID, "no more than 50");
    let gone = kinesis.list_tags_for_resource().resource_arn(format!("{consumer}0")).send().await;
    refusal(gone).says(MISSING, "Consumer");
    refusal(kinesis.list_tags_for_resource().resource_arn("x").send().await).says(INVALID, "not the ARN");
}

/// K90: policies are kept for streams and consumers.
#[tokio::test(start_paused = true)]
async fn k90_resources_have_a_policy() {
    let world = world("clicks", 1).await;
    let kinesis = &world.kinesis;
    let register =
        kinesis.register_stream_consumer().stream_arn(stream_arn("clicks")).consumer_name("billing");
    let consumer = register.send().await.unwrap().consumer.unwrap().consumer_arn;
    let policy = r#"{"Version":"2012-10-17","Statement":[]}"#;
    for arn in [&stream_arn("clicks"), &consumer] {
        let get = || kinesis.get_resource_policy().resource_arn(arn).send();
        let delete = || kinesis.delete_resource_policy().resource_arn(arn).send();
        let put = |policy: &str| kinesis.put_resource_policy().resource_arn(arn).policy(policy).send();
        assert_eq!(get().await.unwrap().policy, "{}");
        put(policy).await.unwrap();
        assert_eq!(get().await.unwrap().policy, policy);
        refusal(put("no json").await).says(INVALID, "JSON");
        refusal(put(&format!("{{\"a\": \"{}\"}}", "x".repeat(20_480))).await).says(INVALID, "20480");
        delete().await.unwrap();
        refusal(delete().await).says(MISSING, "No resource policy");
    }
}

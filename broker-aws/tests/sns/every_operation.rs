//! Every operation of the service model with the SDK: it succeeds, and it is refused with an error of its own type.

use aws_sdk_sns::{
    Client,
    operation::{
        add_permission::AddPermissionError, confirm_subscription::ConfirmSubscriptionError,
        create_topic::CreateTopicError, delete_topic::DeleteTopicError,
        get_data_protection_policy::GetDataProtectionPolicyError,
        get_subscription_attributes::GetSubscriptionAttributesError,
        get_topic_attributes::GetTopicAttributesError, list_subscriptions::ListSubscriptionsError,
        list_subscriptions_by_topic::ListSubscriptionsByTopicError,
        list_tags_for_resource::ListTagsForResourceError, list_topics::ListTopicsError,
        publish::PublishError, publish_batch::PublishBatchError,
        put_data_protection_policy::PutDataProtectionPolicyError, remove_permission::RemovePermissionError,
        set_subscription_attributes::SetSubscriptionAttributesError,
        set_topic_attributes::SetTopicAttributesError, subscribe::SubscribeError,
        tag_resource::TagResourceError, unsubscribe::UnsubscribeError, untag_resource::UntagResourceError,
    },
    types::{PublishBatchRequestEntry, Tag},
};

use crate::{
    operations::Called,
    support::{Aws, Endpoint, topic_arn},
};

const MODEL: &str = include_str!("../models/sns.json");
/// Those of phones and apps, which are refused by name.
const NOT_BUILT: [&str; 21] = [
    "CheckIfPhoneNumberIsOptedOut",
    "CreatePlatformApplication",
    "CreatePlatformEndpoint",
    "CreateSMSSandboxPhoneNumber",
    "DeleteEndpoint",
    "DeletePlatformApplication",
    "DeleteSMSSandboxPhoneNumber",
    "GetEndpointAttributes",
    "GetPlatformApplicationAttributes",
    "GetSMSAttributes",
    "GetSMSSandboxAccountStatus",
    "ListEndpointsByPlatformApplication",
    "ListOriginationNumbers",
    "ListPhoneNumbersOptedOut",
    "ListPlatformApplications",
    "ListSMSSandboxPhoneNumbers",
    "OptInPhoneNumber",
    "SetEndpointAttributes",
    "SetPlatformApplicationAttributes",
    "SetSMSAttributes",
    "VerifySMSSandboxPhoneNumber",
];

fn entry(id: &str) -> PublishBatchRequestEntry {
    PublishBatchRequestEntry::builder().id(id).message("m").build().unwrap()
}

fn tag() -> Tag {
    Tag::builder().key("team").value("web").build().unwrap()
}

#[tokio::test(start_paused = true)]
async fn every_operation_succeeds() {
    let endpoint = Endpoint::new();
    let aws = Aws::with_endpoint(&endpoint).await;
    let mut called = Called::default();
    let topic = called.ok(aws.sns.create_topic().name("news").send().await).topic_arn.unwrap();
    topics_succeed(&aws.sns, &topic, &mut called).await;
    subscriptions_succeed(&aws, &topic, &endpoint, &mut called).await;
    called.ok(aws.sns.publish().topic_arn(&topic).message("m").send().await);
    let batch = aws.sns.publish_batch().topic_arn(&topic).publish_batch_request_entries(entry("1"));
    assert_eq!(called.ok(batch.send().await).successful().len(), 1);
    called.ok(aws.sns.delete_topic().topic_arn(&topic).send().await);
    called.assert_all(MODEL, &NOT_BUILT);
}

async fn topics_succeed(sns: &Client, topic: &str, called: &mut Called) {
    assert_eq!(called.ok(sns.list_topics().send().await).topics().len(), 1);
    let set = sns.set_topic_attributes().topic_arn(topic).attribute_name("DisplayName");
    called.ok(set.attribute_value("News").send().await);
    let got = called.ok(sns.get_topic_attributes().topic_arn(topic).send().await);
    assert_eq!(got.attributes.unwrap()["DisplayName"], "News");
    called.ok(sns.tag_resource().resource_arn(topic).tags(tag()).send().await);
    let tags = called.ok(sns.list_tags_for_resource().resource_arn(topic).send().await);
    assert_eq!(tags.tags(), [tag()]);
    called.ok(sns.untag_resource().resource_arn(topic).tag_keys("team").send().await);
    let permit = sns.add_permission().topic_arn(topic).label("all").aws_account_id("111111111111");
    called.ok(permit.action_name("Publish").send().await);
    called.ok(sns.remove_permission().topic_arn(topic).label("all").send().await);
    let policy = r#"{"Name": "p", "Version": "2021-06-01", "Statement": []}"#;
    let put = sns.put_data_protection_policy().resource_arn(topic).data_protection_policy(policy);
    called.ok(put.send().await);
    let got = called.ok(sns.get_data_protection_policy().resource_arn(topic).send().await);
    assert_eq!(got.data_protection_policy(), Some(policy));
}

async fn subscriptions_succeed(aws: &Aws, topic: &str, endpoint: &Endpoint, called: &mut Called) {
    let sns = &aws.sns;
    let hook = sns.subscribe().topic_arn(topic).protocol("http").endpoint("http://hooks.example.com/");
    called.ok(hook.send().await);
    let token = endpoint.after(1).await[0].json()["Token"].as_str().unwrap().to_owned();
    let confirmed = sns.confirm_subscription().topic_arn(topic).token(token).send().await;
    let subscription = called.ok(confirmed).subscription_arn.unwrap();
    let set = sns.set_subscription_attributes().subscription_arn(&subscription);
    called.ok(set.attribute_name("RawMessageDelivery").attribute_value("true").send().await);
    let got = sns.get_subscription_attributes().subscription_arn(&subscription).send().await;
    assert_eq!(called.ok(got).attributes.unwrap()["RawMessageDelivery"], "true");
    assert_eq!(called.ok(sns.list_subscriptions().send().await).subscriptions().len(), 1);
    let of_topic = called.ok(sns.list_subscriptions_by_topic().topic_arn(topic).send().await);
    assert_eq!(of_topic.subscriptions()[0].subscription_arn(), Some(subscription.as_str()));
    called.ok(sns.unsubscribe().subscription_arn(&subscription).send().await);
}

#[tokio::test(start_paused = true)]
async fn every_operation_is_refused_with_an_error_of_its_own_type() {
    let aws = Aws::start().await;
    let mut called = Called::default();
    topics_refuse(&aws.sns, &topic_arn("gone"), &mut called).await;
    subscriptions_refuse(&aws.sns, &topic_arn("gone"), &mut called).await;
    let sns = &aws.sns;
    let publish = sns.publish().topic_arn(topic_arn("gone")).message("m").send().await;
    called.refused(publish, PublishError::is_not_found_exception);
    let topic = aws.topic("news").await;
    let batch = sns.publish_batch().topic_arn(topic).publish_batch_request_entries(entry("1"));
    let batch = batch.publish_batch_request_entries(entry("1")).send().await;
    called.refused(batch, PublishBatchError::is_batch_entry_ids_not_distinct_exception);
    called.assert_all(MODEL, &NOT_BUILT);
}

/// Whoever asks for a phone is told that there are none.
#[tokio::test(start_paused = true)]
async fn operations_of_phones_and_apps_are_refused_by_name() {
    let aws = Aws::start().await;
    let mut called = Called::default();
    called.refused_as(aws.sns.get_sms_attributes().send().await, "InvalidAction");
    called.refused_as(aws.sns.list_platform_applications().send().await, "InvalidAction");
    for name in NOT_BUILT {
        let (status, told) =
            aws.get(&format!("http://sns.localhost/?Action={name}&Version=2010-03-31")).await;
        assert_eq!(status, 400, "{told}");
        assert!(told.contains(&format!("The action {name} is not available")), "{told}");
    }
}

async fn topics_refuse(sns: &Client, gone: &str, called: &mut Called) {
    let create = sns.create_topic().name("not a name").send().await;
    called.refused(create, CreateTopicError::is_invalid_parameter_exception);
    let delete = sns.delete_topic().topic_arn("news").send().await;
    called.refused(delete, DeleteTopicError::is_invalid_parameter_exception);
    let list = sns.list_topics().next_token("x").send().await;
    called.refused(list, ListTopicsError::is_invalid_parameter_exception);
    let set = sns.set_topic_attributes().topic_arn(gone).attribute_name("DisplayName");
    called.refused(set.attribute_value("x").send().await, SetTopicAttributesError::is_not_found_exception);
    let get = sns.get_topic_attributes().topic_arn(gone).send().await;
    called.refused(get, GetTopicAttributesError::is_not_found_exception);
    let tag = sns.tag_resource().resource_arn(gone).tags(tag()).send().await;
    called.refused(tag, TagResourceError::is_resource_not_found_exception);
    let untag = sns.untag_resource().resource_arn(gone).tag_keys("team").send().await;
    called.refused(untag, UntagResourceError::is_resource_not_found_exception);
    let tags = sns.list_tags_for_resource().resource_arn(gone).send().await;
    called.refused(tags, ListTagsForResourceError::is_resource_not_found_exception);
    let permit = sns.add_permission().topic_arn(gone).label("all").aws_account_id("111111111111");
    called.refused(permit.action_name("Publish").send().await, AddPermissionError::is_not_found_exception);
    let remove = sns.remove_permission().topic_arn(gone).label("all").send().await;
    called.refused(remove, RemovePermissionError::is_not_found_exception);
    let put = sns.put_data_protection_policy().resource_arn(gone).data_protection_policy("{}").send().await;
    called.refused(put, PutDataProtectionPolicyError::is_not_found_exception);
    let get = sns.get_data_protection_policy().resource_arn(gone).send().await;
    called.refused(get, GetDataProtectionPolicyError::is_not_found_exception);
}

async fn subscriptions_refuse(sns: &Client, gone: &str, called: &mut Called) {
    let subscribe = sns.subscribe().topic_arn(gone).protocol("sqs").endpoint(crate::support::queue_arn("q"));
    called.refused(subscribe.send().await, SubscribeError::is_not_found_exception);
    let confirm = sns.confirm_subscription().topic_arn(gone).token("x").send().await;
    called.refused(confirm, ConfirmSubscriptionError::is_invalid_parameter_exception);
    let subscription = format!("{gone}:00000000-0000-0000-0000-000000000000");
    let set = sns.set_subscription_attributes().subscription_arn(&subscription);
    let set = set.attribute_name("RawMessageDelivery").attribute_value("true").send().await;
    called.refused(set, SetSubscriptionAttributesError::is_not_found_exception);
    let get = sns.get_subscription_attributes().subscription_arn(&subscription).send().await;
    called.refused(get, GetSubscriptionAttributesError::is_not_found_exception);
    let list = sns.list_subscriptions().next_token("x").send().await;
    called.refused(list, ListSubscriptionsError::is_invalid_parameter_exception);
    let of_topic = sns.list_subscriptions_by_topic().topic_arn(gone).send().await;
    called.refused(of_topic, ListSubscriptionsByTopicError::is_not_found_exception);
    let unsubscribe = sns.unsubscribe().subscription_arn("x").send().await;
    called.refused(unsubscribe, UnsubscribeError::is_invalid_parameter_exception);
}

//! That no operation, no structure and no member of the service model is forgotten.

use super::*;
use crate::{
    model::{Model, fields_of},
    sns::{ON_PHONES, OPERATIONS},
};

fn model() -> Model {
    Model::read(include_str!("../../../tests/models/sns.json"))
}

#[test]
fn every_operation_of_the_model_is_answered_or_refused_by_name() {
    let mut ours: Vec<_> = OPERATIONS.into_iter().chain(ON_PHONES).collect();
    ours.sort_unstable();
    let model = model();
    assert_eq!(ours, model.operations.keys().collect::<Vec<_>>());
}

#[test]
fn every_structure_of_the_model_is_here_with_its_members() {
    let ours = [
        ("AddPermissionInput", fields_of::<AddPermissionInput>()),
        ("BatchResultErrorEntry", fields_of::<BatchResultErrorEntry>()),
        ("ConfirmSubscriptionInput", fields_of::<ConfirmSubscriptionInput>()),
        ("ConfirmSubscriptionResponse", fields_of::<SubscribeResponse>()),
        ("CreateTopicInput", fields_of::<CreateTopicInput>()),
        ("CreateTopicResponse", fields_of::<CreateTopicResponse>()),
        ("DeleteTopicInput", fields_of::<TopicInput>()),
        ("GetDataProtectionPolicyInput", fields_of::<ResourceInput>()),
        ("GetDataProtectionPolicyResponse", fields_of::<GetDataProtectionPolicyResponse>()),
        ("GetSubscriptionAttributesInput", fields_of::<SubscriptionInput>()),
        ("GetSubscriptionAttributesResponse", fields_of::<AttributesResponse>()),
        ("GetTopicAttributesInput", fields_of::<TopicInput>()),
        ("GetTopicAttributesResponse", fields_of::<AttributesResponse>()),
        ("ListSubscriptionsByTopicInput", fields_of::<ListSubscriptionsByTopicInput>()),
        ("ListSubscriptionsByTopicResponse", fields_of::<ListSubscriptionsResponse>()),
        ("ListSubscriptionsInput", fields_of::<ListInput>()),
        ("ListSubscriptionsResponse", fields_of::<ListSubscriptionsResponse>()),
        ("ListTagsForResourceRequest", fields_of::<ResourceInput>()),
        ("ListTagsForResourceResponse", fields_of::<ListTagsForResourceResponse>()),
        ("ListTopicsInput", fields_of::<ListInput>()),
        ("ListTopicsResponse", fields_of::<ListTopicsResponse>()),
        ("MessageAttributeValue", fields_of::<MessageAttributeValue>()),
        ("PublishBatchInput", fields_of::<PublishBatchInput>()),
        ("PublishBatchRequestEntry", fields_of::<PublishBatchRequestEntry>()),
        ("PublishBatchResponse", fields_of::<PublishBatchResponse>()),
        ("PublishBatchResultEntry", fields_of::<PublishBatchResultEntry>()),
        ("PublishInput", fields_of::<PublishInput>()),
        ("PublishResponse", fields_of::<PublishResponse>()),
        ("PutDataProtectionPolicyInput", fields_of::<PutDataProtectionPolicyInput>()),
        ("RemovePermissionInput", fields_of::<RemovePermissionInput>()),
        ("SetSubscriptionAttributesInput", fields_of::<SetSubscriptionAttributesInput>()),
        ("SetTopicAttributesInput", fields_of::<SetTopicAttributesInput>()),
        ("SubscribeInput", fields_of::<SubscribeInput>()),
        ("SubscribeResponse", fields_of::<SubscribeResponse>()),
        ("Subscription", fields_of::<Subscription>()),
        ("Tag", fields_of::<Tag>()),
        ("TagResourceRequest", fields_of::<TagResourceRequest>()),
        ("TagResourceResponse", fields_of::<TagResourceResponse>()),
        ("Topic", fields_of::<Topic>()),
        ("UnsubscribeInput", fields_of::<SubscriptionInput>()),
        ("UntagResourceRequest", fields_of::<UntagResourceRequest>()),
        ("UntagResourceResponse", fields_of::<TagResourceResponse>()),
    ];
    let mut model = model();
    // The rest is of operations that are refused by name.
    model.operations.retain(|name, _| OPERATIONS.contains(&name.as_str()));
    assert_eq!(model.complaints(&ours, &[]), [""; 0]);
}

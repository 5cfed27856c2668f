//! Tags and policies.

use super::{TagMap, Text, shapes, stream_inputs};

shapes! {
    Tag { "Key" key: String, "Value" value: String }
    ListTagsForStreamOutput { "Tags" tags: Vec<Tag>, "HasMoreTags" has_more: bool }
    /// Of `ListTagsForResource`, `GetResourcePolicy` and `DeleteResourcePolicy`.
    ResourceInput { "ResourceARN" arn: Text, "StreamId" stream_id: Text }
    TagResourceInput { "ResourceARN" arn: Text, "StreamId" stream_id: Text, "Tags" tags: Option<TagMap> }
    UntagResourceInput { "ResourceARN" arn: Text, "StreamId" stream_id: Text, "TagKeys" keys: Option<Vec<String>> }
    ListTagsOutput { "Tags" tags: Vec<Tag> }
    PutPolicyInput { "ResourceARN" arn: Text, "StreamId" stream_id: Text, "Policy" policy: Text }
    GetPolicyOutput { "Policy" policy: String }
}

stream_inputs! {
    AddTagsInput { "Tags" tags: Option<TagMap> }
    RemoveTagsInput { "TagKeys" keys: Option<Vec<String>> }
    ListTagsForStreamInput { "ExclusiveStartTagKey" after: Text, "Limit" limit: Option<i32> }
}

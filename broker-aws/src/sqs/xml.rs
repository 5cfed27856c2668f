//! How the XML of SQS spells lists and maps: one element for each item, without one around them.

/// The element of an item of this list or map. The name is that of the member in all but these.
pub(crate) fn element_name<'m>(operation: &str, member: &'m str) -> &'m str {
    match (operation, member) {
        (_, "Attributes") => "Attribute",
        (_, "MessageAttributes") => "MessageAttribute",
        (_, "Tags") => "Tag",
        (_, "QueueUrls" | "queueUrls") => "QueueUrl",
        (_, "Messages") => "Message",
        (_, "Failed") => "BatchResultErrorEntry",
        ("SendMessageBatch", "Successful") => "SendMessageBatchResultEntry",
        ("DeleteMessageBatch", "Successful") => "DeleteMessageBatchResultEntry",
        (_, "Successful") => "ChangeMessageVisibilityBatchResultEntry",
        (_, "Results") => "ListMessageMoveTasksResultEntry",
        (_, member) => member,
    }
}

/// Whether a member of an output is a map.
pub(crate) fn is_map(member: &str) -> bool {
    matches!(member, "Attributes" | "MessageAttributes" | "Tags")
}

/// The elements of key and value of an entry of this map.
pub(crate) fn entry_names(member: &str) -> (&'static str, &'static str) {
    if member == "Tags" { ("Key", "Value") } else { ("Name", "Value") }
}

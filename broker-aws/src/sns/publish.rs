//! Publishing (rules N20 to N25).

use broker_core::{Entries, EntryId, Error, Outcomes, PublishMessage, Published};

use super::{
    desk::Desk,
    errors, message_attributes,
    shapes::{
        BatchResultErrorEntry, MessageAttributeMap, PublishBatchInput, PublishBatchRequestEntry,
        PublishBatchResponse, PublishBatchResultEntry, PublishInput, PublishResponse,
    },
    topics::TOPIC_ARN,
};
use crate::wire::error::WireResult;

/// What a message says, wherever it came from.
struct Said {
    message: Option<String>,
    subject: Option<String>,
    structure: Option<String>,
    attributes: Option<MessageAttributeMap>,
    deduplication_id: Option<String>,
    group_id: Option<String>,
    /// In a batch: which entry it is, counted from one.
    entry: Option<usize>,
}

impl Said {
    /// The message for the broker, which checks the rest.
    fn read(self) -> WireResult<PublishMessage> {
        let message = self.message.unwrap_or_default();
        let attributes = message_attributes::read(self.attributes.unwrap_or_default(), self.entry)?;
        let structured = match self.structure.as_deref() {
            Some("json") => PublishMessage::structured(&message),
            Some(other) if !other.is_empty() => {
                return Err(errors::invalid(format!("MessageStructure Reason: Invalid value [{other}]")));
            }
            _ => Ok(PublishMessage::new(message)),
        };
        let read = structured.map_err(|error| errors::from_broker(&error))?;
        Ok(PublishMessage {
            subject: self.subject,
            attributes,
            group_id: self.group_id,
            deduplication_id: self.deduplication_id,
            ..read
        })
    }
}

pub(super) async fn publish(desk: &Desk, input: PublishInput) -> WireResult<PublishResponse> {
    if let Some(number) = &input.phone_number {
        return Err(errors::invalid(format!("PhoneNumber Reason: {number} is not valid to publish to")));
    }
    let arn = match (&input.topic_arn, &input.target_arn) {
        (None, None) => {
            return Err(errors::invalid("TopicArn or TargetArn Reason: no value for required parameter"));
        }
        (Some(_), Some(_)) => return Err(errors::invalid("TopicArn or TargetArn Reason: both were given")),
        (Some(arn), None) | (None, Some(arn)) => arn.clone(),
    };
    if input.message.as_deref().unwrap_or_default().is_empty() {
        return Err(errors::invalid("Empty message"));
    }
    let said = Said {
        message: input.message,
        subject: input.subject,
        structure: input.message_structure,
        attributes: input.message_attributes,
        deduplication_id: input.message_deduplication_id,
        group_id: input.message_group_id,
        entry: None,
    };
    let message = said.read()?;
    if input.target_arn.is_some() && arn.contains(":endpoint/") {
        return Err(errors::invalid("TargetArn Reason: No endpoint found for the target arn specified"));
    }
    let topic = desk.topic(Some(&arn), TOPIC_ARN).await?;
    desk.names.signer.ready().await;
    let published = topic.publish(message).await.map_err(|error| errors::from_broker(&error))?;
    let (message_id, sequence_number) = told(&published);
    Ok(PublishResponse { message_id, sequence_number })
}

fn told(published: &Published) -> (String, Option<String>) {
    (published.id.to_string(), published.sequence_number.map(|number| number.to_string()))
}

pub(super) async fn publish_batch(desk: &Desk, input: PublishBatchInput) -> WireResult<PublishBatchResponse> {
    let topic = desk.topic(input.topic_arn.as_deref(), TOPIC_ARN).await?;
    let given = input.publish_batch_request_entries.unwrap_or_default();
    check_ids(&given, desk.broker.limits().batch_entries_max)?;
    let mut entries = Entries::new();
    for (at, entry) in (1..).zip(given) {
        let id = entry.id.unwrap_or_default();
        let said = Said {
            message: entry.message,
            subject: entry.subject,
            structure: entry.message_structure,
            attributes: entry.message_attributes,
            deduplication_id: entry.message_deduplication_id,
            group_id: entry.message_group_id,
            entry: Some(at),
        };
        entries.push_named(id, said.read()?);
    }
    desk.names.signer.ready().await;
    let outcomes = topic.publish_batch(entries).await.map_err(|error| errors::from_broker(&error))?;
    Ok(answer(outcomes))
}

/// Refuses a batch for its size or the ids of its entries, before anything is said of what they hold.
fn check_ids(entries: &[PublishBatchRequestEntry], max: usize) -> WireResult<()> {
    if entries.len() > max {
        let error = Error::TooManyEntriesInBatch { count: entries.len(), max };
        return Err(errors::from_broker(&error));
    }
    match entries.iter().position(|entry| entry.id.is_none()) {
        Some(at) => Err(errors::missing(&format!("publishBatchRequestEntries.{}.member.id", at + 1))),
        None => Ok(()),
    }
}

fn answer(outcomes: Outcomes<Published>) -> PublishBatchResponse {
    let mut response = PublishBatchResponse::default();
    for (id, outcome) in outcomes.0 {
        let id = match id {
            EntryId::Named(id) => id,
            EntryId::Position(at) => at.to_string(),
        };
        match outcome {
            Ok(published) => {
                let (message_id, sequence_number) = told(&published);
                response.successful.push(PublishBatchResultEntry { id, message_id, sequence_number });
            }
            Err(error) => {
                let error = errors::from_broker(&error);
                response.failed.push(BatchResultErrorEntry {
                    id,
                    sender_fault: error.is_sender(),
                    code: error.code.into_owned(),
                    message: error.message,
                });
            }
        }
    }
    response
}

//! Move tasks (rules Q86 to Q89).

use base64::{Engine as _, engine::general_purpose::STANDARD};
use broker_core::{Error, MoveTask, MoveTaskHandle, MoveTaskInfo, MoveTaskStatus};
use serde::{Deserialize, Serialize};

use super::{
    errors,
    shapes::{
        CancelMessageMoveTaskRequest, CancelMessageMoveTaskResult, ListMessageMoveTasksRequest,
        ListMessageMoveTasksResult, ListMessageMoveTasksResultEntry, StartMessageMoveTaskRequest,
        StartMessageMoveTaskResult,
    },
    target,
};
use crate::{
    call::Context,
    wire::{
        arn::Arn,
        error::{WireError, WireResult},
    },
};

/// The most tasks in one answer.
const LISTED_MAX: usize = 10;

/// A handle, as clients have it: base64 of this as JSON.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Handle {
    task_id: String,
    source_arn: String,
}

pub(super) async fn start_message_move_task(
    context: &Context,
    input: StartMessageMoveTaskRequest,
) -> WireResult<StartMessageMoveTaskResult> {
    let source_arn = input.source_arn.ok_or_else(|| errors::missing("SourceArn"))?;
    let source = queue(context, "SourceArn", &source_arn).await?;
    let mut task = MoveTask::from(source);
    if let Some(arn) = &input.destination_arn {
        task = task.to(queue(context, "DestinationArn", arn).await?);
    }
    if let Some(rate) = input.max_number_of_messages_per_second {
        let reason = "Must be an integer between 1 and 500.";
        let refused = || errors::invalid_value("MaxNumberOfMessagesPerSecond", rate, reason);
        let checked = u32::try_from(rate).ok().filter(|rate| (1..=500).contains(rate));
        task = task.max_per_second(checked.ok_or_else(refused)?);
    }
    let started = context.broker.start_move_task(task).await;
    let handle = started.map_err(|error| errors::from_broker(&error))?;
    Ok(StartMessageMoveTaskResult { task_handle: shown(handle, &source_arn)? })
}

pub(super) async fn cancel_message_move_task(
    context: &Context,
    input: CancelMessageMoveTaskRequest,
) -> WireResult<CancelMessageMoveTaskResult> {
    let text = input.task_handle.ok_or_else(|| errors::missing("TaskHandle"))?;
    let bad = || errors::invalid("Value for parameter TaskHandle is invalid.");
    let decoded = STANDARD.decode(&text).map_err(|_| bad())?;
    let handle: Handle = serde_json::from_slice(&decoded).map_err(|_| bad())?;
    queue(context, "SourceArn", &handle.source_arn).await?;
    let unknown = || errors::no_such_resource("Task does not exist.");
    let task: MoveTaskHandle = handle.task_id.parse().map_err(|_| unknown())?;
    let moved = context.broker.cancel_move_task(&task).await.map_err(|error| match error {
        Error::InvalidParameter { .. } => unknown(),
        error => errors::from_broker(&error),
    })?;
    Ok(CancelMessageMoveTaskResult { approximate_number_of_messages_moved: moved })
}

pub(super) async fn list_message_move_tasks(
    context: &Context,
    input: ListMessageMoveTasksRequest,
) -> WireResult<ListMessageMoveTasksResult> {
    let source_arn = input.source_arn.ok_or_else(|| errors::missing("SourceArn"))?;
    let source = queue(context, "SourceArn", &source_arn).await?;
    let max = input.max_results.unwrap_or(1);
    let refused =
        || errors::invalid_value("MaxResults", max, "MaxResults must be an integer between 1 and 10.");
    let count = usize::try_from(max).ok().filter(|max| (1..=LISTED_MAX).contains(max)).ok_or_else(refused)?;
    let tasks = context.broker.list_move_tasks(&source, count).await;
    let tasks = tasks.map_err(|error| errors::from_broker(&error))?;
    let results = tasks.iter().map(|task| entry(context, &source_arn, task));
    Ok(ListMessageMoveTasksResult { results: results.collect::<WireResult<_>>()? })
}

fn entry(
    context: &Context,
    source_arn: &str,
    task: &MoveTaskInfo,
) -> WireResult<ListMessageMoveTasksResultEntry> {
    let status = match task.status {
        MoveTaskStatus::Running => "RUNNING",
        MoveTaskStatus::Completed => "COMPLETED",
        MoveTaskStatus::Cancelled => "CANCELLED",
        _ => "FAILED",
    };
    Ok(ListMessageMoveTasksResultEntry {
        task_handle: task.handle.map(|handle| shown(handle, source_arn)).transpose()?,
        status: status.to_owned(),
        source_arn: source_arn.to_owned(),
        destination_arn: task.destination.as_deref().map(|name| target::queue_arn(context, name)),
        max_number_of_messages_per_second: task.max_per_second,
        approximate_number_of_messages_moved: task.moved,
        approximate_number_of_messages_to_move: Some(task.to_move),
        failure_reason: task.failure().map(failure_reason),
        started_timestamp: task.started_at.as_millis(),
    })
}

/// Why a task failed: a code, if SQS has one for it.
fn failure_reason(reason: &str) -> String {
    if reason.contains("does not exist") {
        "AWS.SimpleQueueService.NonExistentQueue".to_owned()
    } else {
        reason.to_owned()
    }
}

fn shown(handle: MoveTaskHandle, source_arn: &str) -> WireResult<String> {
    let handle = Handle { task_id: handle.to_string(), source_arn: source_arn.to_owned() };
    let json = serde_json::to_vec(&handle).map_err(|error| WireError::internal(error.to_string()))?;
    Ok(STANDARD.encode(json))
}

/// The name of the queue that a parameter names, which must exist.
async fn queue(context: &Context, parameter: &str, arn: &str) -> WireResult<String> {
    if Arn::parse(arn).is_none_or(|arn| arn.service != "sqs") {
        let form = "arn:<partition>:<service>:<region>:<account-id>:<resource-id>";
        return Err(errors::invalid(format!("You must use this format to specify the {parameter}: {form}")));
    }
    let missing = || {
        let message = format!("The resource that you specified for the {parameter} parameter doesn't exist.");
        errors::no_such_resource(message)
    };
    let name = target::queue_of_arn(context, arn).ok_or_else(missing)?;
    match context.broker.open_queue(name).await {
        Ok(_) => Ok(name.to_owned()),
        Err(Error::QueueDoesNotExist { .. }) => Err(missing()),
        Err(error) => Err(errors::from_broker(&error)),
    }
}

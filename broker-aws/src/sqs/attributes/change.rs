//! From the strings of attributes to settings of the broker, and to what it has no place for.

use std::{ops::RangeInclusive, time::Duration};

use broker_core::{DeduplicationScope, Error, FifoThroughputLimit, QueueSettings};

use super::{is_known, redrive};
use crate::{
    call::Context,
    sqs::{errors, extras, shapes::Texts},
    wire::error::{WireError, WireResult},
};

/// What the attributes of a request change.
#[derive(Debug, Default)]
pub(in crate::sqs) struct Change {
    pub(in crate::sqs) settings: QueueSettings,
    pub(in crate::sqs) extras: Texts,
    /// The redrive policy as it was written.
    redrive_policy: String,
}

/// Attributes that nobody can set; SQS ignores them.
const READ_ONLY: [&str; 6] = [
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesDelayed",
    "ApproximateNumberOfMessagesNotVisible",
    "CreatedTimestamp",
    "LastModifiedTimestamp",
    "QueueArn",
];

/// Seconds of `KmsDataKeyReusePeriodSeconds`.
const KMS_REUSE_SECONDS: RangeInclusive<u64> = 60..=86_400;

impl Change {
    /// Of a queue about to be created.
    pub(in crate::sqs) fn for_new(context: &Context, attributes: Texts) -> WireResult<Self> {
        let fifo = match attributes.get("FifoQueue").map(|text| flag("FifoQueue", text)).transpose()? {
            Some(false) => return Err(errors::unknown_attribute("FifoQueue")),
            given => given.is_some(),
        };
        let mut change = Self::read(context, fifo, attributes)?;
        change.settings.fifo = fifo.then_some(true);
        Ok(change)
    }

    /// Of a queue that there is.
    pub(in crate::sqs) fn for_existing(context: &Context, fifo: bool, attributes: Texts) -> WireResult<Self> {
        match attributes.get("FifoQueue").map(|text| flag("FifoQueue", text)).transpose()? {
            Some(_) if !fifo => return Err(errors::unknown_attribute("FifoQueue")),
            Some(false) => {
                return Err(errors::invalid_attribute("FifoQueue", "Modifying queue type is not supported."));
            }
            _ => {}
        }
        Self::read(context, fifo, attributes)
    }

    fn read(context: &Context, fifo: bool, attributes: Texts) -> WireResult<Self> {
        if attributes.contains_key(extras::KMS_KEY) && attributes.contains_key(extras::MANAGED_SSE) {
            let message = "You can use one type of server-side encryption (SSE) at one time. You can either enable KMS SSE or \
                           SQS SSE.";
            return Err(WireError::sender("InvalidAttributeName", message));
        }
        let mut change = Self::default();
        for (name, value) in attributes {
            change.add(context, fifo, &name, value)?;
        }
        Ok(change)
    }

    fn add(&mut self, context: &Context, fifo: bool, name: &str, value: String) -> WireResult<()> {
        let settings = &mut self.settings;
        let limits = context.broker.limits();
        let wait =
            |min: Duration, max: Duration| seconds(name, &value, min.as_secs()..=max.as_secs()).map(Some);
        match name {
            "VisibilityTimeout" => {
                settings.visibility_timeout = wait(Duration::ZERO, limits.visibility_timeout_max)?;
            }
            "DelaySeconds" => settings.delay = wait(Duration::ZERO, limits.delay_max)?,
            "MessageRetentionPeriod" => {
                settings.retention = wait(limits.retention_min, limits.retention_max)?;
            }
            "ReceiveMessageWaitTimeSeconds" => {
                settings.receive_wait_time = wait(Duration::ZERO, limits.wait_max)?;
            }
            "MaximumMessageSize" => {
                let sizes = limits.message_bytes_min as u64..=limits.message_bytes_max as u64;
                settings.max_message_size = usize::try_from(number(name, &value, sizes)?).ok();
            }
            redrive::POLICY => {
                settings.redrive_policy = Some(redrive::read(context, &value)?);
                self.redrive_policy = value;
            }
            "RedriveAllowPolicy" => {
                settings.redrive_allow_policy = Some(redrive::read_allow(context, &value)?);
            }
            "FifoQueue" => {}
            "ContentBasedDeduplication" | "DeduplicationScope" | "FifoThroughputLimit" => {
                self.add_fifo(fifo, name, &value)?;
            }
            name if extras::NAMES.contains(&name) => self.add_extra(name, value)?,
            name if READ_ONLY.contains(&name) => {}
            name => return Err(errors::unknown_attribute(name)),
        }
        Ok(())
    }

    /// An attribute of FIFO queues (rule Q3, section B1).
    fn add_fifo(&mut self, fifo: bool, name: &str, value: &str) -> WireResult<()> {
        if !fifo && name == "ContentBasedDeduplication" {
            return Err(errors::unknown_attribute(name));
        }
        if !fifo {
            let message = format!("You can specify the {name} only when FifoQueue is set to true.");
            return Err(WireError::sender("InvalidAttributeName", message));
        }
        match (name, value) {
            ("ContentBasedDeduplication", value) => {
                self.settings.content_based_deduplication = Some(flag(name, value)?);
            }
            ("DeduplicationScope", "queue") => {
                self.settings.deduplication_scope = Some(DeduplicationScope::Queue);
            }
            ("DeduplicationScope", "messageGroup") => {
                self.settings.deduplication_scope = Some(DeduplicationScope::MessageGroup);
            }
            ("DeduplicationScope", _) => {
                return Err(errors::invalid_attribute(name, "Must be queue or messageGroup."));
            }
            (_, "perQueue") => self.settings.fifo_throughput_limit = Some(FifoThroughputLimit::PerQueue),
            (_, "perMessageGroupId") => {
                self.settings.fifo_throughput_limit = Some(FifoThroughputLimit::PerMessageGroupId);
            }
            _ => return Err(errors::invalid_attribute(name, "Must be perQueue or perMessageGroupId.")),
        }
        Ok(())
    }

    /// An attribute that the broker has no place for.
    fn add_extra(&mut self, name: &str, value: String) -> WireResult<()> {
        match name {
            extras::POLICY => super::super::permissions::check(&value)?,
            extras::MANAGED_SSE => {
                let on = flag(name, &value)?;
                self.extras.insert(name.to_owned(), on.to_string());
                return Ok(());
            }
            extras::KMS_REUSE => {
                number(name, &value, KMS_REUSE_SECONDS)?;
            }
            _ if value.len() > KMS_KEY_BYTES_MAX => {
                let reason = format!("At most {KMS_KEY_BYTES_MAX} bytes are allowed.");
                return Err(errors::invalid_attribute(name, &reason));
            }
            _ => {}
        }
        debug_assert!(is_known(name), "extra attributes are among those that are known");
        self.extras.insert(name.to_owned(), value);
        Ok(())
    }

    /// What the broker refuses of this change of a queue.
    pub(in crate::sqs) fn refused(&self, queue: &str, error: &Error) -> WireError {
        match error {
            Error::QueueDoesNotExist { name } if name != queue => {
                redrive::no_such_target(&self.redrive_policy)
            }
            Error::InvalidParameter { field: "redrive_policy", reason, .. } => {
                let reason = format!("Dead letter target {reason}.");
                errors::invalid_value(redrive::POLICY, &self.redrive_policy, &reason)
            }
            error => errors::from_broker(error),
        }
    }
}

/// The longest name of a key; that of an ARN has some 80 bytes.
const KMS_KEY_BYTES_MAX: usize = 2_048;

/// `true` or `false`, in any case.
fn flag(name: &str, text: &str) -> WireResult<bool> {
    match text {
        text if text.eq_ignore_ascii_case("true") => Ok(true),
        text if text.eq_ignore_ascii_case("false") => Ok(false),
        _ => Err(errors::invalid_attribute(name, "Must be true or false.")),
    }
}

fn number(name: &str, text: &str, allowed: RangeInclusive<u64>) -> WireResult<u64> {
    let found = text.trim().parse().ok().filter(|number| allowed.contains(number));
    found.ok_or_else(|| {
        let (min, max) = (allowed.start(), allowed.end());
        errors::invalid_attribute(name, &format!("Must be an integer from {min} to {max}."))
    })
}

fn seconds(name: &str, text: &str, allowed: RangeInclusive<u64>) -> WireResult<Duration> {
    number(name, text, allowed).map(Duration::from_secs)
}

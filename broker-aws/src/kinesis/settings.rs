//! What can be changed on a stream: retention, record size, mode, distribution; and what is only kept and shown: warm throughput,
//! enhanced monitoring, encryption.

use std::time::Duration;

use broker_core::{RecordDistribution, StreamMode, StreamSettings};

use super::{
    check::Checks,
    errors,
    extras::StreamExtras,
    shapes::{
        EncryptionInput, MonitoringInput, MonitoringOutput, RetentionInput, UpdateDistributionInput,
        UpdateMaxRecordSizeInput, UpdateStreamModeInput, UpdateStreamWarmThroughputInput,
        UpdateStreamWarmThroughputOutput, WarmThroughput,
    },
    target::Target,
};
use crate::{call::Context, wire::error::WireResult};

/// Hours of retention.
const RETENTION_MIN: u64 = 24;
const RETENTION_MAX: u64 = 8_760;
/// KiB of a record.
const RECORD_KIB: (i32, i32) = (1_024, 10_240);
/// The longest id of a key.
const KEY_ID_CHARS_MAX: usize = 2_048;

/// All metrics of shards.
const METRICS: [&str; 7] = [
    "IncomingBytes",
    "IncomingRecords",
    "OutgoingBytes",
    "OutgoingRecords",
    "WriteProvisionedThroughputExceeded",
    "ReadProvisionedThroughputExceeded",
    "IteratorAgeMilliseconds",
];
const ALL_METRICS: &str = "ALL";

/// Reads a mode.
pub(super) fn mode(checks: &mut Checks, text: Option<&str>) -> StreamMode {
    const MODE: &str = "streamModeDetails.streamMode";
    checks.one_of(MODE, text, &["PROVISIONED", "ON_DEMAND"]);
    match checks.required(MODE, text) {
        "ON_DEMAND" => StreamMode::OnDemand,
        _ => StreamMode::Provisioned,
    }
}

/// Reads a record size, in bytes.
pub(super) fn record_size(checks: &mut Checks, kib: Option<i32>) -> Option<usize> {
    checks.within("maxRecordSizeInKiB", kib, RECORD_KIB);
    kib.and_then(|kib| usize::try_from(kib).ok()).map(|kib| kib * 1_024)
}

/// Reads a distribution.
pub(super) fn distribution(checks: &mut Checks, text: Option<&str>) -> Option<RecordDistribution> {
    checks.one_of("recordDistributionStrategy", text, &["AUTO", "USER_PARTITION_KEY"]);
    Some(if text? == "AUTO" { RecordDistribution::Auto } else { RecordDistribution::PartitionKey })
}

async fn set(context: &Context, target: &Target, change: StreamSettings) -> WireResult<()> {
    target.stream.set_attributes(change).await.map_err(|error| errors::from_broker(context, &error))
}

pub(super) async fn increase_retention(context: &Context, input: RetentionInput) -> WireResult<()> {
    change_retention(context, &input, true).await
}

pub(super) async fn decrease_retention(context: &Context, input: RetentionInput) -> WireResult<()> {
    change_retention(context, &input, false).await
}

/// Rule K56. The same number of hours is taken both ways, and changes nothing.
async fn change_retention(context: &Context, input: &RetentionInput, up: bool) -> WireResult<()> {
    let mut checks = Checks::default();
    let hours = checks.required("retentionPeriodHours", input.hours);
    checks.done()?;
    let target = Target::of(context, input).await?;
    let name = target.name();
    let existing = target.attributes.retention.as_secs() / 3_600;
    let requested = u64::try_from(hours).unwrap_or(0);
    let asked = format!("equested retention period ({hours} hours) for stream {name}");
    let refused = if requested < RETENTION_MIN {
        format!("Minimum allowed retention period is {RETENTION_MIN} hours. R{asked} is too short.")
    } else if requested > RETENTION_MAX {
        format!("Maximum allowed retention period is {RETENTION_MAX} hours. R{asked} is too long.")
    } else if up && requested < existing {
        format!(
            "R{asked} can not be shorter than existing retention period ({existing} hours). Use DecreaseRetentionPeriod API."
        )
    } else if !up && requested > existing {
        format!(
            "R{asked} can not be longer than existing retention period ({existing} hours). Use IncreaseRetentionPeriod API."
        )
    } else {
        let retention = Some(Duration::from_secs(requested * 3_600));
        return set(context, &target, StreamSettings { retention, ..StreamSettings::new() }).await;
    };
    Err(errors::invalid(refused))
}

pub(super) async fn update_max_record_size(
    context: &Context,
    input: UpdateMaxRecordSizeInput,
) -> WireResult<()> {
    let mut checks = Checks::default();
    let max_record_size = record_size(&mut checks, input.max_record_size);
    checks.required("maxRecordSizeInKiB", max_record_size);
    checks.done()?;
    let target = Target::of(context, &input).await?;
    set(context, &target, StreamSettings { max_record_size, ..StreamSettings::new() }).await
}

pub(super) async fn update_stream_mode(context: &Context, input: UpdateStreamModeInput) -> WireResult<()> {
    let mut checks = Checks::default();
    let details = checks.required("streamModeDetails", input.mode.clone());
    let mode = mode(&mut checks, details.mode.as_deref());
    checks.within("warmThroughputMiBps", input.warm_throughput, (0, i32::MAX));
    checks.done()?;
    let target = Target::of(context, &input).await?;
    if mode == StreamMode::Provisioned && !target.stream.queues().is_empty() {
        let message =
            format!("Stream {} has queues, which need a stream whose mode is ON_DEMAND.", target.name());
        return Err(errors::not_valid(message));
    }
    // A stream that its user provides for takes records where their keys say.
    let distribution = (mode == StreamMode::Provisioned).then_some(RecordDistribution::PartitionKey);
    let throttled = Some(context.options.throttle_streams && mode == StreamMode::Provisioned);
    let change = StreamSettings { mode: Some(mode), distribution, throttled, ..StreamSettings::new() };
    set(context, &target, change).await?;
    if let Some(warm) = input.warm_throughput {
        set_warm_throughput(context, &target, warm).await?;
    }
    Ok(())
}

pub(super) async fn update_distribution(context: &Context, input: UpdateDistributionInput) -> WireResult<()> {
    let mut checks = Checks::default();
    let distribution = distribution(&mut checks, input.distribution.as_deref());
    checks.required("recordDistributionStrategy", distribution);
    checks.done()?;
    let target = Target::of(context, &input).await?;
    if target.attributes.mode == StreamMode::Provisioned && distribution == Some(RecordDistribution::Auto) {
        let message = "RecordDistributionStrategy AUTO needs a stream whose mode is ON_DEMAND.";
        return Err(errors::not_valid(message));
    }
    set(context, &target, StreamSettings { distribution, ..StreamSettings::new() }).await
}

pub(super) async fn update_warm_throughput(
    context: &Context,
    input: UpdateStreamWarmThroughputInput,
) -> WireResult<UpdateStreamWarmThroughputOutput> {
    let mut checks = Checks::default();
    let warm = checks.required("warmThroughputMiBps", input.warm_throughput);
    checks.within("warmThroughputMiBps", input.warm_throughput, (0, i32::MAX));
    checks.done()?;
    let target = Target::of(context, &input).await?;
    if target.attributes.mode == StreamMode::Provisioned {
        return Err(errors::not_valid("Warm throughput is for streams whose mode is ON_DEMAND."));
    }
    let warm = set_warm_throughput(context, &target, warm).await?;
    let (stream_arn, stream_name) = (target.arn(context), target.name().to_owned());
    let warm_throughput = WarmThroughput { target: warm, current: warm };
    Ok(UpdateStreamWarmThroughputOutput { stream_arn, stream_name, warm_throughput })
}

async fn set_warm_throughput(context: &Context, target: &Target, warm: i32) -> WireResult<u64> {
    let warm = u64::try_from(warm).unwrap_or(0);
    let set = |extras: &mut StreamExtras| extras.warm_throughput = Some(warm);
    StreamExtras::change(context, &target.attributes, set).await?;
    Ok(warm)
}

pub(super) async fn enable_enhanced_monitoring(
    context: &Context,
    input: MonitoringInput,
) -> WireResult<MonitoringOutput> {
    change_monitoring(context, input, |current, chosen| {
        let on = |metric: &str| current.iter().chain(&chosen).any(|one| one == metric);
        METRICS.iter().filter(|metric| on(metric)).map(|metric| (*metric).to_owned()).collect()
    })
    .await
}

pub(super) async fn disable_enhanced_monitoring(
    context: &Context,
    input: MonitoringInput,
) -> WireResult<MonitoringOutput> {
    change_monitoring(context, input, |current, chosen| {
        current.iter().filter(|metric| !chosen.contains(metric)).cloned().collect()
    })
    .await
}

async fn change_monitoring(
    context: &Context,
    input: MonitoringInput,
    change: impl FnOnce(&[String], Vec<String>) -> Vec<String>,
) -> WireResult<MonitoringOutput> {
    let mut checks = Checks::default();
    let mut chosen = checks.required("shardLevelMetrics", input.metrics.clone());
    let words = [&METRICS[..], &[ALL_METRICS]].concat();
    for metric in &chosen {
        checks.one_of("shardLevelMetrics", Some(metric), &words);
    }
    checks.done()?;
    if chosen.iter().any(|metric| metric == ALL_METRICS) {
        chosen = METRICS.map(str::to_owned).to_vec();
    }
    let target = Target::of(context, &input).await?;
    let mut current = Vec::new();
    let set = |extras: &mut StreamExtras| {
        current = std::mem::take(&mut extras.metrics);
        extras.metrics = change(&current, chosen);
    };
    let desired = StreamExtras::change(context, &target.attributes, set).await?.metrics;
    let (stream_arn, stream_name) = (target.arn(context), target.name().to_owned());
    Ok(MonitoringOutput { stream_name, stream_arn, current, desired })
}

pub(super) async fn start_encryption(context: &Context, input: EncryptionInput) -> WireResult<()> {
    let key_id = encryption(&input)?;
    let target = Target::of(context, &input).await?;
    let set = |extras: &mut StreamExtras| extras.key_id = Some(key_id);
    StreamExtras::change(context, &target.attributes, set).await.map(drop)
}

pub(super) async fn stop_encryption(context: &Context, input: EncryptionInput) -> WireResult<()> {
    encryption(&input)?;
    let target = Target::of(context, &input).await?;
    let set = |extras: &mut StreamExtras| extras.key_id = None;
    StreamExtras::change(context, &target.attributes, set).await.map(drop)
}

/// The id of the key. Nothing is encrypted with it: it is kept and shown.
fn encryption(input: &EncryptionInput) -> WireResult<String> {
    let mut checks = Checks::default();
    checks.one_of("encryptionType", input.encryption.as_deref(), &["NONE", "KMS"]);
    checks.required("encryptionType", input.encryption.clone());
    let key_id = checks.required("keyId", input.key_id.clone());
    checks.length("keyId", &key_id, key_id.chars().count(), (1, KEY_ID_CHARS_MAX));
    checks.done()?;
    if input.encryption.as_deref() != Some("KMS") {
        return Err(errors::invalid("The encryption type must be KMS."));
    }
    Ok(key_id)
}

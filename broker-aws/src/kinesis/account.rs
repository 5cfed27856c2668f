//! The account: its limits and settings.

use broker_core::StreamMode;
use serde::{Deserialize, Serialize};

use super::{
    check::Checks,
    extras,
    shapes::{AccountSettingsOutput, Commitment, DescribeLimitsOutput, Nothing, UpdateAccountSettingsInput},
    time::Time,
};
use crate::{call::Context, wire::error::WireResult};

/// The most on-demand streams of an account on AWS (rule K60). Here there may be more.
const ON_DEMAND_STREAMS: u64 = 50;
/// There are no channels here, and none can be made.
const CHANNELS: u64 = 0;
const NOTE: &str = "aws/kinesis/account";
const DISABLED: &str = "DISABLED";

pub(super) async fn describe_limits(context: &Context, _: Nothing) -> WireResult<DescribeLimitsOutput> {
    let (mut open_shards, mut on_demand_streams) = (0, 0);
    for name in context.broker.list_streams() {
        // It may have been deleted meanwhile.
        let Ok(stream) = context.broker.open_stream(&name).await else { continue };
        let Ok(attributes) = stream.attributes().await else { continue };
        open_shards += attributes.open_shards as u64;
        on_demand_streams += u64::from(attributes.mode == StreamMode::OnDemand);
    }
    Ok(DescribeLimitsOutput {
        shard_limit: context.broker.limits().streams.shards_max as u64,
        open_shards,
        on_demand_streams,
        on_demand_limit: ON_DEMAND_STREAMS,
        channels: CHANNELS,
        channel_limit: CHANNELS,
    })
}

/// The billing commitment, which costs nothing here.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Kept {
    status: String,
    started_at_ms: Option<u64>,
}

pub(super) async fn describe_account_settings(
    context: &Context,
    _: Nothing,
) -> WireResult<AccountSettingsOutput> {
    let kept: Option<Kept> = extras::read(context, NOTE).await?;
    Ok(told(&kept.unwrap_or_else(|| Kept { status: DISABLED.into(), started_at_ms: None })))
}

pub(super) async fn update_account_settings(
    context: &Context,
    input: UpdateAccountSettingsInput,
) -> WireResult<AccountSettingsOutput> {
    const STATUS: &str = "minimumThroughputBillingCommitment.status";
    let mut checks = Checks::default();
    let given = checks.required("minimumThroughputBillingCommitment", input.commitment);
    checks.one_of(STATUS, given.status.as_deref(), &["ENABLED", DISABLED]);
    let status = checks.required(STATUS, given.status);
    checks.done()?;
    let started_at_ms = (status != DISABLED).then(|| context.broker.now().as_millis());
    let kept = Kept { status, started_at_ms };
    extras::write(context, NOTE, &kept).await?;
    Ok(told(&kept))
}

fn told(kept: &Kept) -> AccountSettingsOutput {
    let started = kept.started_at_ms.map(|at| Time(broker_core::Timestamp::from_millis(at)));
    let commitment = Commitment { status: Some(kept.status.clone()), started, ..Commitment::default() };
    AccountSettingsOutput { commitment: Some(commitment) }
}

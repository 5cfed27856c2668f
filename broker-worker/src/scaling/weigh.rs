//! Several policies at once: what each may do, and which of them wins.

use super::{
    Reason, Scaler, ScalerState,
    policy::{Policy, Proposal, Wish},
    scaler::Pause,
};

/// What is said of each proposal while none has won, and the winner with its count.
///
/// Any policy may add workers. Target tracking takes some away only if all such policies agree; a step policy is not held
/// up by that. If several may act, the largest count wins, in both directions (rule S13).
pub(super) fn weigh(
    scaler: &Scaler,
    state: &ScalerState,
    proposals: &[Proposal],
) -> (Vec<Reason>, Option<(usize, u32)>) {
    let more = proposals.iter().any(|proposal| matches!(proposal, Proposal::Out(_)));
    let agreed = scaler
        .policies
        .iter()
        .zip(proposals)
        .all(|(policy, proposal)| !policy.must_agree() || matches!(proposal, Proposal::In(_)));
    let each = scaler.policies.iter().zip(proposals).map(|(policy, proposal)| match proposal {
        Proposal::Nothing => Err(Reason::Content),
        Proposal::NoData => Err(Reason::NoData),
        Proposal::Out(wish) => add(scaler, state, policy, wish),
        Proposal::In(_) if more => Err(Reason::Outbid),
        Proposal::In(_) if policy.is_target() && !policy.must_agree() => Err(Reason::ScaleInDisabled),
        Proposal::In(_) if policy.is_target() && !agreed => Err(Reason::Disagreement),
        Proposal::In(wish) => take_away(scaler, state, policy, wish),
    });
    let mut winner: Option<(usize, u32)> = None;
    let mut verdicts = Vec::with_capacity(proposals.len());
    for (at, verdict) in each.enumerate() {
        if let Ok(count) = verdict
            && winner.is_none_or(|(_, most)| count > most)
        {
            winner = Some((at, count));
        }
        verdicts.push(verdict.err().unwrap_or(Reason::Outbid));
    }
    (verdicts, winner)
}

/// How many workers a policy may add.
fn add(scaler: &Scaler, state: &ScalerState, policy: &Policy, wish: &Wish) -> Result<u32, Reason> {
    if scaler.suspended.scale_out {
        return Err(Reason::Suspended);
    }
    // Rule S30: what was added and is not effective yet is part of what is asked for.
    let added = if policy.is_simple() { 0 } else { state.damping.added() };
    if policy.is_simple() {
        paused(state)?;
    }
    let asked = wish.ask.count(state.desired, added);
    if asked <= state.desired {
        return Err(match state.damping.holds_in() {
            Some(until) if added > 0 => Reason::Damped { until },
            _ => Reason::Content,
        });
    }
    match state.bounds().clamp(asked) {
        count if count > state.desired => Ok(count),
        _ => Err(Reason::AtBound { wanted: asked }),
    }
}

/// How many workers remain if a policy takes some away.
fn take_away(scaler: &Scaler, state: &ScalerState, policy: &Policy, wish: &Wish) -> Result<u32, Reason> {
    if scaler.suspended.scale_in {
        return Err(Reason::Suspended);
    }
    if policy.is_simple() {
        paused(state)?;
    } else if let Some(until) = state.damping.holds_in() {
        return Err(Reason::Damped { until });
    }
    let asked = wish.ask.count(state.desired, 0);
    match state.bounds().clamp(asked) {
        count if count < state.desired => Ok(count),
        _ => Err(Reason::AtBound { wanted: asked }),
    }
}

/// Whether a simple policy must wait (rule S34).
fn paused(state: &ScalerState) -> Result<(), Reason> {
    match state.pause {
        None => Ok(()),
        Some(Pause::Activity { .. }) => Err(Reason::InProgress),
        Some(Pause::Cooldown(until)) => Err(Reason::Damped { until }),
    }
}

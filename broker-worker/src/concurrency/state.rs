//! Who has how much of an account's concurrency, and who gets a permit. Pure: time is an argument.

use std::{collections::BTreeMap, time::Duration};

use super::{
    error::ConcurrencyError,
    function::{Function, LATEST},
    provisioned::ProvisionedStatus,
    throttled::{ThrottleReason, Throttled},
};

/// Requests a second for each unit of concurrency (rule L102).
const REQUESTS_PER_CONCURRENCY: u64 = 10;

/// How much an account has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccountLimits {
    /// Invocations that run at once. By default 1,000.
    pub concurrency: u32,
    /// So many of them must be left to functions without a reservation. By default 100.
    pub unreserved_min: u32,
}

impl Default for AccountLimits {
    fn default() -> Self {
        Self { concurrency: 1_000, unreserved_min: 100 }
    }
}

/// What runs of a function now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Invocations that use what is provisioned.
    pub provisioned: u32,
    /// The others.
    pub on_demand: u32,
}

/// What an invocation takes, to be given back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Slot {
    OnDemand,
    /// Of what is provisioned for this version or alias.
    Provisioned(String),
}

/// An account.
#[derive(Debug)]
pub(super) struct State {
    limits: AccountLimits,
    functions: BTreeMap<String, Function>,
}

impl State {
    pub(super) fn new(limits: AccountLimits) -> Self {
        Self { limits, functions: BTreeMap::new() }
    }

    pub(super) fn function(&mut self, name: &str, now: u64) -> &mut Function {
        self.functions.entry(name.to_owned()).or_insert_with(|| Function::new(now))
    }

    /// What is set aside for functions other than this one: reservations, and what is provisioned without one.
    fn set_aside_but_for(&self, name: &str) -> u32 {
        let others = self.functions.iter().filter(|(other, _)| *other != name);
        let aside = |function: &Function| function.reserved.unwrap_or_else(|| function.taken());
        others.map(|(_, function)| aside(function)).fold(0, u32::saturating_add)
    }

    /// Refuses to set more aside than leaves enough for the others.
    fn check_left(
        &self,
        name: &str,
        what: &'static str,
        aside: u32,
        asked: u32,
    ) -> Result<(), ConcurrencyError> {
        let AccountLimits { concurrency, unreserved_min: min } = self.limits;
        let left = concurrency.checked_sub(self.set_aside_but_for(name).saturating_add(aside));
        match left {
            Some(left) if left >= min => Ok(()),
            _ => Err(ConcurrencyError::TooLittleUnreserved { what, asked, min }),
        }
    }

    /// Sets or removes a reservation (rules L100, L101). What runs goes on.
    pub(super) fn reserve(
        &mut self,
        name: &str,
        reserved: Option<u32>,
        now: u64,
    ) -> Result<(), ConcurrencyError> {
        if name.contains(':') {
            return Err(ConcurrencyError::Qualified { name: name.to_owned() });
        }
        let provisioned = self.function(name, now).taken();
        if let Some(asked) = reserved {
            if provisioned > asked {
                return Err(ConcurrencyError::MoreThanReserved { provisioned, reserved: asked });
            }
            // A reservation of nothing takes nothing away, however little is left.
            if asked > 0 {
                self.check_left(name, "ReservedConcurrentExecutions", asked, asked)?;
            }
        }
        self.function(name, now).reserved = reserved;
        Ok(())
    }

    /// Provisions for a version or an alias (rule L103).
    pub(super) fn provision(
        &mut self,
        name: &str,
        qualifier: &str,
        asked: u32,
        now: u64,
    ) -> Result<(), ConcurrencyError> {
        let function = self.function(name, now);
        let unknown =
            || ConcurrencyError::UnknownQualifier { function: name.into(), qualifier: qualifier.into() };
        if !function.has(qualifier) {
            return Err(unknown());
        }
        function.check_provision(qualifier, asked)?;
        if function.reserved.is_none() {
            let aside = function.taken_but(qualifier).saturating_add(asked);
            self.check_left(name, "ConcurrentExecutions", aside, asked)?;
        }
        self.function(name, now).provision(qualifier, asked);
        Ok(())
    }

    pub(super) fn initialized(
        &mut self,
        name: &str,
        qualifier: &str,
        status: ProvisionedStatus,
        now: u64,
    ) -> Result<(), ConcurrencyError> {
        let found = self.function(name, now).initialized(qualifier, status);
        if found { Ok(()) } else { Err(ConcurrencyError::NotProvisioned) }
    }

    /// Lets an invocation in: of what is provisioned first, then of the reservation, or of what nobody has reserved.
    pub(super) fn enter(&mut self, name: &str, qualifier: &str, now: u64) -> Result<Slot, Throttled> {
        let aside = self.set_aside_but_for(name);
        let shared = |(other, function): (&String, &Function)| {
            if other != name && function.reserved.is_none() { function.on_demand } else { 0 }
        };
        let shared = self.functions.iter().map(shared).fold(0, u32::saturating_add);
        let concurrency = self.limits.concurrency;
        let function = self.function(name, now);
        let taken = function.taken();
        // How much this function may have on demand, how much it may have in all, and what to say if it may not.
        let (free, all, reason, rate_reason) = match function.reserved {
            Some(0) => return Err(Throttled::because(ThrottleReason::ZeroReserved)),
            Some(all) => {
                let (reason, rate) = (ThrottleReason::ReservedConcurrency, ThrottleReason::ReservedRate);
                (all.saturating_sub(taken), all, reason, rate)
            }
            None => {
                let free = concurrency.saturating_sub(aside).saturating_sub(taken).saturating_sub(shared);
                (free, concurrency, ThrottleReason::Concurrency, ThrottleReason::Rate)
            }
        };
        let throttled = |reason| move |retry_after: Option<Duration>| Throttled { reason, retry_after };
        let per_second = REQUESTS_PER_CONCURRENCY.saturating_mul(u64::from(all));
        function.rate.check(per_second, per_second, now).map_err(throttled(rate_reason))?;
        if let Some(key) = function.enter_provisioned(qualifier) {
            function.rate.take();
            return Ok(Slot::Provisioned(key));
        }
        if function.on_demand >= free {
            return Err(Throttled::because(reason));
        }
        function.environments.check(now).map_err(throttled(reason))?;
        function.environments.enter();
        function.rate.take();
        function.on_demand += 1;
        Ok(Slot::OnDemand)
    }

    pub(super) fn leave(&mut self, name: &str, slot: &Slot, now: u64) {
        let function = self.function(name, now);
        match slot {
            Slot::Provisioned(key) => function.leave_provisioned(key),
            Slot::OnDemand => {
                function.on_demand = function.on_demand.saturating_sub(1);
                function.environments.leave(now);
            }
        }
    }

    pub(super) fn usage(&mut self, name: &str, now: u64) -> Usage {
        let function = self.function(name, now);
        Usage { provisioned: function.provisioned_in_use(), on_demand: function.on_demand }
    }
}

/// The qualifier that is meant if none is given.
pub(super) fn qualifier_or_latest(qualifier: &str) -> &str {
    if qualifier.is_empty() { LATEST } else { qualifier }
}

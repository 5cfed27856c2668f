//! The shell around the state: an account, its functions, and the gates that their invocations pass.

use std::sync::Arc;

use broker_core::{Clock, TokioClock};
use parking_lot::Mutex;

use super::{
    Gate, Permit,
    error::ConcurrencyError,
    provisioned::{Provisioned, ProvisionedStatus},
    state::{AccountLimits, Slot, State, Usage, qualifier_or_latest},
    throttled::Throttled,
};
use crate::handler::Failure;

/// The concurrency that functions share. Cheap to clone; all clones are the same account.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
/// use broker_worker::concurrency::{Account, AccountLimits, Gate};
///
/// let account = Account::new(AccountLimits::default());
/// let orders = account.function("orders");
/// orders.reserve(2)?;
/// let gate = orders.gate("$LATEST");
/// let (first, _second) = (gate.try_enter()?, gate.try_enter()?);
/// assert!(gate.try_enter().is_err());
/// drop(first);
/// assert!(gate.try_enter().is_ok());
/// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
/// ```
#[derive(Clone)]
pub struct Account {
    /// Never held across an await.
    state: Arc<Mutex<State>>,
    clock: Arc<dyn Clock>,
}

impl Account {
    /// An account that takes its time from tokio. Must be called inside a tokio runtime.
    pub fn new(limits: AccountLimits) -> Self {
        Self::with_clock(limits, Arc::new(TokioClock::new()))
    }

    /// An account that takes its time from here.
    pub fn with_clock(limits: AccountLimits, clock: Arc<dyn Clock>) -> Self {
        Self { state: Arc::new(Mutex::new(State::new(limits))), clock }
    }

    /// A function of this name. It has no versions, no aliases and no reservation until it gets some.
    pub fn function(&self, name: impl Into<String>) -> FunctionConcurrency {
        FunctionConcurrency { account: self.clone(), name: name.into() }
    }

    fn with<T>(&self, step: impl FnOnce(&mut State, u64) -> T) -> T {
        let now = self.clock.now().as_millis();
        step(&mut self.state.lock(), now)
    }
}

/// The concurrency of one function. Cheap to clone.
#[derive(Clone)]
pub struct FunctionConcurrency {
    account: Account,
    name: String,
}

impl FunctionConcurrency {
    /// The gate that invocations of this version or alias pass; an empty text and `$LATEST` are the version that was not
    /// published. One that the function does not have shares what is not provisioned.
    pub fn gate(&self, qualifier: &str) -> FunctionGate {
        FunctionGate { function: self.clone(), qualifier: qualifier_or_latest(qualifier).to_owned() }
    }

    /// Guarantees so much to the function, all its versions together, and lets it have no more (rules L100, L101). With zero
    /// nothing runs. What runs already goes on.
    pub fn reserve(&self, concurrency: u32) -> Result<(), ConcurrencyError> {
        self.account.with(|state, now| state.reserve(&self.name, Some(concurrency), now))
    }

    /// Lets the function share what nobody has reserved.
    pub fn unreserve(&self) -> Result<(), ConcurrencyError> {
        self.account.with(|state, now| state.reserve(&self.name, None, now))
    }

    /// What is reserved, if anything is.
    pub fn reserved(&self) -> Option<u32> {
        self.account.with(|state, now| state.function(&self.name, now).reserved)
    }

    /// Publishes the next version, from 1.
    pub fn publish(&self) -> u32 {
        self.account.with(|state, now| state.function(&self.name, now).publish())
    }

    /// Points an alias to a published version. What is provisioned for the alias goes with it (rule L103).
    pub fn alias(&self, alias: &str, version: u32) -> Result<(), ConcurrencyError> {
        let known = self.account.with(|state, now| state.function(&self.name, now).alias(alias, version));
        let unknown = || ConcurrencyError::UnknownQualifier {
            function: self.name.clone(),
            qualifier: version.to_string(),
        };
        if known { Ok(()) } else { Err(unknown()) }
    }

    /// Sets so much aside for a published version or an alias (rule L103). It is used when it was
    /// [initialised](Self::initialized), and replaces what was provisioned for the same one before.
    pub fn provision(&self, qualifier: &str, concurrency: u32) -> Result<Provisioned, ConcurrencyError> {
        self.account.with(|state, now| state.provision(&self.name, qualifier, concurrency, now))?;
        self.provisioned(qualifier)
    }

    /// Says that what was provisioned is initialised, or that this has failed.
    pub fn initialized(&self, qualifier: &str, outcome: Result<(), Failure>) -> Result<(), ConcurrencyError> {
        let status = match outcome {
            Ok(()) => ProvisionedStatus::Ready,
            Err(failure) => ProvisionedStatus::Failed { failure },
        };
        self.account.with(|state, now| state.initialized(&self.name, qualifier, status, now))
    }

    /// What is provisioned for a version or an alias.
    pub fn provisioned(&self, qualifier: &str) -> Result<Provisioned, ConcurrencyError> {
        let found = self.account.with(|state, now| state.function(&self.name, now).provisioned(qualifier));
        found.ok_or(ConcurrencyError::NotProvisioned)
    }

    /// Gives back what is provisioned for a version or an alias. If there is nothing, nothing happens.
    pub fn unprovision(&self, qualifier: &str) {
        self.account.with(|state, now| state.function(&self.name, now).unprovision(qualifier));
    }

    /// What runs now.
    pub fn usage(&self) -> Usage {
        self.account.with(|state, now| state.usage(&self.name, now))
    }
}

/// The gate of a version or an alias of a function. Cheap to clone.
#[derive(Clone)]
pub struct FunctionGate {
    function: FunctionConcurrency,
    qualifier: String,
}

impl Gate for FunctionGate {
    fn try_enter(&self) -> Result<Permit, Throttled> {
        let FunctionConcurrency { account, name } = &self.function;
        let slot = account.with(|state, now| state.enter(name, &self.qualifier, now))?;
        Ok(Permit::holding(Entered { function: self.function.clone(), slot }))
    }
}

/// An invocation that was let in. Leaves when it is dropped.
struct Entered {
    function: FunctionConcurrency,
    slot: Slot,
}

impl Drop for Entered {
    fn drop(&mut self) {
        let FunctionConcurrency { account, name } = &self.function;
        account.with(|state, now| state.leave(name, &self.slot, now));
    }
}

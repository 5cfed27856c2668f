//! Who may run when concurrency is shared. L1, L100, L101, L102.

use broker_worker::concurrency::{
    Account, AccountLimits, ConcurrencyError, FunctionGate, Gate, Permit, ThrottleReason, Throttled, Usage,
};

use crate::support::secs;

fn account(concurrency: u32, unreserved_min: u32) -> Account {
    Account::new(AccountLimits { concurrency, unreserved_min })
}

/// As many permits as there are, up to 5,000, and why there are no more.
fn all(gate: &FunctionGate) -> (Vec<Permit>, Throttled) {
    let mut permits = Vec::new();
    while permits.len() < 5_000 {
        match gate.try_enter() {
            Ok(permit) => permits.push(permit),
            Err(throttled) => return (permits, throttled),
        }
    }
    panic!("there is no limit");
}

// L100
#[tokio::test(start_paused = true)]
async fn a_reservation_leaves_100_to_the_others() {
    let account = Account::new(AccountLimits::default());
    let (orders, mails) = (account.function("orders"), account.function("mails"));
    orders.reserve(600).unwrap();
    mails.reserve(300).unwrap();
    let refused = mails.reserve(301).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "Specified ReservedConcurrentExecutions for function decreases account's \
         UnreservedConcurrentExecution below its minimum value of [100]."
    );
    assert_eq!(mails.reserved(), Some(300), "what is refused changes nothing");
    orders.unreserve().unwrap();
    mails.reserve(900).unwrap();
}

// L101
#[tokio::test(start_paused = true)]
async fn a_reservation_is_a_guarantee_and_a_cap() {
    let account = account(20, 5);
    let (orders, mails) = (account.function("orders"), account.function("mails"));
    assert_eq!(orders.reserved(), None);
    orders.reserve(3).unwrap();
    assert_eq!(orders.reserved(), Some(3));
    // Others get the rest, and cannot take what is reserved.
    let (others, throttled) = all(&mails.gate(""));
    assert_eq!((others.len(), throttled.reason), (17, ThrottleReason::Concurrency));
    assert_eq!(throttled.to_string(), "Rate Exceeded.");
    assert_eq!(throttled.reason.as_str(), "ConcurrentInvocationLimitExceeded");
    let (own, throttled) = all(&orders.gate(""));
    assert_eq!((own.len(), throttled.reason), (3, ThrottleReason::ReservedConcurrency));
    assert_eq!(throttled.reason.as_str(), "ReservedFunctionConcurrentInvocationLimitExceeded");
    // It is a cap also when nobody else runs, and one for all versions together.
    drop(others);
    let version = orders.publish().to_string();
    assert!(orders.gate(&version).try_enter().is_err());
    drop(own);
    assert_eq!(orders.usage(), Usage::default());
    let mixed = (orders.gate(&version).try_enter().unwrap(), all(&orders.gate("$LATEST")).0);
    assert_eq!(mixed.1.len(), 2);
}

// L101: zero, and what a reservation is not for.
#[tokio::test(start_paused = true)]
async fn with_a_reservation_of_zero_nothing_runs() {
    let account = account(20, 20);
    let orders = account.function("orders");
    orders.reserve(0).unwrap();
    let throttled = orders.gate("").try_enter().unwrap_err();
    assert_eq!(throttled.reason, ThrottleReason::ZeroReserved);
    assert_eq!(throttled.reason.as_str(), "ReservedFunctionConcurrentInvocationLimitExceeded");
    orders.unreserve().unwrap();
    assert_eq!(all(&orders.gate("")).0.len(), 20);
    let refused = account.function("orders:1").reserve(1).unwrap_err();
    assert!(matches!(&refused, ConcurrencyError::Qualified { name } if name == "orders:1"));
    let text = refused.to_string();
    assert!(
        text.starts_with("This operation is permitted on Lambda functions only. Aliases and versions do not")
    );
}

// L102
#[tokio::test(start_paused = true)]
async fn ten_requests_a_second_run_for_each_unit_of_concurrency() {
    let account = account(1_000, 100);
    let orders = account.function("orders");
    orders.reserve(2).unwrap();
    let gate = orders.gate("");
    // Short ones, so that concurrency is no limit.
    for _ in 0..20 {
        drop(gate.try_enter().unwrap());
    }
    let throttled = gate.try_enter().unwrap_err();
    assert_eq!(throttled.reason, ThrottleReason::ReservedRate);
    assert_eq!(throttled.reason.as_str(), "ReservedFunctionInvocationRateLimitExceeded");
    assert_eq!(throttled.retry_after, Some(std::time::Duration::from_millis(50)));
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    drop(gate.try_enter().unwrap());
    assert!(gate.try_enter().is_err());
    let unreserved = Account::new(AccountLimits { concurrency: 1, unreserved_min: 0 });
    let gate = unreserved.function("mails").gate("");
    for _ in 0..10 {
        drop(gate.try_enter().unwrap());
    }
    let throttled = gate.try_enter().unwrap_err();
    assert_eq!(throttled.reason.as_str(), "FunctionInvocationRateLimitExceeded");
}

// L102
#[tokio::test(start_paused = true)]
async fn a_function_grows_by_1000_in_10_seconds() {
    let account = account(4_000, 100);
    let (orders, mails) = (account.function("orders").gate(""), account.function("mails").gate(""));
    let (mut running, throttled) = all(&orders);
    assert_eq!((running.len(), throttled.reason), (1_000, ThrottleReason::Concurrency));
    assert_eq!(throttled.retry_after, Some(std::time::Duration::from_millis(10)));
    // Each function has a rate of its own.
    assert_eq!(all(&mails).0.len(), 1_000);
    // It comes back continuously, and does not add up.
    tokio::time::sleep(secs(1)).await;
    let more = all(&orders).0;
    assert_eq!(more.len(), 100);
    running.extend(more);
    tokio::time::sleep(secs(60)).await;
    let more = all(&orders).0;
    assert_eq!(more.len(), 1_000);
    running.extend(more);
    // What was started stays for a while: no growth is needed.
    drop(running);
    assert_eq!(all(&orders).0.len(), 2_100);
    // After ten minutes without use it is gone.
    tokio::time::sleep(secs(600)).await;
    assert_eq!(all(&orders).0.len(), 1_000);
}

//! Provisioned concurrency. L103, L104.

use broker_worker::{
    Failure,
    concurrency::{
        Account, AccountLimits, FunctionConcurrency, Gate, Permit, Provisioned, ProvisionedStatus,
        ThrottleReason, Usage,
    },
};

fn orders(concurrency: u32, unreserved_min: u32) -> FunctionConcurrency {
    Account::new(AccountLimits { concurrency, unreserved_min }).function("orders")
}

fn enter(orders: &FunctionConcurrency, qualifier: &str, times: usize) -> Vec<Permit> {
    (0..times).map(|_| orders.gate(qualifier).try_enter().unwrap()).collect()
}

#[track_caller]
fn assert_says<T: std::fmt::Debug>(outcome: Result<T, impl std::fmt::Display>, text: &str) {
    match outcome {
        Err(error) => assert_eq!(error.to_string(), text),
        Ok(done) => panic!("it should have been refused: {done:?}"),
    }
}

// L103
#[tokio::test(start_paused = true)]
async fn provisioned_concurrency_is_in_progress_and_then_ready() {
    let orders = orders(1_000, 100);
    assert_eq!(orders.publish(), 1);
    let provisioned = orders.provision("1", 5).unwrap();
    let expected =
        Provisioned { requested: 5, allocated: 0, available: 0, status: ProvisionedStatus::InProgress };
    assert_eq!((&provisioned, provisioned.status.as_str()), (&expected, "IN_PROGRESS"));
    // Until it is ready, invocations run without it.
    let early = enter(&orders, "1", 1);
    assert_eq!(orders.usage(), Usage { provisioned: 0, on_demand: 1 });
    orders.initialized("1", Ok(())).unwrap();
    let running = enter(&orders, "1", 2);
    let provisioned = orders.provisioned("1").unwrap();
    let expected = Provisioned { requested: 5, allocated: 5, available: 3, status: ProvisionedStatus::Ready };
    assert_eq!((&provisioned, provisioned.status.as_str()), (&expected, "READY"));
    drop((early, running));
    assert_eq!(orders.usage(), Usage::default());
    orders.unprovision("1");
    assert_says(orders.provisioned("1"), "No Provisioned Concurrency Config found for this function");
    // Removing what is not there is no error.
    orders.unprovision("1");
    assert!(orders.initialized("1", Ok(())).is_err());
}

// L103
#[tokio::test(start_paused = true)]
async fn a_failed_initialisation_takes_no_concurrency() {
    let orders = orders(10, 0);
    orders.publish();
    orders.provision("1", 4).unwrap();
    orders.initialized("1", Err(Failure::new("no network"))).unwrap();
    let status = orders.provisioned("1").unwrap().status;
    assert_eq!((status.as_str(), status.reason()), ("FAILED", Some("FUNCTION_ERROR_INIT_FAILURE")));
    assert_eq!(enter(&orders, "", 10).len(), 10);
}

// L103
#[tokio::test(start_paused = true)]
async fn what_cannot_be_provisioned_is_refused() {
    let orders = orders(1_000, 100);
    let (one, two) = (orders.publish(), orders.publish());
    orders.alias("live", one).unwrap();
    let unpublished = "Provisioned Concurrency Configs cannot be applied to unpublished function versions.";
    assert_says(orders.provision("$LATEST", 1), unpublished);
    assert_says(orders.provision("1", 0), "provisioned_concurrency is 0: must be at least 1");
    assert_says(orders.provision("3", 1), "Function not found: orders:3");
    assert_says(orders.alias("live", 3), "Function not found: orders:3");
    // Not both a version and its alias.
    orders.provision("live", 1).unwrap();
    assert_says(orders.provision("1", 1), "Version is pointed by a Provisioned Concurrency alias");
    orders.provision("2", 1).unwrap();
    orders.alias("next", two).unwrap();
    let both =
        "Alias can't be used for Provisioned Concurrency configuration on an already Provisioned version";
    assert_says(orders.provision("next", 1), both);
    // It counts against the account, and against the reservation.
    let left = "Specified ConcurrentExecutions for function decreases account's UnreservedConcurrentExecution \
                below its minimum value of [100].";
    assert_says(orders.provision("live", 900), left);
    orders.reserve(10).unwrap();
    let more = "Specified ConcurrentExecutions for function is greater than function's reserved concurrency.";
    assert_says(orders.provision("live", 10), more);
    orders.provision("live", 9).unwrap();
    assert_says(orders.reserve(9), more);
}

// L103
#[tokio::test(start_paused = true)]
async fn what_is_more_than_provisioned_runs_on_demand_within_the_reservation() {
    let orders = orders(1_000, 100);
    orders.publish();
    orders.reserve(5).unwrap();
    orders.provision("1", 2).unwrap();
    orders.initialized("1", Ok(())).unwrap();
    let _running = enter(&orders, "1", 5);
    assert_eq!(orders.usage(), Usage { provisioned: 2, on_demand: 3 });
    let throttled = orders.gate("1").try_enter().unwrap_err();
    assert_eq!(throttled.reason, ThrottleReason::ReservedConcurrency);
}

// L103
#[tokio::test(start_paused = true)]
async fn provisioned_concurrency_follows_its_alias() {
    let orders = orders(1_000, 100);
    let (one, two) = (orders.publish(), orders.publish());
    orders.alias("live", one).unwrap();
    orders.provision("live", 2).unwrap();
    orders.initialized("live", Ok(())).unwrap();
    let before = enter(&orders, "live", 1);
    orders.alias("live", two).unwrap();
    let _after = enter(&orders, "live", 1);
    assert_eq!(orders.usage(), Usage { provisioned: 2, on_demand: 0 });
    // A version by its number has nothing of it.
    let _direct = enter(&orders, "2", 1);
    assert_eq!(orders.usage(), Usage { provisioned: 2, on_demand: 1 });
    drop(before);
    assert_eq!(orders.provisioned("live").unwrap().available, 1);
}

// L104
#[tokio::test(start_paused = true)]
async fn provisioned_concurrency_can_use_up_the_reservation() {
    let orders = orders(1_000, 100);
    orders.publish();
    orders.reserve(1).unwrap();
    orders.provision("1", 1).unwrap();
    orders.initialized("1", Ok(())).unwrap();
    let throttled = orders.gate("$LATEST").try_enter().unwrap_err();
    assert_eq!(throttled.reason, ThrottleReason::ReservedConcurrency);
    let running = orders.gate("1").try_enter().unwrap();
    assert!(orders.gate("1").try_enter().is_err());
    drop(running);
    assert!(orders.gate("1").try_enter().is_ok());
}

//! How fast Kubernetes' autoscaler goes: windows and policies (S64, S65).

use broker_worker::{
    Error,
    scaling::{Behavior, Bounds, Hpa, HpaState, RateChange, RatePolicy, Reading, Reason, Select},
};

use crate::common::{at, secs};

struct Asked {
    hpa: Hpa,
    state: HpaState,
    second: u64,
}

impl Asked {
    fn new(current: u32, up: Behavior, down: Behavior) -> Self {
        let hpa = Hpa::new(Bounds::new(1, 1_000).unwrap()).behavior(up, down).unwrap();
        let state = hpa.start(current, at(0));
        Self { hpa, state, second: 0 }
    }

    /// Wants a count, and goes on 15 seconds. What there is then.
    fn want(&mut self, count: u32) -> u32 {
        let reading = Reading::Total { total: f64::from(count), per_pod: 1.0 };
        let decision = self.hpa.decide(&mut self.state, &[reading], at(self.second));
        self.second += 15;
        decision.desired
    }

    fn wants(&mut self, counts: &[u32]) -> Vec<u32> {
        counts.iter().map(|count| self.want(*count)).collect()
    }
}

fn policy(change: RateChange, seconds: u64) -> RatePolicy {
    RatePolicy { change, period: secs(seconds) }
}

fn free(Behavior { select, tolerance, .. }: Behavior) -> Behavior {
    Behavior { stabilization: secs(0), policies: Vec::new(), select, tolerance }
}

// S64
#[test]
fn the_count_goes_down_to_the_largest_recommendation_of_five_minutes() {
    let mut asked = Asked::new(20, Behavior::up(), Behavior::down());
    assert_eq!(asked.wants(&[20; 1]), [20]);
    // The 20 of second 0 hold until 300 s have passed: 19 more looks.
    assert_eq!(asked.wants(&[5; 19]), [20; 19]);
    assert_eq!(asked.second, 300);
    assert_eq!(asked.want(7), 7);
}

// S64
#[test]
fn a_recommendation_in_between_holds_the_count_at_its_height() {
    let mut asked = Asked::new(20, Behavior::up(), Behavior::down());
    let mut wanted = vec![20; 1];
    wanted.extend([5; 10]);
    wanted.push(12); // second 165
    wanted.extend([5; 8]);
    assert_eq!(asked.wants(&wanted), [20; 20]);
    let reading = Reading::Total { total: 5.0, per_pod: 1.0 };
    let decision = asked.hpa.decide(&mut asked.state, &[reading], at(300));
    assert_eq!((decision.desired, decision.reason), (12, Reason::Stabilized { wanted: 5 }));
    asked.second = 315;
    assert_eq!(asked.wants(&[5; 10]), [[12; 10].as_slice()].concat());
    assert_eq!(asked.want(5), 5); // second 465
}

// S64
#[test]
fn with_a_window_upwards_the_least_recommendation_counts() {
    let up = Behavior { stabilization: secs(30), ..free(Behavior::up()) };
    let mut asked = Asked::new(2, up, free(Behavior::down()));
    assert_eq!(asked.wants(&[2, 8, 6, 8]), [2, 2, 6, 6]);
    // The default has none.
    let mut asked = Asked::new(2, free(Behavior::up()), free(Behavior::down()));
    assert_eq!(asked.wants(&[2, 8]), [2, 8]);
}

// S64
#[test]
fn a_window_is_an_hour_at_most() {
    for (seconds, taken) in [(3_600, true), (3_601, false)] {
        let down = Behavior { stabilization: secs(seconds), ..Behavior::down() };
        let built = Hpa::new(Bounds::new(1, 2).unwrap()).behavior(Behavior::up(), down);
        assert_eq!(built.is_ok(), taken, "{seconds}");
    }
}

// S65
#[test]
fn by_default_the_count_goes_up_by_4_or_to_the_double_whichever_is_more() {
    let mut asked = Asked::new(1, Behavior::up(), Behavior::down());
    assert_eq!(asked.wants(&[500; 7]), [5, 10, 20, 40, 80, 160, 320]);
}

// S65
#[test]
fn by_default_the_count_goes_down_as_far_as_it_should_at_once() {
    let down = Behavior { stabilization: secs(0), ..Behavior::down() };
    let mut asked = Asked::new(500, Behavior::up(), down);
    assert_eq!(asked.want(1), 1);
}

// S65
#[test]
fn the_limit_is_computed_from_the_count_at_the_beginning_of_the_period() {
    let up = Behavior { policies: vec![policy(RateChange::Pods(4), 60)], ..free(Behavior::up()) };
    let mut asked = Asked::new(10, up, free(Behavior::down()));
    // 2, and the other 2, and no more until the first two are a minute old.
    assert_eq!(asked.wants(&[12, 50, 50, 50, 50, 50]), [12, 14, 14, 14, 16, 18]);
}

// S65
#[test]
fn the_policy_that_allows_most_or_least_counts_or_none() {
    let policies = || vec![policy(RateChange::Percent(50), 60), policy(RateChange::Pods(2), 60)];
    for (select, up_to, down_to) in [(Select::Max, 15, 5), (Select::Min, 12, 8), (Select::Disabled, 10, 10)] {
        let behavior = |base| Behavior { policies: policies(), select, ..free(base) };
        let asked = || Asked::new(10, behavior(Behavior::up()), behavior(Behavior::down()));
        assert_eq!((asked().want(100), asked().want(1)), (up_to, down_to), "{select:?}");
    }
}

// S65
#[test]
fn a_percentage_is_rounded_so_that_more_changes() {
    let tenth = || vec![policy(RateChange::Percent(10), 60)];
    let up = Behavior { policies: tenth(), ..free(Behavior::up()) };
    let down = Behavior { policies: tenth(), ..free(Behavior::down()) };
    assert_eq!(Asked::new(72, up.clone(), down.clone()).want(1), 64);
    assert_eq!(Asked::new(72, up, down).want(500), 80);
}

// S65
#[test]
fn a_period_is_1_to_1800_seconds() {
    for (seconds, taken) in [(0, false), (1, true), (1_800, true), (1_801, false)] {
        let up = Behavior { policies: vec![policy(RateChange::Pods(1), seconds)], ..Behavior::up() };
        let built = Hpa::new(Bounds::new(1, 2).unwrap()).behavior(up, Behavior::down());
        let refused = matches!(built, Err(Error::InvalidSetting { field: "period", .. }));
        assert_eq!((built.is_ok(), refused), (taken, !taken), "{seconds}");
    }
}

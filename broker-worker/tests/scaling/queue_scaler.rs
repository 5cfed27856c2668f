//! KEDA's scaler of a queue: its length, from and to zero, pauses (S50 to S53, S55, S56).

use broker_worker::scaling::{Behavior, Pause, QueueScaler, QueueTarget, Reason, Sample};

use crate::common::{Fleet, secs};

pub(crate) fn messages(visible: u64) -> Sample {
    Sample::new(0).visible(visible).in_flight(0).delayed(0)
}

/// With 0 to 100 workers, down as fast as up.
pub(crate) fn scaler() -> QueueScaler {
    let down = Behavior { stabilization: secs(0), ..Behavior::down() };
    QueueScaler::new(0, 100).unwrap().behavior(Behavior::up(), down).unwrap()
}

/// Every 15 seconds from one second on, up to and with another.
pub(crate) fn every_15(fleet: &mut Fleet<QueueScaler>, from: u64, to: u64, sample: &Sample) -> Vec<u32> {
    (from..=to).step_by(15).map(|second| fleet.desired(second, sample)).collect()
}

// S50
#[test]
fn the_length_is_what_is_visible_and_in_flight_and_if_asked_for_what_is_delayed() {
    let sample = Sample::new(0).visible(10).in_flight(20).delayed(40);
    for (in_flight, delayed, desired) in
        [(true, false, 6), (false, false, 2), (true, true, 14), (false, true, 10)]
    {
        let mut fleet = Fleet::new(
            scaler()
                .target(QueueTarget {
                    scale_on_in_flight: in_flight,
                    scale_on_delayed: delayed,
                    ..QueueTarget::default()
                })
                .unwrap(),
            10,
        );
        assert_eq!(fleet.desired(0, &sample), desired, "in flight {in_flight}, delayed {delayed}");
    }
}

// S50
#[test]
fn the_defaults_are_those_of_keda() {
    let scaler = QueueTarget::default();
    assert!((scaler.queue_length - 5.0).abs() < f64::EPSILON);
    assert_eq!((scaler.activation_queue_length, scaler.polling_interval), (0, secs(30)));
    assert_eq!((scaler.scale_on_in_flight, scaler.scale_on_delayed), (true, false));
    assert_eq!((scaler.cooldown, scaler.initial_cooldown), (secs(300), secs(0)));
    assert_eq!((scaler.fallback, scaler.pause), (None, Pause::default()));
    assert!(QueueScaler::new(0, 0).is_err() && QueueScaler::new(2, 1).is_err());
}

// S51
#[test]
fn the_first_worker_comes_with_the_first_poll_that_finds_something_and_the_others_in_proportion() {
    let mut fleet = Fleet::new(scaler(), 0);
    assert_eq!(fleet.desired(0, &messages(0)), 0);
    // The next poll is at 30 s.
    assert_eq!(fleet.desired(29, &messages(40)), 0);
    let decision = fleet.decide(30, &messages(0).visible(40));
    assert_eq!(decision.desired, 5); // one, and 4 more by the autoscaler
    assert_eq!(fleet.desired(45, &messages(40)), 8); // 40 / 5
}

// S51
#[test]
fn from_nothing_it_goes_to_the_least_that_there_must_be() {
    let quiet = |scaler: QueueScaler| {
        scaler.behavior(
            Behavior {
                stabilization: secs(0),
                policies: Vec::new(),
                select: broker_worker::scaling::Select::Disabled,
                ..Behavior::up()
            },
            Behavior::down(),
        )
    };
    let mut fleet = Fleet::new(quiet(QueueScaler::new(0, 10).unwrap()).unwrap(), 0);
    let decision = fleet.decide(0, &messages(100));
    assert_eq!((decision.desired, decision.reason), (1, Reason::Activated));
    let idle = quiet(QueueScaler::new(3, 10).unwrap().idle_replicas(0).unwrap()).unwrap();
    assert_eq!(Fleet::new(idle, 0).desired(0, &messages(100)), 3);
}

// S51
#[test]
fn idle_replicas_are_zero_and_below_the_least() {
    assert!(QueueScaler::new(3, 10).unwrap().idle_replicas(1).is_err());
    assert!(QueueScaler::new(0, 10).unwrap().idle_replicas(0).is_err());
    let idle = QueueScaler::new(3, 10).unwrap().idle_replicas(0).unwrap();
    let mut fleet = Fleet::new(idle, 3);
    assert_eq!(fleet.desired(0, &messages(1)), 3);
    assert_eq!(fleet.desired(300, &messages(0)), 3);
    assert_eq!(fleet.desired(330, &messages(0)), 0);
}

// S52
#[test]
fn the_last_worker_goes_after_more_than_the_cooldown_without_anything_to_do() {
    let mut fleet = Fleet::new(scaler(), 0);
    fleet.desired(0, &messages(5));
    fleet.desired(30, &messages(5)); // the last poll that finds something
    let counts: Vec<u32> = (31..=359).map(|second| fleet.desired(second, &messages(0))).collect();
    assert!(counts.iter().all(|count| *count == 1));
    // At 330 s the cooldown of 300 s has not been exceeded; the next poll is at 361 s.
    let decision = fleet.decide(361, &messages(0));
    assert_eq!((decision.desired, decision.reason), (0, Reason::Inactive));
}

// S52
#[test]
fn before_there_was_anything_to_do_the_initial_cooldown_counts() {
    for (initial, gone) in [(0, 30), (60, 90)] {
        let mut fleet = Fleet::new(
            scaler()
                .target(QueueTarget { initial_cooldown: secs(initial), ..QueueTarget::default() })
                .unwrap(),
            1,
        );
        let counts = every_15(&mut fleet, 0, gone - 15, &messages(0));
        assert!(counts.iter().all(|count| *count == 1), "{initial}: {counts:?}");
        assert_eq!(fleet.desired(gone, &messages(0)), 0);
    }
}

// S52
#[test]
fn something_to_do_at_a_poll_starts_the_cooldown_anew() {
    let mut fleet = Fleet::new(scaler(), 1);
    every_15(&mut fleet, 0, 270, &messages(1));
    assert_eq!(every_15(&mut fleet, 285, 570, &messages(0)), [1; 20]);
    assert_eq!(every_15(&mut fleet, 585, 600, &messages(0)), [1, 0]);
}

// S52
#[test]
fn with_a_least_of_one_the_last_worker_stays() {
    let mut fleet = Fleet::new(QueueScaler::new(1, 10).unwrap(), 1);
    assert_eq!(every_15(&mut fleet, 0, 900, &messages(0)), [1; 61]);
}

// S53
#[test]
fn activation_beats_scaling() {
    let scaler = || {
        scaler()
            .target(QueueTarget { queue_length: 10.0, activation_queue_length: 50, ..QueueTarget::default() })
            .unwrap()
    };
    let mut fleet = Fleet::new(scaler(), 0);
    assert_eq!(every_15(&mut fleet, 0, 600, &messages(40)), [0; 41]);
    // Not more than 50 either, and then one more.
    assert_eq!(fleet.desired(630, &messages(50)), 0);
    assert!(fleet.desired(660, &messages(51)) > 0);
    // 40 messages would be for 4 workers; they all go once the cooldown is over.
    let counts = every_15(&mut fleet, 675, 990, &messages(40));
    assert_eq!((counts[1], counts[20], counts[21]), (4, 4, 0));
    // With a least of one activation is ignored.
    let least = QueueScaler::new(1, 10)
        .unwrap()
        .target(QueueTarget { activation_queue_length: 50, ..QueueTarget::default() })
        .unwrap();
    assert_eq!(every_15(&mut Fleet::new(least, 1), 0, 15, &messages(40)), [5, 8]);
}

// S55
#[test]
fn a_pause_keeps_the_count_or_sets_it() {
    let paused =
        |pause| Fleet::new(scaler().target(QueueTarget { pause, ..QueueTarget::default() }).unwrap(), 4);
    let off = Pause::default();
    let mut fleet = paused(Pause { paused: true, ..off });
    assert_eq!(every_15(&mut fleet, 0, 600, &messages(500)), [4; 41]);
    let mut fleet = paused(Pause { replicas: Some(7), ..off });
    assert_eq!(every_15(&mut fleet, 0, 600, &messages(0)), [7; 41]);
    let mut fleet = paused(Pause { scale_in: true, ..off });
    assert_eq!(every_15(&mut fleet, 0, 600, &messages(0)), [4; 41]);
    assert_eq!(fleet.desired(615, &messages(25)), 5);
    let mut fleet = paused(Pause { scale_out: true, ..off });
    assert_eq!(every_15(&mut fleet, 0, 15, &messages(500)), [4; 2]);
    assert_eq!(fleet.desired(30, &messages(10)), 2);
    let mut fleet = Fleet::new(
        scaler()
            .target(QueueTarget { pause: Pause { scale_out: true, ..off }, ..QueueTarget::default() })
            .unwrap(),
        0,
    );
    assert_eq!(every_15(&mut fleet, 0, 600, &messages(500)), [0; 41]);
}

// S55
#[test]
fn activation_can_be_forced() {
    let pause = Pause { force_activation: true, ..Pause::default() };
    let mut fleet = Fleet::new(scaler().target(QueueTarget { pause, ..QueueTarget::default() }).unwrap(), 0);
    assert_eq!(every_15(&mut fleet, 0, 900, &messages(0)), [1; 61]);
}

// S56
#[test]
fn what_is_in_flight_keeps_its_workers_unless_the_scaler_is_told_not_to_look() {
    // Twenty messages, all of them being worked on by four workers.
    let sample = Sample::new(4).visible(0).in_flight(20);
    assert_eq!(Fleet::new(scaler(), 4).desired(0, &sample), 4);
    let blind = scaler().target(QueueTarget { scale_on_in_flight: false, ..QueueTarget::default() }).unwrap();
    assert_eq!(Fleet::new(blind, 4).desired(0, &sample), 1);
}

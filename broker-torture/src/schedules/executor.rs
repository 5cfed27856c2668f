//! Runs futures on one thread and lets chance decide which of those that were woken goes next.
//!
//! The broker's own tasks run on tokio's queue in between. When nothing was woken any more, all is quiet: a future that is
//! still pending then waits for time to pass, or for a wake-up that was lost.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use crate::work::mix;

/// So many turns of tokio's queue without a wake-up mean that it is empty: no task of the broker hands over to another one
/// that often.
const QUIET_TURNS: usize = 12;

/// A sequence that looks like chance, and is the same for the same seed.
#[derive(Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(mix(seed))
    }

    /// A number below `sides`.
    pub(crate) fn roll(&mut self, sides: u64) -> u64 {
        self.0 = mix(self.0);
        self.0 % sides.max(1)
    }

    pub(crate) fn index(&mut self, of: usize) -> usize {
        usize::try_from(self.roll(of as u64)).unwrap_or(0)
    }
}

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Release);
    }
}

struct Task<'a> {
    future: Pin<Box<dyn Future<Output = ()> + 'a>>,
    woken: Arc<Flag>,
    waker: Waker,
}

/// See the module.
pub(crate) struct Executor<'a> {
    tasks: Vec<Task<'a>>,
    dice: Dice,
    /// How often a future was polled.
    pub(crate) polls: u64,
    /// What was chosen, so that two runs can be compared.
    pub(crate) trace: u64,
}

impl<'a> Executor<'a> {
    pub(crate) fn new(dice: Dice) -> Self {
        Self { tasks: Vec::new(), dice, polls: 0, trace: 0 }
    }

    pub(crate) fn spawn(&mut self, future: impl Future<Output = ()> + 'a) {
        let woken = Arc::new(Flag(AtomicBool::new(true)));
        let waker = Waker::from(woken.clone());
        self.tasks.push(Task { future: Box::pin(future), woken, waker });
    }

    /// Runs until nothing was woken any more. Returns how many futures are still pending.
    pub(crate) async fn run_until_quiet(&mut self) -> usize {
        let mut quiet = 0;
        while quiet < QUIET_TURNS {
            let woken = |task: &Task<'_>| task.woken.0.load(Ordering::Acquire);
            let ready: Vec<usize> = (0..self.tasks.len()).filter(|at| woken(&self.tasks[*at])).collect();
            // Sometimes the broker's own tasks go first.
            if ready.is_empty() || self.dice.roll(4) == 0 {
                quiet = if ready.is_empty() { quiet + 1 } else { 0 };
                tokio::task::yield_now().await;
                continue;
            }
            quiet = 0;
            let chosen = ready[self.dice.index(ready.len())];
            self.poll(chosen);
        }
        self.tasks.len()
    }

    fn poll(&mut self, at: usize) {
        self.polls += 1;
        self.trace = mix(self.trace ^ at as u64);
        let task = &mut self.tasks[at];
        task.woken.0.store(false, Ordering::Release);
        if task.future.as_mut().poll(&mut Context::from_waker(&task.waker)) == Poll::Ready(()) {
            drop(self.tasks.swap_remove(at));
        }
    }
}

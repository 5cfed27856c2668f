//! Dropped futures: every public future of the workers, dropped after one poll, after two, and so on until it gets to its end by itself.
//!
//! What each promises then is checked after every drop, and always: nothing acknowledged is lost, nothing is handled after it was
//! acknowledged, and nothing runs on that is not said to.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod deployments;
mod functions;
mod handlers;
mod hands;
mod pools;
mod queues;
mod record_handlers;
mod slow_stream;
mod streams;
mod telling;
mod world;

use std::{pin::pin, task::Poll, time::Duration};

use tokio::{
    runtime::Handle,
    time::{Instant, sleep, timeout},
};

/// More polls than any future here needs: one that gets here never ends.
const POLLS_MAX: usize = 200;
/// A check that takes so long, of virtual time, hangs.
const HANGS: Duration = Duration::from_secs(24 * 60 * 60);
/// A future that nobody wakes is polled again so often, so that it is dropped at many moments of a long wait.
const TURN: Duration = Duration::from_secs(1);

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Drops a future after one poll, after two, and so on, each time in a new world, until it gets to its end. The check is told what it
/// returned, `None` if it was dropped. Returns how often it was dropped.
async fn sweep<W, T>(
    world: impl AsyncFn() -> W,
    future: impl AsyncFn(&mut W) -> T,
    check: impl AsyncFn(W, Option<T>),
) -> usize {
    for polls in 1..POLLS_MAX {
        let _told = Told(polls);
        let tasks = Handle::current().metrics().num_alive_tasks();
        let mut prepared = world().await;
        let done = until_dropped(future(&mut prepared), polls).await;
        let ended = done.is_some();
        timeout(HANGS, check(prepared, done)).await.expect("what is checked after the drop hangs");
        // The world is gone, and with it what ran in it.
        sleep(secs(1)).await;
        assert_eq!(Handle::current().metrics().num_alive_tasks(), tasks, "a task has stayed behind");
        if ended {
            return polls - 1;
        }
    }
    panic!("it never ends");
}

/// Says of a failed check after how many polls the future was dropped.
struct Told(usize);

impl Drop for Told {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("dropped after {} polls", self.0);
        }
    }
}

/// Runs a future to its end, or drops it after so many polls. Others run in between.
async fn until_dropped<T>(future: impl Future<Output = T>, polls: usize) -> Option<T> {
    let mut future = pin!(future);
    let mut turn = pin!(sleep(TURN));
    let mut left = polls;
    std::future::poll_fn(|context| {
        let polled = future.as_mut().poll(context);
        left -= 1;
        if polled.is_pending() && left > 0 {
            turn.as_mut().reset(Instant::now() + TURN);
            assert!(turn.as_mut().poll(context).is_pending(), "a turn has only begun");
        }
        match polled {
            Poll::Pending if left == 0 => Poll::Ready(None),
            polled => polled.map(Some),
        }
    })
    .await
}

#[tokio::test(start_paused = true)]
async fn the_sweep_drops_at_every_wait_and_at_every_turn_of_a_long_one() {
    let waits = async |(): &mut ()| {
        sleep(ms(1)).await;
        tokio::task::yield_now().await;
        sleep(ms(2_500)).await;
    };
    let (began, dropped_at) = (Instant::now(), std::cell::RefCell::new(Vec::new()));
    let check = async |(), done: Option<()>| dropped_at.borrow_mut().push((done.is_some(), began.elapsed()));
    assert_eq!(sweep(async || (), waits, check).await, 5);
    assert_eq!(dropped_at.borrow().len(), 6);
}

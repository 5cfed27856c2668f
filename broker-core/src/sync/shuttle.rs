//! The same for a build that Shuttle runs: before each use of one of these, it decides who goes on.
//!
//! The locks and atomics are Shuttle's. Tokio's own are kept where nobody blocks in them: they run as they are, with a
//! [`point`] before each call. Atomics are sequentially consistent here, whatever ordering they are given.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use futures_util::stream::{FuturesUnordered, StreamExt as _};
pub(crate) use shuttle::{
    future::{AbortHandle, JoinError, JoinHandle, yield_now},
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread::yield_now as yield_thread,
};
pub(crate) use shuttle_parking_lot::{Mutex, MutexGuard, RwLock};
pub(crate) use tokio::sync::MutexGuard as AsyncMutexGuard;
use tokio::sync::{self as real, AcquireError, SemaphorePermit, TryAcquireError, oneshot};

/// Somebody else may go on here.
pub fn point() {
    // Each load is such a point, and there is no other call that is nothing else.
    AtomicBool::new(false).load(Ordering::SeqCst);
}

/// A value that is set once.
pub(crate) struct OnceLock<T>(std::sync::OnceLock<T>);

impl<T> OnceLock<T> {
    pub(crate) const fn new() -> Self {
        Self(std::sync::OnceLock::new())
    }

    pub(crate) fn get(&self) -> Option<&T> {
        point();
        self.0.get()
    }

    pub(crate) fn set(&self, value: T) -> Result<(), T> {
        point();
        self.0.set(value)
    }
}

/// Tokio's.
#[derive(Default)]
pub(crate) struct Notify(real::Notify);

impl Notify {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn notify_one(&self) {
        point();
        self.0.notify_one();
    }

    pub(crate) fn notify_waiters(&self) {
        point();
        self.0.notify_waiters();
    }

    pub(crate) fn notified(&self) -> Notified<'_> {
        point();
        Notified(Box::pin(self.0.notified()))
    }
}

/// Tokio's, boxed.
pub(crate) struct Notified<'a>(Pin<Box<real::futures::Notified<'a>>>);

impl Notified<'_> {
    pub(crate) fn enable(mut self: Pin<&mut Self>) -> bool {
        point();
        self.0.as_mut().enable()
    }
}

impl Future for Notified<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        point();
        self.0.as_mut().poll(cx)
    }
}

impl Drop for Notified<'_> {
    fn drop(&mut self) {
        // It passes a notification on that it has not used.
        point();
    }
}

/// Tokio's.
#[derive(Default)]
pub(crate) struct AsyncMutex<T>(real::Mutex<T>);

impl<T> AsyncMutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(real::Mutex::new(value))
    }

    pub(crate) async fn lock(&self) -> AsyncMutexGuard<'_, T> {
        point();
        self.0.lock().await
    }
}

/// Tokio's.
pub(crate) struct Semaphore(real::Semaphore);

impl Semaphore {
    pub(crate) const MAX_PERMITS: usize = real::Semaphore::MAX_PERMITS;

    pub(crate) fn new(permits: usize) -> Self {
        Self(real::Semaphore::new(permits))
    }

    pub(crate) async fn acquire_many(&self, permits: u32) -> Result<SemaphorePermit<'_>, AcquireError> {
        point();
        self.0.acquire_many(permits).await
    }

    pub(crate) fn try_acquire_many(&self, permits: u32) -> Result<SemaphorePermit<'_>, TryAcquireError> {
        point();
        self.0.try_acquire_many(permits)
    }

    pub(crate) fn add_permits(&self, permits: usize) {
        point();
        self.0.add_permits(permits);
    }
}

shuttle::lazy_static! {
    /// Whether the runtime of this execution has shut down.
    static ref SHUT_DOWN: Arc<AtomicBool> = Arc::new(AtomicBool::new(false));
}

/// What is spawned from now on does not run, and what was spawned for a blocking thread and has not begun does not either.
pub fn shut_down_the_runtime() {
    SHUT_DOWN.store(true, Ordering::SeqCst);
}

/// Tasks and threads of Shuttle's.
#[derive(Clone)]
pub(crate) struct Runtime(());

impl Runtime {
    /// There always is one.
    pub(crate) fn try_current() -> Result<Self, std::convert::Infallible> {
        Ok(Self(()))
    }

    pub(crate) fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send + 'static> + Send + 'static,
    {
        shuttle::future::spawn(future)
    }

    pub(crate) fn spawn_blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> oneshot::Receiver<T> {
        let (sender, receiver) = oneshot::channel();
        if SHUT_DOWN.load(Ordering::SeqCst) {
            return receiver;
        }
        shuttle::thread::spawn(move || {
            if !SHUT_DOWN.load(Ordering::SeqCst) {
                let _ = sender.send(work());
            }
        });
        receiver
    }
}

/// Tasks that end with their set.
pub(crate) struct JoinSet<T>(FuturesUnordered<JoinHandle<T>>);

impl<T: Send + 'static> JoinSet<T> {
    pub(crate) fn new() -> Self {
        Self(FuturesUnordered::new())
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn spawn(&mut self, future: impl Future<Output = T> + Send + 'static) {
        self.0.push(shuttle::future::spawn(future));
    }

    pub(crate) fn spawn_on(&mut self, future: impl Future<Output = T> + Send + 'static, _: &Runtime) {
        self.spawn(future);
    }

    pub(crate) async fn join_next(&mut self) -> Option<Result<T, JoinError>> {
        self.0.next().await
    }

    pub(crate) fn poll_join_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<T, JoinError>>> {
        self.0.poll_next_unpin(cx)
    }
}

impl<T> Drop for JoinSet<T> {
    fn drop(&mut self) {
        self.0.iter().for_each(JoinHandle::abort);
    }
}

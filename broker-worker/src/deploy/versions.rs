//! A handler that is several versions of one: each invocation goes to one of two, by their shares, and ends there.

use std::sync::{Arc, Weak};

use async_trait::async_trait;
use broker_core::{Clock, Timestamp, TokioClock};
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::{
    Deploy, Deployment, Invoked, Judge, Judgement, Progress, Rollout, Stage, Strategy, Tally, Telling,
};
use crate::{
    Error, Result,
    handler::{Context, Failure, Handler, SharedHandler},
};

/// A handler whose versions can be exchanged while it runs. Cheap to clone; all clones are the same handler.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
/// use std::time::Duration;
/// use broker_worker::{deploy::{Deploy, Stage, Versions}, handler::each, queue::{QueueMapping, Received}};
///
/// # let broker = broker_core::Broker::open(broker_mem::MemStorage::new()).await?;
/// let orders = broker.queue("orders").await?;
/// let versions = Versions::new("one", each(|_: String, _: Received| async {}));
/// let running = QueueMapping::new(orders, versions.clone()).start().await?;
///
/// let two = each(|_: String, _: Received| async {});
/// let mut deployment = versions.deploy("two", two, Deploy::canary(10, Duration::from_secs(300)))?;
/// assert_eq!(deployment.finished().await, Stage::Done);
/// assert_eq!(versions.current(), "two");
/// # running.stop(Duration::ZERO).await;
/// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
/// ```
pub struct Versions<E: Judge> {
    inner: Arc<Inner<E>>,
}

impl<E: Judge> Clone for Versions<E> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone() }
    }
}

struct Inner<E: Judge> {
    clock: Arc<dyn Clock>,
    routing: Mutex<Routing<E>>,
    /// The new version gave a reason to look at its health, or the handler is gone.
    look: Arc<Notify>,
}

impl<E: Judge> Drop for Inner<E> {
    fn drop(&mut self) {
        // Whoever carries a deployment out waits here, and holds nothing meanwhile.
        self.look.notify_one();
    }
}

struct Routing<E: Judge> {
    current: Arc<Version<E>>,
    next: Option<Next<E>>,
}

/// The version that is being deployed.
struct Next<E: Judge> {
    version: Arc<Version<E>>,
    rollout: Rollout,
    percent: u8,
    /// What the new version has to its credit, in hundredths of an invocation. So its share is exact.
    credit: u8,
}

struct Version<E: Judge> {
    name: String,
    handler: SharedHandler<E>,
    tally: Mutex<Tally>,
}

impl<E: Judge> Version<E> {
    fn new(name: impl Into<String>, handler: SharedHandler<E>) -> Arc<Self> {
        Arc::new(Self { name: name.into(), handler, tally: Mutex::default() })
    }
}

impl<E: Judge> Versions<E> {
    /// A first version, with a name for people to refer to. Time comes from a [`TokioClock`].
    pub fn new(name: impl Into<String>, handler: impl Handler<E>) -> Self {
        Self::of(name, Arc::new(handler), Arc::new(TokioClock::new()))
    }

    /// The same of a handler that is shared, by another clock.
    pub fn of(name: impl Into<String>, handler: SharedHandler<E>, clock: Arc<dyn Clock>) -> Self {
        let routing = Mutex::new(Routing { current: Version::new(name, handler), next: None });
        Self { inner: Arc::new(Inner { clock, routing, look: Arc::default() }) }
    }

    /// The version that is there for good: the old one until a deployment is done.
    pub fn current(&self) -> String {
        self.inner.routing.lock().current.name.clone()
    }

    /// The version that is being deployed.
    pub fn deploying(&self) -> Option<String> {
        self.inner.routing.lock().next.as_ref().map(|next| next.version.name.clone())
    }

    /// What became of the last invocations of that version.
    pub(crate) fn tally(&self) -> Tally {
        self.inner.routing.lock().current.tally.lock().clone()
    }

    /// Begins to shift work to another version. Must be called inside a tokio runtime. Invocations that have begun end on the
    /// version that they have begun on.
    ///
    /// # Errors
    ///
    /// If the plan cannot be carried out, replaces workers, or another deployment is going on.
    pub fn deploy(
        &self,
        name: impl Into<String>,
        handler: impl Handler<E>,
        plan: Deploy,
    ) -> Result<Deployment> {
        self.deploy_shared(name.into(), Arc::new(handler), plan)
    }

    pub(crate) fn deploy_shared(
        &self,
        name: String,
        handler: SharedHandler<E>,
        plan: Deploy,
    ) -> Result<Deployment> {
        if let Strategy::Rolling { .. } = plan.strategy {
            return Err(Error::setting("strategy", "rolling", "replaces workers: deploy it to a pool"));
        }
        let rollout = Rollout::start(plan, self.inner.clock.now())?;
        let mut routing = self.inner.routing.lock();
        if let Some(next) = &routing.next {
            return Err(Error::Deploying { version: next.version.name.clone() });
        }
        // With its first invocation the new version has a whole one to its credit.
        routing.next = Some(Next { version: Version::new(name, handler), rollout, percent: 0, credit: 99 });
        drop(routing);
        let (telling, deployment) = Deployment::new();
        // The first step is taken before anybody can invoke.
        let due = self.inner.step(&telling);
        let deployment = deployment.seen();
        if let Some(due) = due {
            tokio::spawn(drive(Arc::downgrade(&self.inner), telling, due));
        }
        Ok(deployment)
    }
}

/// When to look again.
type Due = Option<Timestamp>;

/// Takes the steps of a deployment when they are due, until it is over or the handler is gone.
async fn drive<E: Judge>(inner: Weak<Inner<E>>, telling: Telling, mut due: Due) {
    loop {
        let Some((clock, look)) = inner.upgrade().map(|strong| (strong.clock.clone(), strong.look.clone()))
        else {
            return;
        };
        let wait = async {
            match due {
                Some(due) => clock.sleep_until(due).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = wait => {}
            () = look.notified() => {}
        }
        let Some(strong) = inner.upgrade() else { return };
        match strong.step(&telling) {
            Some(next) => due = next,
            None => return,
        }
    }
}

impl<E: Judge> Inner<E> {
    /// Decides how much the new version gets. Returns when to do so again; `None` if the deployment is over.
    fn step(&self, telling: &Telling) -> Option<Due> {
        let now = self.clock.now();
        let mut routing = self.routing.lock();
        let next = routing.next.as_mut()?;
        let verdict = next.rollout.plan().judge(&next.version.tally.lock(), now);
        next.percent = next.rollout.traffic(verdict, now);
        let progress = Progress { stage: next.rollout.stage(), percent: next.percent };
        let due = next.rollout.due(now);
        if progress.stage.is_end()
            && let Some(next) = routing.next.take()
            && progress.stage == Stage::Done
        {
            routing.current = next.version;
        }
        drop(routing);
        telling.send_if_modified(|told| std::mem::replace(told, progress) != progress);
        (!progress.stage.is_end()).then_some(due)
    }

    /// The version of the next invocation.
    fn pick(&self) -> Arc<Version<E>> {
        let mut routing = self.routing.lock();
        if let Some(next) = &mut routing.next {
            next.credit += next.percent;
            if next.credit >= 100 {
                next.credit -= 100;
                return next.version.clone();
            }
        }
        routing.current.clone()
    }

    /// Takes down what became of an invocation.
    fn note(&self, version: &Version<E>, invoked: Invoked) {
        version.tally.lock().add(invoked);
        let routing = self.routing.lock();
        if let Some(next) = &routing.next
            && std::ptr::eq(&raw const *next.version, &raw const *version)
            && next.rollout.plan().health.is_bad(&invoked)
        {
            self.look.notify_one();
        }
    }
}

/// An invocation that is going on. Dropped with it, it counts as failed: it panicked, or took too long.
struct Invocation<'a, E: Judge> {
    inner: &'a Inner<E>,
    version: &'a Version<E>,
    began: Timestamp,
    judgement: Option<Judgement<E::Response>>,
}

impl<E: Judge> Invocation<'_, E> {
    fn end(&mut self, answer: Option<&Result<E::Response, Failure>>) {
        if let Some(judgement) = self.judgement.take() {
            let (parts, failed) = judgement(answer);
            let at = self.inner.clock.now();
            self.inner.note(self.version, Invoked { at, took: at.since(self.began), parts, failed });
        }
    }
}

impl<E: Judge> Drop for Invocation<'_, E> {
    fn drop(&mut self) {
        self.end(None);
    }
}

#[async_trait]
impl<E: Judge> Handler<E> for Versions<E> {
    async fn handle(&self, event: E, context: Context) -> Result<E::Response, Failure> {
        let version = self.inner.pick();
        let (began, judgement) = (self.inner.clock.now(), Some(event.judge()));
        let mut invocation = Invocation { inner: &self.inner, version: &version, began, judgement };
        let answer = version.handler.handle(event, context).await;
        invocation.end(Some(&answer));
        answer
    }
}

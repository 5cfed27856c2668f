//! A pool as it runs: look at it, deploy to it, stop it.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::{
    sync::{Notify, broadcast},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use super::{
    capacity::Share,
    events::{PoolEvent, PoolEvents},
    lanes::{Lane, Lanes, Replacing},
};
use crate::{
    Error, Result,
    deploy::{Deploy, Deployment, Progress, Rollout, Strategy, Versions},
    handler::{Handler, SharedHandler},
    queue::{Batch, QueueMapping, Running, Workers},
    shutdown::{Report, stop_all},
    telemetry::Counts,
};

/// What a pool and its task share.
pub(super) struct Shared {
    /// `None` once the pool stops. Never held across an await.
    lanes: Mutex<Option<Lanes>>,
    events: broadcast::Sender<PoolEvent>,
    /// The slots of the workers: they are free once the pool is gone, and nothing of it is at work any more.
    pub(super) share: Mutex<Share>,
    /// What the lanes are made of.
    mapping: QueueMapping,
    pub(super) stop: CancellationToken,
    /// There is a reason to look before it is time.
    pub(super) look: Notify,
    /// Whoever deploys holds it.
    deploying: tokio::sync::Mutex<()>,
}

impl Shared {
    pub(super) fn new(
        lanes: Lanes,
        events: broadcast::Sender<PoolEvent>,
        mapping: QueueMapping,
        share: Share,
    ) -> Self {
        let (lanes, share) = (Mutex::new(Some(lanes)), Mutex::new(share));
        let (stop, look, deploying) = (CancellationToken::new(), Notify::new(), tokio::sync::Mutex::new(()));
        Self { lanes, events, share, mapping, stop, look, deploying }
    }

    /// Does something with the workers; once the pool stops there are none.
    pub(super) fn with<T: Default>(&self, run: impl FnOnce(&mut Lanes) -> T) -> T {
        self.lanes.lock().as_mut().map(run).unwrap_or_default()
    }

    pub(super) fn settle(&self) -> (Option<(String, Progress)>, Option<Running>) {
        self.with(Lanes::settle)
    }

    pub(super) fn tell(&self, event: PoolEvent) {
        // Nobody needs to listen.
        let _ = self.events.send(event);
    }
}

/// A pool that runs. Dropped, it ends at once, as a mapping does.
pub struct RunningPool {
    shared: std::sync::Arc<Shared>,
    control: JoinHandle<()>,
}

impl Drop for RunningPool {
    fn drop(&mut self) {
        self.shared.stop.cancel();
        self.control.abort();
    }
}

impl RunningPool {
    pub(super) fn new(shared: std::sync::Arc<Shared>, control: JoinHandle<()>) -> Self {
        Self { shared, control }
    }

    /// How many workers there are.
    pub fn workers(&self) -> Workers {
        let lanes = self.shared.lanes.lock();
        lanes.as_ref().map_or(Workers { running: 0, busy: 0 }, Lanes::workers)
    }

    /// What it has done so far.
    pub fn counts(&self) -> Counts {
        self.shared.with(|lanes| lanes.counts())
    }

    /// What it does from now on.
    pub fn events(&self) -> PoolEvents {
        PoolEvents::new(self.shared.events.subscribe())
    }

    /// The version of the handler that is there for good: the old one until a deployment is done.
    pub fn version(&self) -> String {
        self.shared.with(|lanes| lanes.versions().current())
    }

    /// Begins to replace the handler by another version of it. What has begun ends on the version that took it. Cancel safe
    /// in this sense: a dropped call has begun or not.
    ///
    /// # Errors
    ///
    /// If the plan cannot be carried out, another deployment is going on, or the queue does not answer.
    pub async fn deploy(
        &self,
        version: impl Into<String>,
        handler: impl Handler<Batch>,
        plan: Deploy,
    ) -> Result<Deployment> {
        let (version, handler) = (version.into(), std::sync::Arc::new(handler));
        let _one = self.shared.deploying.lock().await;
        if let Some(version) = self.shared.with(|lanes| lanes.replacing()) {
            return Err(Error::Deploying { version });
        }
        match plan.strategy() {
            Strategy::Rolling { .. } => self.replace(version, handler, plan).await,
            _ => self.shift(version, handler, plan),
        }
    }

    /// Shifts invocations.
    fn shift(&self, version: String, handler: SharedHandler<Batch>, plan: Deploy) -> Result<Deployment> {
        let versions = self.shared.with(|lanes| Some(lanes.versions()));
        let versions = versions.ok_or(broker_core::Error::Closed)?;
        let deployment = versions.deploy_shared(version.clone(), handler, plan)?;
        let (mut seen, events) = (deployment.clone(), self.shared.events.clone());
        let first = PoolEvent::Deploying { version: version.clone(), progress: seen.progress() };
        self.shared.tell(first);
        tokio::spawn(async move {
            while let Some(progress) = seen.next().await {
                let _ = events.send(PoolEvent::Deploying { version: version.clone(), progress });
            }
        });
        Ok(deployment)
    }

    /// Replaces workers.
    async fn replace(
        &self,
        version: String,
        handler: SharedHandler<Batch>,
        plan: Deploy,
    ) -> Result<Deployment> {
        if let Some(version) = self.shared.with(|lanes| lanes.versions().deploying()) {
            return Err(Error::Deploying { version });
        }
        let mut mapping = self.shared.mapping.lane(handler.clone(), 0);
        let (_, clock, _) = mapping.parts();
        let rollout = Rollout::start(plan, clock.now())?;
        let lane = Lane::start(&mapping, Versions::of(version, handler, clock), 0).await?;
        let (telling, deployment) = Deployment::new();
        self.shared.with(|lanes| lanes.replace(Replacing { lane, rollout, telling }));
        self.shared.look.notify_one();
        Ok(deployment)
    }

    /// Waits until the pool cannot go on, because its queue cannot. For ever if all is well. Cancel safe.
    pub async fn broken(&mut self) {
        // The task ends by itself only then; it does not panic. Once it was seen to end it cannot be waited for again.
        if !self.control.is_finished() {
            let _ = (&mut self.control).await;
        }
    }

    /// Stops, as [`Running::stop`] does: receives nothing more, lets handlers finish for up to `drain`, and gives back what is
    /// not done. A deployment that is going on stays where it is.
    ///
    /// Dropped, it ends everything at once, as if the pool was dropped.
    pub async fn stop(self, drain: Duration) -> Report {
        self.shared.stop.cancel();
        let lanes =
            self.shared.lanes.lock().take().expect("only stopping takes the lanes, and it takes the pool");
        let past = lanes.past();
        let reports = stop_all(lanes.into_running(), drain).await;
        self.shared.share.lock().have(0);
        Lanes::report(past, reports).expect("a pool has a lane")
    }
}

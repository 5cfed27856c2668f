//! A deployment that is going on, as its caller sees it.

use tokio::sync::watch;

use super::Stage;

/// How far a deployment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Its stage.
    pub stage: Stage,
    /// The percentage of the work that the new version gets: of invocations, or of workers in a rolling deployment.
    pub percent: u8,
}

/// A deployment. It goes on if this is dropped.
#[derive(Debug, Clone)]
pub struct Deployment {
    progress: watch::Receiver<Progress>,
}

/// The other end: who carries a deployment out tells here how far it is.
pub(crate) type Telling = watch::Sender<Progress>;

impl Deployment {
    pub(crate) fn new() -> (Telling, Self) {
        let (telling, progress) = watch::channel(Progress { stage: Stage::Shifting, percent: 0 });
        (telling, Self { progress })
    }

    /// The same, with what was told so far seen: the next step is news.
    pub(crate) fn seen(mut self) -> Self {
        self.progress.mark_unchanged();
        self
    }

    /// How far it is now.
    pub fn progress(&self) -> Progress {
        *self.progress.borrow()
    }

    /// Waits until it is further than this handle has said, and says how far; `None` once it has said the end. Cancel safe: a step
    /// that came while nobody waited is said to whoever asks next. Steps that nobody has asked for in between are seen as one.
    pub async fn next(&mut self) -> Option<Progress> {
        let (news, progress) = {
            let progress = self.progress.borrow_and_update();
            (progress.has_changed(), *progress)
        };
        if news {
            return Some(progress);
        }
        if progress.stage.is_end() {
            return None;
        }
        self.progress.changed().await.ok()?;
        Some(*self.progress.borrow_and_update())
    }

    /// Waits for its end: [`Stage::Done`] or [`Stage::RolledBack`]. If whoever carried it out was dropped before, the
    /// stage that it had reached. Cancel safe.
    pub async fn finished(&mut self) -> Stage {
        let end = self.progress.wait_for(|progress| progress.stage.is_end()).await.map(|end| end.stage);
        end.unwrap_or_else(|_| self.progress().stage)
    }
}

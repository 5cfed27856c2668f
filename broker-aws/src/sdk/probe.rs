//! A look at what has happened to the messages of a queue, for assertions of tests.

use std::time::Duration;

use broker_core::Broker;

use super::history::{History, Life};

/// What has happened to the messages of one queue, from the first one on, whoever sent, received or deleted them: clients of the SDK,
/// topics, move tasks or the program itself. It takes nothing away from them.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
/// use std::time::Duration;
/// use broker_aws::{Life, TestAws};
///
/// let aws = TestAws::start().await?;
/// let url = aws.queue("orders").await?;
/// let sqs = aws_sdk_sqs::Client::new(&aws.config());
/// let orders = aws.probe("orders");
///
/// // The service under test would do this, some time later and somewhere else.
/// tokio::spawn(sqs.send_message().queue_url(&url).message_body("socks").send());
///
/// let sent = orders.wait(Duration::from_secs(60), |order| order.text() == "socks").await;
/// assert!(sent.received_at.is_empty());
/// orders.expect_none("was deleted", Life::was_deleted).await;
/// # Ok::<(), broker_core::Error>(()) }).unwrap();
/// ```
#[derive(Clone)]
pub struct Probe {
    queue: String,
    history: History,
    broker: Broker,
}

impl Probe {
    pub(super) fn new(queue: String, history: History, broker: Broker) -> Self {
        Self { queue, history, broker }
    }

    /// Every message that ever was in the queue, in the order in which they came, each with all that has happened to it so far.
    pub async fn all(&self) -> Vec<Life> {
        // What time alone does is told when somebody looks.
        if let Ok(queue) = self.broker.open_queue(&self.queue).await {
            let _ = queue.counters().await;
        }
        self.history.lives(&self.queue)
    }

    /// The first message of which `wanted` is true, now or at some time within `patience`.
    ///
    /// On paused time the wait takes none.
    ///
    /// # Panics
    ///
    /// If there is none by then, with all messages of the queue.
    pub async fn wait(&self, patience: Duration, wanted: impl Fn(&Life) -> bool) -> Life {
        let look = async {
            let mut changes = self.history.changes();
            loop {
                if let Some(life) = self.all().await.into_iter().find(&wanted) {
                    return life;
                }
                tokio::select! {
                    _ = changes.changed() => {}
                    // Time alone can be what is waited for: the end of a retention.
                    () = tokio::time::sleep(LOOK_AGAIN) => {}
                }
            }
        };
        if let Ok(life) = tokio::time::timeout(patience, look).await {
            return life;
        }
        panic!("not seen in {:?} within {patience:?}; seen: {:#?}", self.queue, self.all().await)
    }

    /// That there is no message of which `unwanted` is true, and never was one: exact and without waiting, as every event is told before
    /// the call that made it returns. `what` says in words what must not be.
    ///
    /// # Panics
    ///
    /// If there is one.
    pub async fn expect_none(&self, what: &str, unwanted: impl Fn(&Life) -> bool) {
        if let Some(life) = self.all().await.into_iter().find(unwanted) {
            panic!("a message of {:?} {what}: {life:#?}", self.queue);
        }
    }
}

/// How often is looked for what time alone does.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

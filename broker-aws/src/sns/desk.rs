//! What SNS keeps of each realm, and the realms that it has seen.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use broker_core::{Attached, Broker, Endpoint, LocalTopic, SubscriptionId};
use parking_lot::Mutex;
use tokio::{sync::OnceCell, task::JoinSet};

use super::{
    extras::Extras,
    http::HttpDelivery,
    names::{Names, SnsEnvelope},
    signature::Signer,
};
use crate::realm::Realm;

/// The most errands at once: each has a message of a few kilobytes, and whoever is not asked to confirm can subscribe again.
const ERRANDS_MAX: usize = 1_000;

/// The desks of a service.
#[derive(Default)]
pub(crate) struct Sns {
    signer: Arc<Signer>,
    http: Option<Arc<HttpDelivery>>,
    desks: Mutex<HashMap<Realm, Arc<OnceCell<Arc<Desk>>>>>,
}

/// What SNS keeps of a realm.
pub(crate) struct Desk {
    pub(super) broker: Broker,
    pub(super) names: Arc<Names>,
    /// Held by whoever changes a topic or subscription together with attributes that the broker has no use for.
    pub(super) changes: tokio::sync::Mutex<()>,
    /// How HTTP endpoints are reached, if they may be.
    pub(super) http: Option<Arc<HttpDelivery>>,
    /// Who delivers to HTTP endpoints.
    attached: Mutex<BTreeMap<(String, SubscriptionId), Attached>>,
    /// What is sent on the side. It ends with the service.
    errands: Mutex<JoinSet<()>>,
}

impl Sns {
    /// With HTTP endpoints that may be reached.
    pub(crate) fn new(http: Option<HttpDelivery>) -> Self {
        Self { http: http.map(Arc::new), ..Self::default() }
    }

    /// The certificate in PEM, if that is what is asked for.
    pub(crate) fn certificate(&self, path: &str) -> Option<String> {
        self.signer.certificate(path)
    }

    /// The desk of a realm, set up by the first call for it. Links to the service start with `endpoint` from now on.
    pub(crate) async fn desk(
        &self,
        realm: &Realm,
        broker: &Broker,
        endpoint: &str,
    ) -> broker_core::Result<Arc<Desk>> {
        // As many as there are brokers.
        let cell = self.desks.lock().entry(realm.clone()).or_default().clone();
        let set_up = async || {
            let extras = Extras::load(broker).await?;
            let names = Names::new(realm.clone(), endpoint.to_owned(), extras, self.signer.clone());
            Desk::set_up(broker.clone(), names, self.http.clone()).await
        };
        let desk = cell.get_or_try_init(set_up).await?.clone();
        desk.names.known_as(endpoint);
        Ok(desk)
    }
}

impl Desk {
    /// Gives the broker its names, and takes up what the last process has left to deliver.
    async fn set_up(
        broker: Broker,
        names: Arc<Names>,
        http: Option<Arc<HttpDelivery>>,
    ) -> broker_core::Result<Arc<Self>> {
        broker.set_envelope(SnsEnvelope(names.clone()));
        let desk = Self {
            broker,
            names,
            changes: tokio::sync::Mutex::default(),
            http,
            attached: Mutex::default(),
            errands: Mutex::default(),
        };
        for name in desk.broker.list_topics() {
            // Gone meanwhile.
            let Ok(topic) = desk.broker.open_topic(&name).await else { continue };
            for one in topic.subscriptions().await? {
                desk.expect_signatures(&topic, one.raw_delivery);
                desk.attach(&topic, one.id, &one.endpoint).await?;
            }
        }
        Ok(Arc::new(desk))
    }

    /// Notes that messages of a topic will be signed, if a subscription gets them in the envelope.
    pub(super) fn expect_signatures(&self, topic: &LocalTopic, raw_delivery: bool) {
        if !raw_delivery && !topic.is_fifo() {
            self.names.signer.want();
        }
    }

    /// Delivers to an HTTP endpoint from now on. To do so again changes nothing.
    pub(super) async fn attach(
        &self,
        topic: &LocalTopic,
        id: SubscriptionId,
        endpoint: &Endpoint,
    ) -> broker_core::Result<()> {
        let Some(http) = self.http.as_ref().filter(|_| matches!(endpoint.protocol(), "http" | "https"))
        else {
            return Ok(());
        };
        let key = (topic.name().to_owned(), id);
        if self.attached.lock().contains_key(&key) {
            return Ok(());
        }
        let deliver = http.deliver(topic.clone(), self.names.clone());
        match topic.attach(id, deliver).await {
            Ok(attached) => drop(self.attached.lock().insert(key, attached)),
            // The program delivers to it itself.
            Err(broker_core::Error::InvalidParameter { .. }) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Ends the deliveries to a subscription.
    pub(super) fn detach(&self, topic: &str, id: SubscriptionId) {
        let attached = self.attached.lock().remove(&(topic.to_owned(), id));
        drop(attached);
    }

    /// Ends the deliveries to all subscriptions of a topic.
    pub(super) fn detach_topic(&self, topic: &str) {
        self.attached.lock().retain(|(of, _), _| of != topic);
    }

    /// Does something on the side, unless there is too much of that.
    pub(super) fn errand(&self, errand: impl Future<Output = ()> + Send + 'static) {
        let mut errands = self.errands.lock();
        while errands.try_join_next().is_some() {}
        if errands.len() < ERRANDS_MAX {
            errands.spawn(errand);
        }
    }
}

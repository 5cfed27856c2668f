//! The listener: takes connections on an address, and stops when it is told to.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use tokio::{
    net::TcpListener,
    sync::{Semaphore, watch},
    task::{JoinHandle, JoinSet},
};

use super::{connection, route::Router, signature::AccessKeys};
use crate::Service;

/// The most connections at once; others wait to be taken. Each has a task and some buffers.
const CONNECTIONS_MAX: usize = 1_024;
/// When connections cannot be taken, as for lack of file descriptors, it is tried again after this.
const RETRY_AFTER: Duration = Duration::from_millis(100);

/// A service on a port, from [`Listener::builder`]. Dropping it ends it at once; [`stop`](Self::stop) lets it finish what it does.
///
/// It speaks plain HTTP/1.1 and HTTP/2 (with prior knowledge) on one port. `/health` and `/metrics` are answered without a
/// signature. Requests of web pages, which carry an `Origin`, are refused: no page that somebody happens to look at shall
/// reach the queues of the machine.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// use broker_aws::{Service, serve::Listener};
/// use broker_core::Broker;
///
/// let broker = Broker::open(broker_mem::MemStorage::new()).await?;
/// let listener = Listener::builder(Service::new(broker)).start().await?;
/// println!("export AWS_ENDPOINT_URL={}", listener.endpoint());
/// listener.stop().await;
/// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
/// ```
#[derive(Debug)]
pub struct Listener {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    running: JoinHandle<()>,
}

impl Listener {
    /// Sets up a listener of this service.
    pub fn builder(service: Service) -> ListenerBuilder {
        ListenerBuilder { service, address: (Ipv4Addr::LOCALHOST, 0).into(), keys: None }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What clients call it: `http://127.0.0.1:4566`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Takes no more connections, and returns when all requests are answered, after at most ten seconds. Those that are not
    /// answered by then are dropped, as receives that wait. Cancel safe: a dropped call ends the listener at once.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        // It fails only if a task panicked, and then it has stopped as well.
        let _ = (&mut self.running).await;
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.running.abort();
    }
}

/// A listener about to start.
#[must_use = "a builder does nothing until it is started"]
#[derive(Clone)]
pub struct ListenerBuilder {
    service: Service,
    address: SocketAddr,
    keys: Option<AccessKeys>,
}

impl ListenerBuilder {
    /// Where to listen, by default on any free port of `127.0.0.1`. Whoever can reach another address can use every queue,
    /// unless there are [`keys`](Self::keys), and even then can read along, because there is no TLS.
    pub fn address(self, address: SocketAddr) -> Self {
        Self { address, ..self }
    }

    /// Takes only requests that are signed with one of these keys. By default all are taken.
    pub fn keys(self, keys: AccessKeys) -> Self {
        Self { keys: Some(keys), ..self }
    }

    /// Starts to listen. Fails as binding the address does. Must be called inside a tokio runtime with I/O and time.
    pub async fn start(self) -> io::Result<Listener> {
        let listener = TcpListener::bind(self.address).await?;
        let address = listener.local_addr()?;
        let (stop, stopped) = watch::channel(false);
        let router = Router::new(self.service, self.keys);
        let running = tokio::spawn(run(listener, router, stopped));
        Ok(Listener { address, stop, running })
    }
}

async fn run(listener: TcpListener, router: Router, stop: watch::Receiver<bool>) {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    let mut stopping = stop.clone();
    let taking = async {
        loop {
            // The semaphore is never closed.
            let Ok(permit) = room.clone().acquire_owned().await else { return };
            while connections.try_join_next().is_some() {}
            match listener.accept().await {
                Ok((stream, _)) => {
                    let served = connection::serve(stream, router.clone(), stop.clone());
                    connections.spawn(async move {
                        served.await;
                        drop(permit);
                    });
                }
                Err(_) => tokio::time::sleep(RETRY_AFTER).await,
            }
        }
    };
    tokio::select! {
        () = taking => {}
        _ = stopping.wait_for(|stop| *stop) => {}
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

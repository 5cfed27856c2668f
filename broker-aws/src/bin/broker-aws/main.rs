//! The program `broker-aws`: the AWS protocols on a port, over brokers in memory or under a directory.

mod options;
mod realms;

use std::process::ExitCode;

use broker_aws::{PlainHttp, Realm, Service, serve::Listener};
use clap::Parser as _;
use options::{Command, Options, Serve};
use realms::{OpenRealms, Store};

type AnyError = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> ExitCode {
    let Command::Serve(serve) = Options::parse().command;
    match run(serve).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("broker-aws: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(serve: Serve) -> Result<(), AnyError> {
    let home = Realm::new(&serve.account, &serve.region)?;
    let limits = serve.limits();
    let store = serve.data_dir.clone().map_or(Store::Memory, Store::Directory);
    let realms = OpenRealms::open(store, limits, &home).await?;
    let mut service = Service::builder(realms.clone()).home(home);
    if serve.throttle_streams {
        service = service.throttle_streams();
    }
    if let Some(hosts) = serve.allowed_hosts() {
        service = service.http_endpoints(PlainHttp, hosts);
    }
    let service = service.build();
    service.resume().await?;
    let mut builder = Listener::builder(service).address((serve.host, serve.port).into());
    if let Some(keys) = serve.access_keys()? {
        builder = builder.keys(keys);
    }
    let stop = stop_signal()?;
    let address = format!("{}:{}", serve.host, serve.port);
    let listener = builder.start().await.map_err(|error| format!("cannot listen on {address}: {error}"))?;
    tell(&listener, &serve);
    stop.await;
    eprintln!("stopping");
    listener.stop().await;
    realms.close().await?;
    Ok(())
}

/// Where it is and how to use it. The first line of the output is the endpoint alone, for scripts.
fn tell(listener: &Listener, serve: &Serve) {
    let endpoint = listener.endpoint();
    println!("{endpoint}");
    println!("export AWS_ENDPOINT_URL={endpoint}");
    match &serve.data_dir {
        Some(directory) => eprintln!("messages are kept under {}", directory.display()),
        None => eprintln!("messages are kept in memory, until this program ends"),
    }
    if !listener.address().ip().is_loopback() && serve.access_keys.is_empty() {
        eprintln!(
            "warning: everybody who can reach {endpoint} can use every queue, topic and stream: see --access-key"
        );
    }
}

/// Comes to its end when the program is asked to stop.
fn stop_signal() -> std::io::Result<impl Future<Output = ()>> {
    #[cfg(unix)]
    let mut terminated = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    Ok(async move {
        #[cfg(unix)]
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminated.recv() => {}
        }
        #[cfg(not(unix))]
        let _ = tokio::signal::ctrl_c().await;
    })
}

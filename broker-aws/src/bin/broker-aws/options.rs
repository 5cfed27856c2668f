//! What the program is told on its command line.

use std::{
    net::{IpAddr, Ipv4Addr},
    path::PathBuf,
    time::Duration,
};

use broker_aws::{AllowedHosts, serve::AccessKeys};
use broker_core::Limits;
use clap::{Args, Parser, Subcommand};

/// SQS, SNS and Kinesis on your own machine.
#[derive(Debug, Parser)]
#[command(name = "broker-aws", disable_help_subcommand = true)]
pub(crate) struct Options {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Listens, until it is interrupted or terminated
    Serve(Serve),
}

#[derive(Debug, Clone, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub(crate) struct Serve {
    /// Address to listen on; anything but loopback lets others in
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    pub(crate) host: IpAddr,
    /// Port to listen on; 0 takes any that is free
    #[arg(long, default_value_t = 4566)]
    pub(crate) port: u16,
    /// Directory to keep everything in, as DIR/ACCOUNT/REGION; without it everything is in memory
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Account of requests whose access key is not an account itself
    #[arg(long, default_value = "000000000000", value_name = "12 DIGITS")]
    pub(crate) account: String,
    /// Region of requests that are not signed
    #[arg(long, default_value = "us-east-1")]
    pub(crate) region: String,
    /// Takes only requests signed with this key; may be given several times
    #[arg(long = "access-key", value_name = "ID:SECRET")]
    pub(crate) access_keys: Vec<String>,
    /// How far the clocks of clients with a key may differ from the one here, in seconds
    #[arg(long, default_value_t = 300, value_name = "SECONDS", requires = "access_keys")]
    pub(crate) clock_skew: u64,
    /// Takes each signature once; boto3 signs two equal calls within a second alike
    #[arg(long, requires = "access_keys")]
    pub(crate) refuse_replays: bool,
    /// Gives provisioned streams that are created the limits of Kinesis for the traffic of a shard
    #[arg(long)]
    pub(crate) throttle_streams: bool,
    /// Lets SNS deliver to HTTP endpoints on this machine
    #[arg(long)]
    pub(crate) sns_http: bool,
    /// Lets SNS deliver to HTTP endpoints on this host and this machine; may be given several times
    #[arg(long = "sns-http-host", value_name = "HOST")]
    pub(crate) sns_http_hosts: Vec<String>,
    /// Also refuses what AWS refuses for a minute: a deleted queue's name, a second purge
    #[arg(long)]
    pub(crate) aws_waits: bool,
}

impl Serve {
    pub(crate) fn limits(&self) -> Limits {
        if self.aws_waits { Limits::aws_with_waits() } else { Limits::aws() }
    }

    /// The hosts that SNS may deliver to, if it may deliver to any.
    pub(crate) fn allowed_hosts(&self) -> Option<AllowedHosts> {
        let hosts = self.sns_http_hosts.iter().fold(AllowedHosts::loopback(), AllowedHosts::host);
        (self.sns_http || !self.sns_http_hosts.is_empty()).then_some(hosts)
    }

    /// The keys, if there are any.
    pub(crate) fn access_keys(&self) -> Result<Option<AccessKeys>, String> {
        if self.access_keys.is_empty() {
            return Ok(None);
        }
        let mut keys = AccessKeys::new().clock_skew(Duration::from_secs(self.clock_skew));
        if self.refuse_replays {
            keys = keys.refuse_replays();
        }
        for given in &self.access_keys {
            let (id, secret) = given.split_once(':').ok_or("--access-key must be as ID:SECRET")?;
            keys = keys.key(id, secret);
        }
        Ok(Some(keys))
    }
}

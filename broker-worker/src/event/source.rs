//! What AWS calls the place that an event comes from.

/// Region, account and sender that events name. There are none in a process: these are the usual stand-ins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// `awsRegion`, and part of ARNs.
    pub region: String,
    /// Part of ARNs.
    pub account: String,
    /// `SenderId` of every message.
    pub sender: String,
}

impl Default for Source {
    fn default() -> Self {
        Self {
            region: "us-east-1".into(),
            account: "000000000000".into(),
            sender: "AIDAIENQZJOLO23YVJ4VO".into(),
        }
    }
}

impl Source {
    /// The ARN of a queue.
    pub fn queue_arn(&self, name: &str) -> String {
        self.arn("sqs", name)
    }

    /// The ARN of a stream.
    pub fn stream_arn(&self, name: &str) -> String {
        self.arn("kinesis", &format!("stream/{name}"))
    }

    fn arn(&self, service: &str, resource: &str) -> String {
        format!("arn:aws:{service}:{}:{}:{resource}", self.region, self.account)
    }
}

//! The three services, by the names that the protocols have for them.

use http::{HeaderMap, header};

use super::{credential, text};
use crate::{protocol::query::Node, sns, wire::queue_url::queue_in_path};

/// One of the three services.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Api {
    Sqs,
    Sns,
    Kinesis,
}

impl Api {
    const ALL: [Self; 3] = [Self::Sqs, Self::Sns, Self::Kinesis];

    /// The service whose operations a header `X-Amz-Target` spells with this prefix.
    pub(super) fn of_target(prefix: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|api| api.target_prefix() == Some(prefix))
    }

    /// The service of a query request: by its version, else by its signature, because it is a link in a message of SNS, because
    /// it goes to a queue, or by its host.
    pub(super) fn of_query(form: &Node, headers: &HeaderMap, path: &str) -> Self {
        let version = form.text("Version");
        let by_version = Self::ALL.into_iter().find(|api| version.is_some() && api.version() == version);
        let by_signature =
            || credential::scope(headers, Some(form)).and_then(|scope| Self::of_name(&scope.service));
        let by_link = || form.text("Action").filter(|action| sns::is_linked(action)).map(|_| Self::Sns);
        let by_path = || queue_in_path(path).map(|_| Self::Sqs);
        by_version
            .or_else(by_signature)
            .or_else(by_link)
            .or_else(by_path)
            .unwrap_or_else(|| Self::of_host(headers))
    }

    /// The service that the host is named after: `sns.eu-west-1.amazonaws.com`. SQS for all others, among them its older
    /// hosts, as `queue.amazonaws.com` and `eu-west-1.queue.amazonaws.com`.
    pub(super) fn of_host(headers: &HeaderMap) -> Self {
        let host = text(headers, header::HOST.as_str()).unwrap_or_default();
        host.split('.').next().and_then(Self::of_name).unwrap_or(Self::Sqs)
    }

    pub(super) fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|api| api.name() == name)
    }

    /// The name in ARNs, in hosts and in the scope of signatures.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sqs => "sqs",
            Self::Sns => "sns",
            Self::Kinesis => "kinesis",
        }
    }

    /// What stands before an operation in `X-Amz-Target`, if the service speaks JSON.
    fn target_prefix(self) -> Option<&'static str> {
        match self {
            Self::Sqs => Some("AmazonSQS"),
            Self::Sns => None,
            Self::Kinesis => Some("Kinesis_20131202"),
        }
    }

    /// The parameter `Version`, if the service speaks the query protocol.
    fn version(self) -> Option<&'static str> {
        match self {
            Self::Sqs => Some("2012-11-05"),
            Self::Sns => Some("2010-03-31"),
            Self::Kinesis => None,
        }
    }

    /// The namespace of its XML.
    pub(crate) fn xml_namespace(self) -> &'static str {
        match self {
            Self::Sqs => "http://queue.amazonaws.com/doc/2012-11-05/",
            Self::Sns => "http://sns.amazonaws.com/doc/2010-03-31/",
            Self::Kinesis => "",
        }
    }

    /// What stands before the name of an error in `__type`.
    pub(crate) fn error_namespace(self) -> &'static str {
        match self {
            Self::Sqs => "com.amazonaws.sqs#",
            Self::Sns | Self::Kinesis => "",
        }
    }
}

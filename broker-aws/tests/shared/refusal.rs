//! An error as a client sees it.

use std::fmt::Debug;

use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

/// An error as a client sees it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) code: String,
    pub(crate) message: String,
    pub(crate) status: u16,
}

/// The error of a call that must be refused.
#[track_caller]
pub(crate) fn refusal<T: Debug, E>(outcome: Result<T, SdkError<E, HttpResponse>>) -> Refusal
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let error = outcome.expect_err("the call is refused");
    let status = error.raw_response().expect("a response").status().as_u16();
    let error = error.as_service_error().expect("an error of the service");
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    Refusal { code: text(error.code()), message: text(error.message()), status }
}

impl Refusal {
    /// Is exactly this.
    #[track_caller]
    pub(crate) fn is(&self, status: u16, code: &str, message: &str) {
        let expected = Refusal { code: code.into(), message: message.into(), status };
        assert_eq!(*self, expected);
    }

    /// Is the fault of who asks, and says something like this.
    #[track_caller]
    pub(crate) fn says(&self, code: &str, part: &str) {
        assert_eq!((self.code.as_str(), self.status / 100), (code, 4), "{self:?}");
        assert!(self.message.contains(part), "{self:?} contains {part:?}");
    }
}

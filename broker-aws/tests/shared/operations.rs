//! That every operation of a service model is called with the SDK in both ways: it succeeds, and is refused with an error of its own type.

use std::{any::type_name, collections::BTreeSet, fmt::Debug};

use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

/// The operations that were called.
#[derive(Default)]
pub(crate) struct Called(BTreeSet<String>);

impl Called {
    /// What a call answers that must succeed.
    #[track_caller]
    pub(crate) fn ok<T, E: Debug>(&mut self, outcome: Result<T, SdkError<E, HttpResponse>>) -> T {
        let called = self.call::<E>();
        outcome.unwrap_or_else(|error| panic!("{called}: {error:?}"))
    }

    /// A call that must be refused, with the error that `is` means.
    #[track_caller]
    pub(crate) fn refused<T: Debug, E: Debug>(
        &mut self,
        outcome: Result<T, SdkError<E, HttpResponse>>,
        is: impl Fn(&E) -> bool,
    ) {
        let called = self.call::<E>();
        let error = outcome.expect_err(&called);
        assert!(error.as_service_error().is_some_and(is), "{called}: {error:?}");
    }

    /// The same with an error for which the SDK has no type.
    #[track_caller]
    pub(crate) fn refused_as<T: Debug, E: Debug + ProvideErrorMetadata>(
        &mut self,
        outcome: Result<T, SdkError<E, HttpResponse>>,
        code: &str,
    ) {
        self.refused(outcome, |error| {
            error.code() == Some(code) && format!("{error:?}").starts_with("Unhandled")
        });
    }

    /// Notes an operation, which is told from the type of its error, as `..::send_message::SendMessageError`.
    fn call<E>(&mut self) -> String {
        let name = type_name::<E>().rsplit("::").next().and_then(|name| name.strip_suffix("Error"));
        let name = name.expect("an operation's error").to_owned();
        self.note(&name);
        name
    }

    /// Notes an operation that was called without the SDK.
    pub(crate) fn note(&mut self, name: &str) {
        self.0.insert(name.to_owned());
    }

    /// That these are all operations of a model, but for those that are not built.
    #[track_caller]
    pub(crate) fn assert_all(&self, model: &str, not_built: &[&str]) {
        let model: serde_json::Value = serde_json::from_str(model).unwrap();
        let all = model["operations"].as_object().unwrap().keys();
        let built: BTreeSet<String> =
            all.filter(|name| !not_built.contains(&name.as_str())).cloned().collect();
        assert_eq!(self.0, built);
    }
}

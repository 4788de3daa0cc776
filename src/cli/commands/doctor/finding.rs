//! What was found out about one thing, and what looks at it.

use async_trait::async_trait;
use serde::Serialize;

use crate::error::{Error, Kind};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    /// As it should be.
    Ok,
    /// It works, but not as well as it could.
    Warn,
    Fail,
}

/// What was found out about one thing.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Finding {
    pub(super) subject: &'static str,
    pub(super) state: State,
    pub(super) message: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) advice: Vec<String>,
    /// The kind of failure; decides the exit code.
    #[serde(skip)]
    pub(super) kind: Kind,
}

impl Finding {
    pub(super) fn ok(subject: &'static str, message: impl Into<String>) -> Self {
        Self { subject, state: State::Ok, message: message.into(), advice: Vec::new(), kind: Kind::Unexpected }
    }

    pub(super) fn warn(subject: &'static str, message: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { state: State::Warn, advice: vec![advice.into()], ..Self::ok(subject, message) }
    }

    pub(super) fn fail(subject: &'static str, message: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { state: State::Fail, advice: vec![advice.into()], ..Self::ok(subject, message) }
    }

    /// A failure by its error.
    pub(super) fn of_error(subject: &'static str, state: State, error: &Error) -> Self {
        let found = Self::ok(subject, error.to_string());
        Self { state, advice: error.hints().to_vec(), kind: error.kind(), ..found }
    }
}

/// Something that is looked at.
#[async_trait]
pub(super) trait Check: Send + Sync {
    /// Looks at it. What can't be found out is a finding, too.
    async fn look(&self) -> Vec<Finding>;
}

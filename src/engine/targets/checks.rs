//! What was tried of a target, and what came of it.

use serde::Serialize;

use super::secrets::{self, Variables};
use crate::catalog::targets::{NodeSettings, Secret};
use crate::error::{Error, Kind};

/// A part of a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// The node that holds the registry.
    Node,
    /// The static host that holds it.
    Host,
    /// The DNSLink record, in its zone and as resolvers see it.
    Dnslink,
    /// The IPNS name and the key that moves it.
    Ipns,
    /// A gateway that is checked after publishing.
    Gateway,
}

impl Part {
    /// As people call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Host => "host",
            Self::Dnslink => "DNSLink",
            Self::Ipns => "IPNS",
            Self::Gateway => "gateway",
        }
    }
}

/// What came of trying something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Works as publishing needs it.
    Good,
    /// Works, and is worth a look.
    Doubtful,
    /// Publishing would fail here.
    Failed,
    /// It can't be tried, because something before it failed.
    Skipped,
}

impl Outcome {
    /// One word for the first column of the report.
    pub fn word(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Doubtful => "look",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }
}

/// Something that was tried.
#[derive(Debug, Clone, Serialize)]
pub struct Check {
    /// Part that the check belongs to.
    pub part: Part,
    /// What was tried: `reachable`, `room` …
    pub what: String,
    /// What came of it.
    pub outcome: Outcome,
    /// What was found, or why it failed.
    pub detail: String,
    /// What to do, a sentence each.
    pub hints: Vec<String>,
    /// Kind of the error that made it fail; it decides the exit code.
    #[serde(skip)]
    pub kind: Option<Kind>,
}

/// Everything that was tried of a target.
#[derive(Debug, Clone, Serialize)]
pub struct Trial {
    /// Name of the target.
    pub target: String,
    /// What was tried, in order.
    pub checks: Vec<Check>,
}

impl Trial {
    /// The kind of the first failure.
    pub fn failure(&self) -> Option<Kind> {
        let failed = self.checks.iter().find(|check| check.outcome == Outcome::Failed)?;
        Some(failed.kind.unwrap_or(Kind::Unexpected))
    }
}

/// A list of checks being made.
pub(super) struct Checks {
    part: Part,
    pub(super) made: Vec<Check>,
}

impl Checks {
    pub(super) fn of(part: Part) -> Self {
        Self { part, made: Vec::new() }
    }

    pub(super) fn say(&mut self, what: &str, outcome: Outcome, detail: impl Into<String>, hint: Option<String>) {
        self.made.push(Check {
            part: self.part,
            what: what.to_owned(),
            outcome,
            detail: detail.into(),
            hints: hint.into_iter().collect(),
            kind: None,
        });
    }

    pub(super) fn good(&mut self, what: &str, detail: impl Into<String>) {
        self.say(what, Outcome::Good, detail, None);
    }

    pub(super) fn fail(&mut self, what: &str, error: &Error, otherwise: &str) {
        let mut hints = error.hints().to_vec();
        if hints.is_empty() {
            hints.push(otherwise.to_owned());
        }
        self.made.push(Check {
            part: self.part,
            what: what.to_owned(),
            outcome: Outcome::Failed,
            detail: error.to_string(),
            hints,
            kind: Some(error.kind()),
        });
    }

    pub(super) fn skip(&mut self, whats: &[&str]) {
        for what in whats {
            self.say(what, Outcome::Skipped, "an earlier check failed", None);
        }
    }

    /// Whether a secret can be read; what it is stays where it is.
    pub(super) fn secret(&mut self, secret: &Secret, variables: &Variables) -> bool {
        match secrets::read(secret, variables) {
            Ok(found) => {
                let (outcome, detail) = match &found.warning {
                    Some(warning) => (Outcome::Doubtful, warning.clone()),
                    None => (Outcome::Good, format!("read from {}", secrets::place(secret))),
                };
                self.say("secret", outcome, detail, None);
                true
            }
            Err(error) => {
                self.fail("secret", &error, "Name another place with `roadstead target set`.");
                false
            }
        }
    }
}

impl Checks {
    /// What it means that a node gives no block back.
    pub(super) fn unread(&mut self, no_gateway: bool) {
        let detail = "can't be read from: what it holds is unverified until a gateway is asked";
        if no_gateway {
            let hint = "`roadstead target set NAME --check-gateway URL` has a gateway asked after each publication.";
            self.say("read back", Outcome::Doubtful, detail, Some(hint.to_owned()));
        } else {
            self.good("read back", detail);
        }
    }

    /// The same of what a node wants to see, and whether somebody else sees it on the way.
    pub(super) fn node_secret(&mut self, node: &NodeSettings, variables: &Variables) -> bool {
        let Some(secret) = node.authorisation() else { return true };
        if let Some(warning) = secrets::in_clear(node.url()) {
            self.say("transport", Outcome::Doubtful, warning, Some(secrets::USE_TLS.to_owned()));
        }
        self.secret(secret, variables)
    }
}

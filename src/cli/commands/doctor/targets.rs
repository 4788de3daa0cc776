//! Targets: each would take a publication now, or what is in the way. Without the network only what this machine has is
//! looked at: how secrets are kept, and what was cut.

use std::sync::Arc;

use async_trait::async_trait;
use futures::future::join_all;

use super::finding::{Check, Finding, State};
use crate::cli::context::Context;
use crate::engine::Engine;
use crate::engine::job::Job;
use crate::engine::targets::{self, ADD_TARGET_HINT, Internet, Outcome, Peers, Trial};
use crate::error::Result;

const SUBJECT: &str = "target";

/// The targets of the catalog.
pub(super) struct Targets {
    /// None where there is no catalog, or none that can be opened: its own check says so.
    opened: Option<(Arc<Engine>, Peers)>,
    offline: bool,
}

impl Targets {
    pub(super) fn new(context: &Context, offline: bool) -> Self {
        let opened = context.open_to_read().ok().map(|engine| {
            let peers = context.peers(&engine);
            (engine, peers)
        });
        Self { opened, offline }
    }

    async fn look_at(&self, engine: &Arc<Engine>, peers: &Peers, name: &str) -> Result<Vec<Finding>> {
        if self.offline {
            return Ok(kept(name, engine.target_secrets(name, peers.variables())?));
        }
        let (job, _watch) = Job::new();
        let variables = peers.variables();
        let trial = engine.test_target(name, peers, &Internet, variables, &job).await?;
        Ok(described(&trial))
    }
}

fn kept(name: &str, checks: Vec<targets::Check>) -> Vec<Finding> {
    let all_well = Finding::ok(SUBJECT, format!("{name}: not asked (--offline); its secrets are readable"));
    let found = described(&Trial { target: name.to_owned(), checks });
    if found.iter().all(|finding| finding.state == State::Ok) { vec![all_well] } else { found }
}

/// One line for a target that works; else one for each thing that doesn't.
fn described(trial: &Trial) -> Vec<Finding> {
    let mut findings = Vec::new();
    for check in &trial.checks {
        let state = match check.outcome {
            // What was skipped comes after a failure, which is there.
            Outcome::Good | Outcome::Skipped => continue,
            Outcome::Doubtful => State::Warn,
            Outcome::Failed => State::Fail,
        };
        let message = format!("{}: {}, {}: {}", trial.target, check.part.name(), check.what, check.detail);
        let found = Finding { state, advice: check.hints.clone(), ..Finding::ok(SUBJECT, message) };
        findings.push(Finding { kind: check.kind.unwrap_or(found.kind), ..found });
    }
    if findings.iter().all(|finding| finding.state != State::Fail) {
        findings.insert(0, Finding::ok(SUBJECT, format!("{} is ready to publish to", trial.target)));
    }
    findings
}

#[async_trait]
impl Check for Targets {
    async fn look(&self) -> Vec<Finding> {
        let Some((engine, peers)) = &self.opened else { return Vec::new() };
        let names = match engine.target_names() {
            Ok(names) => names,
            Err(error) => return vec![Finding::of_error(SUBJECT, State::Fail, &error)],
        };
        if names.is_empty() {
            return vec![Finding::ok(SUBJECT, format!("none yet; {}", ADD_TARGET_HINT.trim_end_matches('.')))];
        }
        let looks = names.iter().map(async |name| {
            let found = self.look_at(engine, peers, name).await;
            found.unwrap_or_else(|error| vec![Finding::of_error(SUBJECT, State::Fail, &error)])
        });
        join_all(looks).await.into_iter().flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::targets::Part;
    use crate::error::Kind;

    fn check(outcome: Outcome, kind: Option<Kind>) -> targets::Check {
        let hints = vec!["Do it.".to_owned()];
        targets::Check { part: Part::Node, what: "pin".into(), outcome, detail: "refused".into(), hints, kind }
    }

    #[test]
    fn a_target_that_works_is_one_line() {
        let mut trial = Trial { target: "home".into(), checks: vec![check(Outcome::Good, None)] };
        let found = described(&trial);
        assert_eq!((found.len(), found[0].message.as_str()), (1, "home is ready to publish to"));
        trial.checks.push(check(Outcome::Doubtful, None));
        let states: Vec<State> = described(&trial).iter().map(|finding| finding.state).collect();
        assert_eq!(states, [State::Ok, State::Warn]);
        trial.checks.push(check(Outcome::Failed, Some(Kind::Auth)));
        trial.checks.push(check(Outcome::Skipped, None));
        let found = described(&trial);
        assert_eq!(found.iter().map(|finding| finding.state).collect::<Vec<_>>(), [State::Warn, State::Fail]);
        assert_eq!((found[1].kind, found[1].message.as_str()), (Kind::Auth, "home: node, pin: refused"));
        assert_eq!(found[1].advice, ["Do it."]);
    }
}

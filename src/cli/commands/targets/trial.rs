//! `target test` and `target verify`: would it take a publication, and has it the last one whole.

use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::style::Tone;
use crate::cli::table::{Cell, Column, Table};
use crate::engine::job::Job;
use crate::engine::targets::{Internet, Outcome, Trial, Walked};
use crate::error::{Error, Kind, Result};
use crate::text::{bytes, count, printable_within};

pub(super) fn test(name: &str, context: &Context) -> Result<Exit> {
    // It puts something there, and takes it away again.
    context.may_change()?;
    let engine = context.open_to_read()?;
    let peers = context.peers(&engine);
    let trial =
        context.run(async |job: &Job| engine.test_target(name, &peers, &Internet, peers.variables(), job).await)?;
    let output = &context.output;
    output.json(&trial)?;
    output.data(&shown(&trial, |table| table.render(None, output.paint)))?;
    output.finish()?;
    if let Some(error) = failure(&trial) {
        return Err(error);
    }
    output.message(&format!("{} is ready to publish to.", trial.target));
    Ok(Exit::Done)
}

/// Each check on a line, with what to do below it.
fn shown(trial: &Trial, render: impl Fn(&Table) -> String) -> String {
    let mut table = Table::new(&[
        ("RESULT", Column::Fixed),
        ("PART", Column::Fixed),
        ("CHECK", Column::Fixed),
        ("DETAIL", Column::Fact),
    ]);
    for check in &trial.checks {
        let (part, word) = (check.part.name(), check.outcome.word());
        let tone = match check.outcome {
            Outcome::Good => Tone::Good,
            Outcome::Doubtful => Tone::Warning,
            Outcome::Failed => Tone::Bad,
            Outcome::Skipped => Tone::Dim,
        };
        table.row([Cell::toned(tone, word), part.into(), Cell::toned(Tone::Name, &check.what), (&check.detail).into()]);
        for hint in &check.hints {
            table.row(["".into(), "".into(), "".into(), Cell::toned(Tone::Dim, format!("→ {hint}"))]);
        }
    }
    render(&table)
}

fn failure(trial: &Trial) -> Option<Error> {
    let kind = trial.failure()?;
    let failed = trial.checks.iter().filter(|check| check.outcome == Outcome::Failed).count() as u64;
    let checks = count(failed, "check", "checks");
    Some(Error::new(kind, format!("publishing to {} would fail: {checks} failed", trial.target)))
}

/// Reads all of the newest root from the node, or a sample of it from a gateway.
pub(super) fn verify(name: &str, gateway: Option<&str>, context: &Context) -> Result<Exit> {
    let engine = context.open_to_look()?;
    let peers = context.peers(&engine);
    let walked = context.run(async |job: &Job| match gateway {
        Some(gateway) => engine.verify_at_gateway(name, gateway, &peers, job).await,
        None => engine.verify_target(name, &peers, job).await,
    })?;
    let output = &context.output;
    output.json(&walked)?;
    output.table(&named(&walked))?;
    output.finish()?;
    for holder in walked.holders.iter().filter(|holder| !holder.holds) {
        output.warning(&format!("A peer does not keep the root: {}.", holder.lack()));
    }
    if let Some(error) = incomplete(&walked) {
        return Err(error);
    }
    if let Some(gateway) = &walked.gateway {
        let kept = walked.holders.iter().filter(|holder| holder.holds).count();
        let peers = match walked.holders.len() {
            0 => String::new(),
            all => format!(" at {kept} of {}", count(all as u64, "peer", "peers")),
        };
        output.message(&format!(
            "{} is pinned by {}{peers}. {} gave out a sample of it: {}, {}, each verified against its CID.",
            walked.root,
            walked.target,
            printable_within(gateway, 200),
            counted(&walked, walked.blocks),
            bytes(walked.bytes),
        ));
        return Ok(Exit::Done);
    }
    output.message(&format!(
        "{} holds all of {}: {}, {}, {}.",
        walked.target,
        walked.root,
        counted(&walked, walked.blocks),
        bytes(walked.bytes),
        match (walked.is_host, walked.only_sizes) {
            (_, true) => "each with its size; digests can't be computed there",
            (true, false) => "each verified against its digest",
            (false, false) => "each verified against its CID",
        }
    ));
    Ok(Exit::Done)
}

fn named(walked: &Walked) -> Table {
    let mut table = Table::new(&[("STATE", Column::Fixed), ("CID", Column::Digest)]);
    for cid in &walked.named {
        table.row([Cell::toned(Tone::Bad, "missing or damaged"), cid.into()]);
    }
    table
}

/// So many of what it consists of: `3 blocks`.
fn counted(walked: &Walked, number: u64) -> String {
    if walked.is_host { count(number, "object", "objects") } else { count(number, "block", "blocks") }
}

fn incomplete(walked: &Walked) -> Option<Error> {
    if walked.is_whole() {
        return None;
    }
    let mut wrong = Vec::new();
    if let Some(gateway) = &walked.gateway {
        if walked.missing + walked.damaged > 0 {
            let gateway = printable_within(gateway, 200);
            let (missing, damaged) = (counted(walked, walked.missing), counted(walked, walked.damaged));
            let words = if walked.damaged > 0 {
                format!("{gateway} gives out other bytes for {damaged}")
            } else {
                format!("{gateway} does not find {missing} of a sample")
            };
            let error = Error::new(Kind::Verification, format!("{} of {}: {words}", walked.root, walked.target));
            return Some(error.hint("A gateway may not find a node that is new or not announced: try another one."));
        }
    } else if walked.missing > 0 {
        wrong.push(format!("lacks {}", counted(walked, walked.missing)));
    }
    if walked.gateway.is_none() && walked.damaged > 0 {
        let damaged = counted(walked, walked.damaged).replacen(' ', " damaged ", 1);
        wrong.push(format!("has {damaged}"));
    }
    if !walked.pinned {
        wrong.push("does not pin it".to_owned());
    }
    let error = Error::new(
        Kind::Verification,
        format!(
            "{} of {}: the {} {}",
            walked.root,
            walked.target,
            if walked.is_host { "host" } else { "node" },
            wrong.join(", and ")
        ),
    );
    if walked.is_host {
        return Some(error.hint(format!(
            "Delete what is damaged there. `roadstead publish {}` stores what is missing.",
            walked.target
        )));
    }
    if walked.gateway.is_some() {
        return Some(error.hint(format!("`roadstead publish {}` pins it again.", walked.target)));
    }
    Some(error.hint(format!(
        "`ipfs repo verify` on the node checks its disk. `roadstead publish {}` sends what is missing.",
        walked.target
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::style::Paint;
    use crate::engine::targets::Check;
    use crate::engine::targets::Part;

    fn check(part: Part, what: &str, outcome: Outcome, detail: &str, hints: &[&str], kind: Option<Kind>) -> Check {
        let hints = hints.iter().map(ToString::to_string).collect();
        Check { part, what: what.into(), outcome, detail: detail.into(), hints, kind }
    }

    #[test]
    fn each_failure_says_what_to_do() {
        let mut trial = Trial {
            target: "home".into(),
            checks: vec![
                check(Part::Node, "reachable", Outcome::Good, "http://127.0.0.1:5001, peer 12D3, 8 peers", &[], None),
                check(Part::Node, "version", Outcome::Doubtful, "kubo/0.30.0", &["Upgrade the node."], None),
                check(Part::Node, "pin", Outcome::Failed, "the node refuses it", &["Allow it."], Some(Kind::Auth)),
                check(Part::Dnslink, "change", Outcome::Skipped, "an earlier check failed", &[], None),
            ],
        };
        let text = shown(&trial, |table| table.render(None, Paint::new(false)));
        insta::assert_snapshot!("target_test", format!("{text}\n{}", serde_json::to_string_pretty(&trial).unwrap()));
        let error = failure(&trial).unwrap();
        assert_eq!(
            (error.kind(), error.to_string().as_str()),
            (Kind::Auth, "publishing to home would fail: 1 check failed")
        );
        trial.checks.remove(2);
        assert!(failure(&trial).is_none());
    }

    #[test]
    fn a_root_that_is_not_whole_is_an_error() {
        let mut walked = Walked {
            target: "home".into(),
            root: "bafy".into(),
            pinned: true,
            blocks: 40,
            bytes: 900,
            missing: 0,
            damaged: 0,
            named: vec![],
            gateway: None,
            holders: Vec::new(),
            is_host: false,
            only_sizes: false,
        };
        assert!(incomplete(&walked).is_none());
        (walked.missing, walked.damaged, walked.pinned) = (2, 1, false);
        let error = incomplete(&walked).unwrap();
        assert_eq!(
            error.to_string(),
            "bafy of home: the node lacks 2 blocks, and has 1 damaged block, and does not pin it"
        );
        assert_eq!(error.kind(), Kind::Verification);
        insta::assert_snapshot!("target_verify", serde_json::to_string_pretty(&walked).unwrap());
    }
}

//! `doctor`: what this machine has and lacks, each with what to do.
//!
//! One check a file. What has more to check implements [`Check`] and is added in [`checks`]: nothing else changes.

mod catalog;
mod configuration;
mod credentials;
mod data_directory;
mod finding;
mod network;
mod targets;
mod terminal;

use std::fmt::Write as _;

use clap::Args;
use serde::Serialize;

use self::finding::{Check, Finding, State};
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::global::Global;
use crate::cli::output::Output;
use crate::cli::style::Tone;
use crate::config::{Given, Settings};
use crate::engine::job::Job;
use crate::error::{Error, Result};
use crate::text::{count, printable};

/// What is to be left out.
#[derive(Debug, Args)]
pub(in crate::cli) struct Arguments {
    /// Don't use the network.
    #[arg(long)]
    offline: bool,
}

/// All that is looked at, in the order in which it is shown.
fn checks(arguments: &Arguments, context: &Context, given: &Given) -> Vec<Box<dyn Check>> {
    let mut checks: Vec<Box<dyn Check>> = vec![
        Box::new(configuration::Configuration::new(given)),
        Box::new(data_directory::DataDirectory::new(&context.settings)),
        Box::new(catalog::CatalogFile::new(&context.settings)),
        Box::new(credentials::CredentialFiles),
        Box::new(terminal::Terminal::of_process()),
    ];
    if !arguments.offline {
        checks.push(Box::new(network::Network::new(&context.settings)));
    }
    checks.push(Box::new(targets::Targets::new(context, arguments.offline)));
    checks
}

/// The document of `doctor`.
#[derive(Debug, Serialize)]
struct Report<'a> {
    ok: bool,
    findings: &'a [Finding],
}

/// Looks at everything. Works with a broken configuration, too: it is one of the findings.
pub(in crate::cli) fn run(arguments: &Arguments, global: Global, given: &Given, output: &Output) -> Result<Exit> {
    let settings = Settings::load(given).unwrap_or_else(|_| Settings::without_file(given));
    let context = Context::with(global, settings, output.clone());
    context.start_log();
    let checks = checks(arguments, &context, given);
    let findings = context.run_quietly("Stopping.", async |job: &Job| {
        // Each looks elsewhere, so they need not wait for one another.
        let looks = futures::future::join_all(checks.iter().map(|check| check.look()));
        job.or_cancelled(async { Ok(looks.await.into_iter().flatten().collect::<Vec<Finding>>()) }).await
    })?;
    let failed: Vec<&Finding> = findings.iter().filter(|finding| finding.state == State::Fail).collect();
    output.json(&Report { ok: failed.is_empty(), findings: &findings })?;
    for finding in &findings {
        output.data(&shown(finding, output))?;
    }
    output.finish()?;
    match failed.first() {
        None => Ok(Exit::Done),
        Some(first) => Err(Error::new(first.kind, format!("{} failed", count(failed.len() as u64, "check", "checks")))),
    }
}

fn shown(finding: &Finding, output: &Output) -> String {
    let (tone, word) = match finding.state {
        State::Ok => (Tone::Good, "ok  "),
        State::Warn => (Tone::Warning, "warn"),
        State::Fail => (Tone::Bad, "fail"),
    };
    let mut text =
        format!("{}  {:<14}  {}\n", output.paint.tone(tone, word), finding.subject, printable(&finding.message));
    for advice in &finding.advice {
        // Writing to a String can't fail.
        let _ = writeln!(text, "{:22}{}", "", output.paint.tone(Tone::Dim, &printable(advice)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::output::Style;
    use crate::cli::output::tests::captured;

    #[test]
    fn a_finding_says_what_to_do() {
        let (output, ..) = captured(Style::default());
        let finding = Finding::warn("network", "ghcr.io\u{1b} does not answer", "Check the network.");
        assert_eq!(
            shown(&finding, &output),
            "warn  network         ghcr.io\\u{1b} does not answer\n                      Check the network.\n"
        );
        let report = serde_json::to_string(&Report { ok: true, findings: &[finding] }).unwrap();
        assert!(
            report.starts_with(r#"{"ok":true,"findings":[{"subject":"network","state":"warn","message":"#),
            "{report}"
        );
    }
}

//! `watch`: carries the rules out again and again, in a container or a terminal.
//!
//! Each cycle is what `update` does. Between them it sleeps until a rule is due, with a little chance in it, so that many machines
//! don't ask at the same second.

mod due;
mod health;
mod listener;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::RecvTimeoutError;

use clap::Args;
use serde_json::json;

use crate::cli::commands::update;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::planned::DryRun;
use crate::engine::Engine;
use crate::error::{Error, Kind, Result};
use crate::rules::Period;
use crate::text::count;
use due::Schedule;
use health::{Health, Ran};
use listener::{Listener, Signal};

const EXAMPLES: &str = "\
Examples:
  roadstead watch --yes --every 6h
  roadstead watch --yes --publish --listen 127.0.0.1:9090    /metrics and /healthz

`--yes` is needed, since nobody is there to be asked before images go.
/healthz answers 503 while the last run of any rule failed; images that wait for the next run are no failure.
Everybody who can reach the address may read both.
SIGHUP carries everything out now, with the rules as they are by then. SIGTERM ends it after the blobs that are being fetched.";

/// How often, and what else.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Arguments {
    /// How often a rule without `every` is carried out, and what no rule selects is brought up to date.
    #[arg(long, value_name = "PERIOD", default_value = "6h", value_parser = period)]
    every: Period,

    /// Publish to every target after each update that brought something.
    #[arg(long)]
    publish: bool,

    /// Give out /metrics and /healthz here.
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
}

fn period(text: &str) -> Result<Period, String> {
    let period: Period = text.parse().map_err(str::to_owned)?;
    if period.seconds() < 60 { Err("a minute is the shortest".to_owned()) } else { Ok(period) }
}

/// Watches until it is told to stop.
pub(in crate::cli) fn run(arguments: &Arguments, context: &Context) -> Result<Exit> {
    if !context.global.yes {
        return Err(Error::new(Kind::Usage, "`watch` removes images and publishes without asking")
            .hint("Add `--yes` to let it; `roadstead update --dry-run` shows what it would do."));
    }
    let engine = context.open(None)?;
    context.wind_down_when_terminated();
    let health = Arc::new(Health::new(arguments.every));
    let listener = Listener::start(Arc::clone(&engine), Arc::clone(&health), arguments.listen)?;
    if let Some(address) = listener.address {
        context.output.json(&json!({ "listening": address }))?;
        context.output.finish()?;
        context.output.message(&format!("/metrics and /healthz are at http://{address}."));
    }
    let mut schedule = Schedule::new(arguments.every);
    loop {
        let due = due_now(&engine, &mut schedule, context);
        if let Some(rules) = due {
            let began = now();
            let ended = cycle(&rules, arguments, context);
            schedule.ran(&rules);
            health.ran(outcome(&engine, &rules, &ended, began));
            match ended {
                Ok(_) => {}
                Err(error) if error.kind() == Kind::Interrupted => return Ok(Exit::Done),
                // The next cycle may go right; that this one did not is said loudly.
                Err(error) => context.output.error(&error),
            }
        }
        let pause = schedule.pause();
        match listener.signals.recv_timeout(pause) {
            Ok(Signal::HangUp) => schedule.make_due(),
            Ok(Signal::Stop) | Err(RecvTimeoutError::Disconnected) => return Ok(Exit::Done),
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
}

/// The rules that are due, none of them named if all are; nothing if none is.
fn due_now(engine: &Arc<Engine>, schedule: &mut Schedule, context: &Context) -> Option<Vec<String>> {
    match engine.rules() {
        Ok(in_force) => {
            let rules = in_force.rules.rules.iter().map(|rule| {
                let ran_at = engine.last_rule_run(rule.name.as_str()).ok().flatten().map(|(at, _)| at);
                (rule.name.to_string(), rule.every, ran_at)
            });
            let due = schedule.due(rules.collect());
            if let Some(rules) = due.as_ref().filter(|rules| !rules.is_empty()) {
                context.output.message(&format!("{} due.", count(rules.len() as u64, "rule is", "rules are")));
            }
            due
        }
        // Carrying it out says what is wrong, to hooks, too.
        Err(_) => schedule.due(Vec::new()),
    }
}

fn cycle(rules: &[String], arguments: &Arguments, context: &Context) -> Result<Exit> {
    let update = update::Arguments {
        picks: Vec::new(),
        rule: rules.to_vec(),
        force: false,
        locked: None,
        publish: arguments.publish,
        dry_run: DryRun::default(),
        allow_postponed: true,
        fail_if_unchanged: false,
    };
    update::run(&update, context)
}

/// How a run ended, by what it noted of its rules.
fn outcome<'a>(engine: &Engine, rules: &'a [String], ended: &Result<Exit>, began: i64) -> Ran<'a> {
    let in_force = engine.rules().map(|in_force| in_force.rules.rules).unwrap_or_default();
    let in_force: Vec<String> = in_force.iter().map(|rule| rule.name.to_string()).collect();
    let failing = engine.failing_rules().unwrap_or_default();
    let is_noted = |rule: &String| {
        let is_run = rules.is_empty() || rules.contains(rule);
        is_run && engine.last_rule_run(rule).is_ok_and(|run| run.is_some_and(|(at, _)| at >= began))
    };
    let failed = matches!(ended, Err(error) if error.kind() != Kind::Interrupted);
    Ran { rules, is_broken: failed && !failing.iter().any(is_noted), in_force, failing }
}

fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

//! `follow status`: whom this catalog follows, and how far it is.

use jiff::Timestamp;
use serde::Serialize;

use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::report::shown;
use crate::cli::style::Tone;
use crate::cli::table::{Cell, Column, Table};
use crate::engine::follow::Following;
use crate::engine::follow::report::facts;
use crate::engine::own_node::Serving;
use crate::engine::own_node::report::{followers_in_full, served, taken};
use crate::error::{Error, Kind, Result};
use crate::text::printable;

/// Whom a catalog follows, as JSON.
#[derive(Debug, Serialize)]
struct StatusReport {
    name: String,
    /// Whether a key signs what the name means; else a domain says it, by DNS alone.
    signed: bool,
    /// The key that signs, as its IPNS name.
    key: Option<String>,
    sources: Vec<String>,
    mode: &'static str,
    every_seconds: u64,
    /// The root that is held.
    root: Option<String>,
    /// The root that the newest record names.
    newest_root: Option<String>,
    /// Whether what is held is what the name means, as far as is known.
    current: bool,
    sequence: Option<u64>,
    /// When the newest record expires.
    expires: Option<String>,
    taken: Option<String>,
    checked: Option<String>,
    /// Why the last look changed nothing although it should have.
    failure: Option<String>,
    /// The processes that give out what is held.
    serving: Vec<Serving>,
}

impl StatusReport {
    fn of(following: &Following, serving: Vec<Serving>) -> Self {
        let time = |at: Option<i64>| Some(Timestamp::from_second(at?).ok()?.to_string());
        let setting = &following.setting;
        Self {
            name: setting.name.to_string(),
            signed: following.is_signed(),
            key: following.key.map(|key| key.to_string()),
            sources: setting.sources.clone(),
            mode: setting.mode.word(),
            every_seconds: setting.every.as_secs(),
            root: following.root.map(shown),
            newest_root: following.newest.map(shown),
            current: following.is_current(),
            sequence: following.sequence,
            expires: following.expires.map(|at| format!("{at:.0}")),
            taken: time(following.taken_at),
            checked: time(following.checked_at),
            failure: following.failure.clone(),
            serving,
        }
    }
}

pub(super) fn run(context: &Context) -> Result<Exit> {
    let engine = context.open_to_read()?;
    let following = engine.following()?.ok_or_else(|| {
        Error::new(Kind::NotFound, "this catalog follows nothing")
            .hint("`roadstead follow NAME --from URL` makes an empty data directory a copy of a published registry.")
    })?;
    let report = StatusReport::of(&following, engine.serving());
    context.output.json(&report)?;
    context.output.table(&table(&following, &report))?;
    Ok(Exit::Done)
}

fn table(following: &Following, report: &StatusReport) -> Table {
    let mut table = Table::new(&[("", Column::Fixed), ("", Column::Fact)]);
    let when = |at: i64| Timestamp::from_second(at).map(|at| at.to_string()).unwrap_or_default();
    let mut facts = facts(following, when);
    // A follower that gives nothing out is one all the same.
    if !report.serving.is_empty() {
        facts.extend(served(&report.serving, ""));
    }
    let newest = report.newest_root.as_ref().or(report.root.as_ref()).map(String::as_str);
    facts.extend(followers_in_full(&report.serving, newest, Timestamp::now().as_second()));
    facts.extend(taken(&report.serving));
    for said in &facts {
        table.row([Cell::toned(Tone::Dim, said.label), printable(&said.text).into()]);
    }
    table
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::cli::style::Paint;
    use crate::engine::follow::{Mode, Setting};

    fn sample() -> Following {
        let root = "bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi".parse().ok();
        Following {
            setting: Setting {
                name: "k51qzi5uqu5dgutdk6i1ynyzgkqngpha5xpgia3a5qqp4jsh0u4csozksxel2r".parse().unwrap(),
                sources: vec!["https://a.example.com".into(), "https://b.example.com".into()],
                mode: Mode::Tags,
                every: Duration::from_mins(1),
            },
            key: "k51qzi5uqu5dgutdk6i1ynyzgkqngpha5xpgia3a5qqp4jsh0u4csozksxel2r".parse().ok(),
            sequence: Some(7),
            expires: "2026-11-26T12:00:00Z".parse().ok(),
            newest: root,
            root,
            taken_at: Some(1_795_000_000),
            checked_at: Some(1_795_000_060),
            failure: None,
        }
    }

    fn render(following: &Following) -> String {
        table(following, &StatusReport::of(following, Vec::new())).render(Some(120), Paint::new(false))
    }

    #[test]
    fn what_a_person_sees() {
        let mut unsigned = sample();
        unsigned.setting.name = "registry.example.com".parse().unwrap();
        (unsigned.key, unsigned.sequence, unsigned.expires, unsigned.newest) = (None, None, None, None);
        unsigned.failure = Some("the publisher is gone".into());
        let mut behind = sample();
        behind.newest = "bafybeibml5uieyxa5tufngvg7fgwbkwvlsuntwbxgtskoqynbt7wlchmfm".parse().ok();
        insta::assert_snapshot!(
            "status",
            [sample(), unsigned, behind].iter().map(render).collect::<Vec<_>>().join("\n")
        );
    }

    #[test]
    fn the_shape_in_json() {
        let report = StatusReport::of(&sample(), Vec::new());
        insta::assert_snapshot!("status_json", serde_json::to_string_pretty(&report).unwrap());
    }
}

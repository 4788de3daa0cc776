//! What a run of the rules does, as a value: by rule, with what is fetched and what goes.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::catalog::rule_images::{FormerImage, RuleImage};
use crate::engine::plan::{AddPlan, FailedRequest, RemovePlan};
use crate::engine::request::Pick;
use crate::image::{Digest, Tag};

/// What a run of the rules does.
#[derive(Debug, Default)]
pub struct RulePlan {
    /// What each rule says, in the order of the rules.
    pub rules: Vec<RulePart>,
    /// The images that come or move.
    pub add: AddPlan,
    /// The images that go.
    pub remove: RemovePlan,
    /// What no rule selects and is brought up to date in the same run.
    pub beside: AddPlan,
    /// What is here beside a lock and stays, since no rule brought it.
    pub beyond: Vec<String>,
    /// What is known of tags before anything is fetched: a kill must not make them anybody's.
    pub(super) rows: Vec<RuleImage>,
    /// Rows that say nothing any more.
    pub(super) forgotten: Vec<RuleImage>,
    /// Why each image goes.
    pub(super) going: Vec<Going>,
    /// Names of the rules, by the requests that they make.
    pub(super) rule_of: BTreeMap<String, String>,
    /// What tags point to until now, to be kept when they move.
    pub(super) formers: Vec<FormerImage>,
    /// Former images that are not here any more.
    pub(super) former_ends: Vec<FormerImage>,
    /// When it was made, in seconds since 1970.
    pub(super) now: i64,
}

/// Something that goes, and the row because of which it does.
#[derive(Debug, Clone)]
pub(super) enum Going {
    /// A rule brought it, and none selects it.
    Brought(RuleImage),
    /// Its tag moved, and the time for which it was kept is over.
    Former(FormerImage),
}

impl Going {
    /// Published name of its repository, and its tag or digest.
    pub(super) fn place(&self) -> (&str, &str) {
        match self {
            Self::Brought(row) => (&row.repository, &row.tag),
            Self::Former(former) => (&former.repository, &former.image),
        }
    }

    pub(super) fn pick(&self) -> Pick {
        let (repository, image) = self.place();
        let digest = image.parse::<Digest>().ok();
        let tag = if digest.is_some() { None } else { image.parse::<Tag>().ok() };
        Pick { name: repository.to_owned(), tag, digest }
    }
}

/// What a run does for one rule.
#[derive(Debug, Clone, Default, Serialize)]
pub struct RulePart {
    /// The rule's name.
    pub rule: String,
    /// Tags of its repositories, as far as they were listed.
    pub listed: u64,
    /// The images that it selects.
    pub selected: Vec<String>,
    /// Images that come.
    pub new: Vec<String>,
    /// Tags that have another digest upstream, and get it here.
    pub moved: Vec<MovedTag>,
    /// What has to be known for longer before it is taken.
    pub held: Vec<HeldTag>,
    /// Tags that have another digest upstream, and keep theirs here.
    pub refused: Vec<MovedTag>,
    /// Images that the gate keeps out.
    pub gated: Vec<GatedTag>,
    /// What the rule brought and does not select any more.
    pub leaving: Vec<LeavingTag>,
    /// What is selected, and not there upstream any more.
    pub gone: Vec<LeavingTag>,
    /// The images that go now.
    pub removed: Vec<String>,
    /// Images that would come, and wait for the next run.
    pub postponed: Vec<PostponedTag>,
    /// What its sources name and can't be taken, and why.
    pub skipped: Vec<String>,
    /// Bytes that have to be fetched for it; of a look, nothing is known.
    pub bytes: u64,
    /// Pulls that what comes and moves takes of a registry's quota: manifests. Of a look, as far as that can be told before.
    pub pulls: u64,
    /// What failed, and why.
    pub failed: Vec<String>,
    /// Why nothing of it is removed, though something would go.
    pub brake: Option<String>,
}

/// A tag that has another digest upstream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MovedTag {
    /// `name:tag`.
    pub image: String,
    /// The digest here.
    pub from: Digest,
    /// The digest upstream.
    pub to: Digest,
}

/// What the gate keeps out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GatedTag {
    /// `name:tag`.
    pub image: String,
    /// The digest that it was asked for.
    pub digest: Digest,
    /// What it said.
    pub words: String,
}

/// What is not taken yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HeldTag {
    /// `name:tag`.
    pub image: String,
    /// When it is old enough, in seconds since 1970.
    pub until: i64,
}

/// What goes after a time, or stays though nobody selects it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LeavingTag {
    /// `name:tag`.
    pub image: String,
    /// When it goes, in seconds since 1970; none: it stays, or the brake keeps it.
    pub until: Option<i64>,
}

/// What waits for the next run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PostponedTag {
    /// `name:tag`.
    pub image: String,
    /// What it waits for.
    pub reason: Postponed,
}

/// Why something waits for the next run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Postponed {
    /// The rule takes no more new images in one run.
    MaxNew,
    /// What is left of the registry's quota is reserved, or it was asked too much.
    Quota,
}

impl RulePlan {
    /// Whether nothing comes, moves or goes.
    pub fn is_empty(&self) -> bool {
        self.add.is_empty() && self.remove.images.is_empty() && self.beside.is_empty()
    }

    /// The part of this rule; one behind the others if it is a rule that is not there any more.
    pub(super) fn part(&mut self, rule: &str) -> &mut RulePart {
        let place = self.rules.iter().position(|part| part.rule == rule).unwrap_or_else(|| {
            self.rules.push(RulePart { rule: rule.to_owned(), ..RulePart::default() });
            self.rules.len() - 1
        });
        &mut self.rules[place]
    }

    /// Says of a request that failed that its rule did.
    pub(super) fn note_failed(&mut self, failed: &FailedRequest) {
        let Some(rule) = self.rule_of.get(&failed.request).cloned() else { return };
        let (part, words) = (self.part(&rule), failed.words());
        if !part.failed.contains(&words) {
            part.failed.push(words);
        }
    }

    /// Says of all requests that could not be planned that their rules failed. Of what does not come there is no row. Of each
    /// request it is known what image it asks for.
    pub(super) fn note_failures(&mut self, asked: &[(String, String)]) {
        let failed = std::mem::take(&mut self.add.failed);
        for one in &failed {
            self.note_failed(one);
            for (_, image) in asked.iter().filter(|(request, _)| *request == one.request) {
                self.rows.retain(|row| !row.brought || row.shown() != *image);
            }
        }
        self.add.failed = failed;
    }

    /// Whether something waits for the next run.
    pub fn is_postponed(&self) -> bool {
        self.rules.iter().any(|part| !part.postponed.is_empty())
    }

    /// What failed, was refused or needs a decision, a sentence each.
    pub fn faults(&self) -> impl Iterator<Item = String> {
        self.rules.iter().flat_map(|part| {
            let failed = part.failed.iter().map(|reason| format!("rule {}: {reason}", part.rule));
            let brake = part.brake.iter().map(|reason| format!("rule {}: {reason}", part.rule));
            failed.chain(brake).collect::<Vec<_>>()
        })
    }
}

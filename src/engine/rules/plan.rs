//! What a run of the rules does, as a value: by rule, with what is fetched and what goes.

use serde::Serialize;

use crate::catalog::rule_images::{FormerImage, RuleImage};
use crate::engine::plan::{AddPlan, RemovePlan};
use crate::image::Digest;

/// What a run of the rules does.
#[derive(Debug, Default)]
pub struct RulePlan {
    /// What each rule says, in the order of the rules.
    pub rules: Vec<RulePart>,
    /// The images that come or move.
    pub add: AddPlan,
    /// The images that go.
    pub remove: RemovePlan,
    /// What is known of tags before anything is fetched: a kill must not make them anybody's.
    pub(super) rows: Vec<RuleImage>,
    /// Tags of which nothing is known any more.
    pub(super) forgotten: Vec<(String, String)>,
    /// What tags point to until now, to be kept when they move.
    pub(super) formers: Vec<FormerImage>,
    /// Former images whose time is over, or that are not here any more.
    pub(super) former_ends: Vec<FormerImage>,
    /// When it was made, in seconds since 1970.
    pub(super) now: i64,
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
    /// When it goes, in seconds since 1970; none: it stays.
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
        self.add.is_empty() && self.remove.images.is_empty()
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

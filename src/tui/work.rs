//! Plans and the jobs they become: the same plans as the command line's, shown, then exactly run.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use cid::Cid;

use super::dialog::form::Draft;
use crate::engine::change::undo::UndoPlan;
use crate::engine::follow::Setting;
use crate::engine::plan::{AddPlan, Added, GcPlan, ImageCount, RemovePlan};
use crate::engine::publish::plan::{PublishOutcome, PublishPlan, PublishRequest};
use crate::engine::query::files::ImageFiles;
use crate::engine::query::history::ForgetPlan;
use crate::engine::query::save::SavedFile;
use crate::engine::query::view::{Currency, Verified};
use crate::engine::request::{AddRequest, Pick};
use crate::engine::rules::RulesInForce;
use crate::engine::rules::plan::{RulePart, RulePlan};
use crate::engine::targets::{RemoveTargetPlan, Trial};
use crate::rules::Rule;

/// Number of a job in this run of the interface.
pub type JobId = u64;

/// What a plan is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Mirror images that these requests name.
    Add(Vec<AddRequest>),
    /// Bring images up to date; none: all.
    Update(Vec<Pick>),
    /// Run these rules; none: all, and what no rule selects.
    Rules(Vec<String>),
    /// Remove these images from the catalog.
    Remove(Vec<Pick>),
    /// Take the last change back.
    Undo,
    /// Do again what was undone.
    Redo,
    /// Remove blobs that nothing needs any more.
    Gc,
    /// Publish the catalog's root to targets.
    Publish(PublishRequest),
    /// Keep older roots no longer.
    Forget(Vec<Cid>),
    /// Remove a target, by its name.
    RemoveTarget(String),
    /// Follow nothing any more.
    StopFollowing,
}

/// A plan that was made: what it does is known, and nothing was done.
#[derive(Debug)]
pub enum Plan {
    /// Mirror the images of this plan.
    Add(AddPlan),
    /// Bring images up to date.
    Update(AddPlan),
    /// Run rules.
    Rules(Box<RuleRun>),
    /// Remove the images of this plan.
    Remove(RemovePlan),
    /// Take the last change back.
    Undo(UndoPlan),
    /// Do again what was undone.
    Redo(UndoPlan),
    /// Remove blobs that nothing needs any more.
    Gc(GcPlan),
    /// Publish the root that the plan was made for.
    Publish(PublishPlan),
    /// Check all that is stored; needs no plan to be shown.
    Verify {
        /// Fetch what is damaged again.
        repair: bool,
    },
    /// Ask upstream what it has; changes nothing but what is known of it, so it needs no plan to be shown.
    Check(Vec<Pick>),
    /// Ask upstream what these rules select, or all, and how what no rule selects stands; changes nothing but what is known of it.
    Look(Vec<String>),
    /// Make, change or remove a rule.
    ChangeRules(RuleChange),
    /// Let private repositories be published, or no longer.
    Allow {
        /// Repositories that the answer is for.
        repositories: Vec<Pick>,
        /// True to allow publishing, false to withdraw that.
        allowed: bool,
    },
    /// Keep older roots no longer.
    Forget(ForgetPlan),
    /// Remove a target and what the catalog knows of it.
    RemoveTarget(RemoveTargetPlan),
    /// Add a target, or change one.
    SaveTarget(Box<Draft>),
    /// Try what publishing to a target needs.
    TestTarget(String),
    /// Follow this registry.
    Follow {
        /// Whom, and how.
        setting: Box<Setting>,
        /// Multiaddrs of peers to begin with in the swarm; none for the public DHT.
        swarm_peers: Vec<String>,
    },
    /// Look at the name that is followed, and take what it means.
    LookAtName,
    /// Read everything that is held, and compare it with the root that is followed.
    CheckFollowing,
    /// Follow nothing any more: this name.
    StopFollowing(String),
    /// Save a file of an image on this machine.
    SaveFile(Box<SaveFile>),
}

/// A file of an image that is to be saved.
#[derive(Debug)]
pub struct SaveFile {
    /// The image's files.
    pub files: Arc<ImageFiles>,
    /// Path in the image.
    pub path: String,
    /// Layer as of which it is taken, from 0.
    pub layer: usize,
    /// Where it is saved.
    pub to: PathBuf,
}

/// A run of rules that was planned.
#[derive(Debug)]
pub struct RuleRun {
    /// Names of the rules that are run; none: all.
    pub only: Vec<String>,
    /// The rules as they were planned, whose hooks are told.
    pub in_force: RulesInForce,
    /// What the rules do.
    pub plan: RulePlan,
    /// What else is brought up to date.
    pub beside: AddPlan,
    /// Time zone in which times are told.
    pub zone: jiff::tz::TimeZone,
}

/// A change to the text of the rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RuleChange {
    /// Make a rule, or change one.
    Save(Box<RuleDraft>),
    /// Remove the rule of this name.
    Remove(String),
}

/// A rule that is to be saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleDraft {
    /// The rule that it replaces, as it was seen; none: it is new.
    pub old: Option<Rule>,
    /// The rule.
    pub rule: Rule,
}

/// What came of a run of rules.
#[derive(Debug)]
pub struct Ruled {
    /// What each rule did.
    pub parts: Vec<RulePart>,
    /// What was fetched and recorded, by rules and beside them.
    pub added: Added,
    /// The images that went.
    pub removed: Vec<String>,
    /// What failed or was not done, a sentence each.
    pub faults: Vec<String>,
}

/// What came of a job.
#[derive(Debug)]
pub enum Outcome {
    /// Images were added or brought up to date.
    Added(Added),
    /// Rules were run.
    Ruled(Box<Ruled>),
    /// Upstream was asked what rules select.
    Looked {
        /// What each rule would do.
        parts: Vec<RulePart>,
        /// The rules that were asked for; none: all.
        only: Vec<String>,
        /// How what no rule selects stands.
        beside: Vec<Currency>,
    },
    /// A rule was made or changed.
    RuleSaved {
        /// The rule as it is now.
        rule: Box<Rule>,
        /// It was not there before.
        is_new: bool,
    },
    /// A rule is not there any more.
    RuleRemoved(String),
    /// Images were taken out.
    Removed(ImageCount),
    /// A change was taken back, or done again: what that did, in words.
    Undone(String),
    /// Disk space was reclaimed: bytes.
    Freed(u64),
    /// All that is stored was checked.
    Verified(Verified),
    /// Upstream was asked what it has of these images.
    Checked(Vec<Currency>),
    /// A root was published, wholly or to some of the targets.
    Published(PublishOutcome),
    /// Repositories may be published, or no longer.
    Allowed(Vec<String>),
    /// So many older roots are kept no longer.
    Forgotten(u64),
    /// A target is not there any more.
    TargetRemoved(String),
    /// A target was saved; what is doubtful about it, half a sentence each.
    TargetSaved(String, Vec<String>),
    /// A target was tried.
    Tested(Trial),
    /// The catalog follows this name from now on.
    Following(String),
    /// The name that is followed was looked at.
    NameLookedAt {
        /// What came, in a sentence; nothing if no other root did.
        came: Option<String>,
        /// What is wrong with some source, a sentence each.
        notes: Vec<String>,
    },
    /// The catalog follows nothing any more; this name, if it did.
    FollowingStopped(Option<String>),
    /// A file of an image was saved.
    FileSaved(SavedFile),
}

/// Counters of a running job at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// Number of the job that this samples.
    pub id: JobId,
    /// Bytes that are done, and all.
    pub bytes: (u64, u64),
    /// Bytes that came, without those that were here before.
    pub moved: u64,
    /// How long it has been running.
    pub running: Duration,
}

impl Request {
    /// What it is called while it is planned.
    pub fn title(&self) -> String {
        match self {
            Self::Add(requests) => match requests.as_slice() {
                [one] => format!("add {}", one.source),
                many => format!("add {}", crate::text::count(many.len() as u64, "image", "images")),
            },
            Self::Update(picks) => format!("update {}", picked(picks)),
            Self::Rules(only) => ruled("run", only),
            Self::Remove(picks) => format!("remove {}", picked(picks)),
            Self::Undo => "undo".to_owned(),
            Self::Redo => "redo".to_owned(),
            Self::Gc => "gc".to_owned(),
            Self::Publish(request) if request.root.is_some() => "roll back".to_owned(),
            Self::Publish(_) => "publish".to_owned(),
            Self::Forget(_) => "forget an older root".to_owned(),
            Self::RemoveTarget(name) => format!("remove the target {name}"),
            Self::StopFollowing => "stop following".to_owned(),
        }
    }

    /// Whether it leads to another content of the catalog.
    pub fn changes_images(&self) -> bool {
        matches!(self, Self::Add(_) | Self::Update(_) | Self::Rules(_) | Self::Remove(_) | Self::Undo | Self::Redo)
    }
}

impl Request {
    /// What it is about, where its title only says how many that are: the first few.
    pub fn about(&self) -> Vec<String> {
        const MAX_NAMED: usize = 5;
        let names: Vec<String> = match self {
            Self::Add(requests) => requests.iter().map(|request| request.source.to_string()).collect(),
            Self::Update(picks) | Self::Remove(picks) => picks.iter().map(ToString::to_string).collect(),
            _ => Vec::new(),
        };
        if names.len() < 2 {
            return Vec::new();
        }
        let more = names.len().saturating_sub(MAX_NAMED);
        let more = (more > 0).then(|| format!("and {more} more"));
        names.into_iter().take(MAX_NAMED).chain(more).collect()
    }
}

/// What is done with these rules, or with all.
fn ruled(verb: &str, only: &[String]) -> String {
    match only {
        [] => format!("{verb} all rules"),
        [one] => format!("{verb} the rule {one}"),
        many => format!("{verb} {}", crate::text::count(many.len() as u64, "rule", "rules")),
    }
}

/// What picks are about: a name alone is a repository with all its images.
fn picked(picks: &[Pick]) -> String {
    match picks {
        [] => "all images".to_owned(),
        [one] => one.to_string(),
        many if many.iter().all(|pick| pick.tag.is_some() || pick.digest.is_some()) => {
            crate::text::count(many.len() as u64, "image", "images")
        }
        many => crate::text::count(many.len() as u64, "repository", "repositories"),
    }
}

impl Plan {
    /// What its job is called.
    pub fn title(&self) -> String {
        let many = |number: usize| crate::text::count(number as u64, "image", "images");
        match self {
            Self::Add(plan) | Self::Update(plan) => {
                let verb = if matches!(self, Self::Add(_)) { "add" } else { "update" };
                // What stays as it is is not what the job is about.
                let changing: Vec<_> = plan.changing().collect();
                match (changing.as_slice(), plan.failed.len()) {
                    ([one], 0) => format!("{verb} {}", one.shown()),
                    (changing, 0) => format!("{verb} {}", many(changing.len())),
                    (changing, failed) => {
                        format!("{verb} {} of {}", changing.len(), many(plan.images.len() + failed))
                    }
                }
            }
            Self::Rules(run) => ruled("run", &run.only),
            Self::Look(only) => ruled("check", only),
            Self::ChangeRules(RuleChange::Remove(name)) => format!("remove the rule {name}"),
            Self::ChangeRules(RuleChange::Save(draft)) => {
                format!("{} the rule {}", if draft.old.is_some() { "change" } else { "add" }, draft.rule.name)
            }
            Self::Remove(plan) => format!("remove {}", plan.summary()),
            Self::Undo(plan) => format!("undo {} {}", plan.verb, plan.summary),
            Self::Redo(plan) => format!("redo {} {}", plan.verb, plan.summary),
            Self::Gc(_) => "gc".to_owned(),
            // The outcome says to which root.
            Self::Publish(plan) if plan.rollback => "roll back".to_owned(),
            Self::Publish(_) => "publish".to_owned(),
            Self::Forget(plan) => match plan.roots.as_slice() {
                [one] => format!("forget {}", one.root),
                roots => format!("forget {}", crate::text::count(roots.len() as u64, "root", "roots")),
            },
            Self::RemoveTarget(plan) => format!("remove the target {}", plan.name),
            Self::SaveTarget(draft) => {
                format!("{} the target {}", if draft.new { "add" } else { "change" }, draft.name)
            }
            Self::TestTarget(name) => format!("test the target {name}"),
            Self::Follow { setting, .. } => format!("follow {}", setting.name),
            Self::LookAtName => "look at the name that is followed".to_owned(),
            Self::CheckFollowing => "check what is followed".to_owned(),
            Self::StopFollowing(name) => format!("stop following {name}"),
            Self::SaveFile(save) => format!("save /{} of {}", save.path, save.files.image),
            Self::Verify { repair: false } => "verify".to_owned(),
            Self::Verify { repair: true } => "verify and repair".to_owned(),
            Self::Check(picks) => format!("check {}", picked(picks)),
            Self::Allow { repositories, allowed } => {
                let names: Vec<String> = repositories.iter().map(ToString::to_string).collect();
                format!("{} {}", if *allowed { "allow" } else { "revoke" }, names.join(" "))
            }
        }
    }

    /// Whether running it changes something, here or elsewhere.
    pub fn changes(&self) -> bool {
        !matches!(
            self,
            Self::Verify { repair: false } | Self::Check(_) | Self::Look(_) | Self::CheckFollowing | Self::SaveFile(_)
        )
    }

    /// What is asked for to make the same plan again.
    pub fn again(&self) -> Option<Request> {
        match self {
            Self::Update(_) => Some(Request::Update(Vec::new())),
            Self::Rules(run) => Some(Request::Rules(run.only.clone())),
            Self::Gc(_) => Some(Request::Gc),
            Self::Publish(plan) => Some(Request::Publish(PublishRequest {
                targets: plan.targets.iter().map(|target| target.target.name.clone()).collect(),
                root: plan.rollback.then_some(plan.root),
                force: plan.force,
            })),
            _ => None,
        }
    }
}

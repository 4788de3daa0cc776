//! What comes and moves: requests in the order of rules, as far as the rules and the registries' quotas let them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use futures::StreamExt as _;
use futures::stream;

use super::plan::{GatedTag, MovedTag, Postponed, PostponedTag, RulePlan};
use super::survey::{Found, State};
use crate::catalog::rule_images::{FormerImage, RuleImage};
use crate::engine::Engine;
use crate::engine::add::asked::Asked;
use crate::engine::add::placed::MAX_CONCURRENT_REQUESTS;
use crate::engine::add::resolve::Resolved;
use crate::engine::blocking::in_place;
use crate::engine::job::{Event, Job};
use crate::engine::plan::{AddPlan, Change, PlannedImage};
use crate::engine::request::{AddRequest, PublishedAs, Source};
use crate::error::{Error, Kind, Result};
use crate::hooks::program::Limits;
use crate::hooks::{self, Gate, Verdict};
use crate::image::{Digest, Reference, Selection, Tag};
use crate::rules::{Period, Rule, Rules};

/// Pulls of an image of which nothing is known: its index, and a manifest for each platform where all are wanted.
const PULLS_OF_ALL_PLATFORMS: u64 = 6;

/// A request of a rule.
pub(super) struct Asking {
    pub(super) rule: usize,
    /// `name:tag` or `name@digest`.
    pub(super) image: String,
    pub(super) request: AddRequest,
    /// Pulls that it takes, as far as that is known before.
    pub(super) pulls: u64,
    /// The digest that the tag has here.
    pub(super) moved: Option<MovedTag>,
    /// It only keeps what a tag pointed to.
    pub(super) former: bool,
}

/// Makes the requests of what was found, in the order of the rules.
pub(super) fn requests(rules: &Rules, found: &[&Found], plan: &mut RulePlan) -> Vec<Asking> {
    let mut asking = Vec::new();
    let mut new: BTreeMap<usize, u32> = BTreeMap::new();
    for found in found {
        let rule = &rules.rules[found.rule];
        let image = shown(found);
        let part = &mut plan.rules[found.rule];
        let moved = match &found.state {
            State::New => {
                let number = new.entry(found.rule).or_default();
                if *number >= rule.max_new {
                    part.postponed.push(PostponedTag { image, reason: Postponed::MaxNew });
                    continue;
                }
                *number += 1;
                None
            }
            State::Moves { from, to } => {
                asking.extend(former(rule, found, from.digest, plan));
                Some(MovedTag { image: image.clone(), from: from.digest, to: *to })
            }
            State::Lacking => None,
            State::Here { .. } | State::Refused { .. } | State::Held { .. } | State::Gone { .. } => continue,
        };
        let usual = found.reference.upstream.published_name().is_ok_and(|usual| usual == found.name);
        let name = (!usual).then(|| PublishedAs { name: found.name.clone(), tag: found.reference.tag.clone() });
        let request = AddRequest {
            selection: found.selection.clone(),
            name,
            ..AddRequest::new(Source::Registry(found.reference.clone()))
        };
        let pulls = pulls(found.selection.as_ref());
        asking.push(Asking { rule: found.rule, image, request, pulls, moved, former: false });
    }
    asking
}

/// Keeps what a tag points to before it moves, if the rule says so.
fn former(rule: &Rule, found: &Found, digest: Digest, plan: &mut RulePlan) -> Vec<Asking> {
    let Some(tag) = &found.reference.tag else { return Vec::new() };
    let mut names: Vec<Option<Tag>> = Vec::new();
    if rule.former.is_some() {
        names.push(None);
    }
    if let Some(template) = &rule.former_tag {
        let date = jiff::Timestamp::from_second(plan.now)
            .map_or_else(|_| String::new(), |now| now.strftime("%Y%m%d").to_string());
        let text = template.replace("{tag}", tag.as_str()).replace("{date}", &date);
        match text.parse::<Tag>() {
            Ok(former) => names.push(Some(former)),
            Err(error) => plan.rules[found.rule].failed.push(format!("former_tag: {error}")),
        }
    }
    let mut all = Vec::new();
    for name in names {
        let reference = Reference { upstream: found.reference.upstream.clone(), tag: None, digest: Some(digest) };
        let called = name.as_ref().map_or_else(|| digest.to_string(), Tag::to_string);
        let request = AddRequest {
            selection: found.selection.clone(),
            name: Some(PublishedAs { name: found.name.clone(), tag: name }),
            ..AddRequest::new(Source::Registry(reference))
        };
        if let Some(period) = rule.former.map(Period::seconds) {
            plan.formers.push(FormerImage {
                repository: found.name.to_string(),
                image: called.clone(),
                until: plan.now.saturating_add_unsigned(period),
            });
        }
        let image = format!("{}@{called}", found.name);
        all.push(Asking { rule: found.rule, image, request, pulls: 0, moved: None, former: true });
    }
    all
}

/// `name:tag` or `name@digest` of what was found.
pub(super) fn shown(found: &Found) -> String {
    match (&found.reference.tag, &found.reference.digest) {
        (Some(tag), _) => format!("{}:{tag}", found.name),
        (None, Some(digest)) => format!("{}@{digest}", found.name),
        (None, None) => found.name.to_string(),
    }
}

fn pulls(selection: Option<&Selection>) -> u64 {
    match selection {
        None => 2,
        Some(Selection::Only(platforms)) => 1 + platforms.len() as u64,
        Some(Selection::All) => PULLS_OF_ALL_PLATFORMS,
    }
}

impl Engine {
    /// Asks what the requests consist of, several at a time, and stops at a registry whose quota is used up to its reserve:
    /// the rest of it is postponed.
    pub(super) async fn resolve_within_quotas(
        self: &Arc<Self>,
        rules: &Rules,
        asking: Vec<Asking>,
        plan: &mut RulePlan,
        base: &Path,
        job: &Job,
    ) -> Result<AddPlan> {
        let requests: Vec<AddRequest> = asking.iter().map(|asking| asking.request.clone()).collect();
        let asked = Asked::about(&requests);
        let of: BTreeMap<String, usize> =
            asking.iter().map(|asking| (asking.request.source.to_string(), asking.rule)).collect();
        let gate = (!rules.gate.is_empty()).then(|| Gate {
            words: rules.gate.clone(),
            // Without a directory it runs where this process does.
            directory: Some(base.to_owned()).filter(|base| !base.as_os_str().is_empty()),
            limits: Limits::HOOK,
        });
        let total = asking.len() as u64;
        let mut resolved: Vec<Resolved> = Vec::new();
        let mut spent: std::collections::BTreeSet<String> = std::collections::BTreeSet::new();
        let mut queue = asking.into_iter().enumerate().peekable();
        while queue.peek().is_some() {
            let mut batch = Vec::new();
            let mut taken: BTreeMap<String, u64> = BTreeMap::new();
            while batch.len() < MAX_CONCURRENT_REQUESTS
                && let Some((index, one)) = queue.next()
            {
                let rule = &rules.rules[one.rule];
                let registry = registry_of(&one.request);
                let wants = taken.get(&registry).copied().unwrap_or_default() + one.pulls;
                let left = self.notices.pulls_left(&registry);
                let is_spent = left.is_some_and(|left| left < wants.saturating_add(u64::from(rule.reserve)));
                if one.pulls > 0 && (is_spent || spent.contains(&registry)) {
                    spent.insert(registry);
                    postpone(one, plan);
                    continue;
                }
                taken.insert(registry, wants);
                batch.push((index, one));
            }
            let each = batch.into_iter().map(|(index, one)| {
                let (asked, gate) = (&asked, &gate);
                async move {
                    let outcome = job.or_cancelled(self.resolve(&one.request, asked, job)).await;
                    let refusal = match (&outcome, gate) {
                        (Ok((image, _)), Some(gate)) if enters(image) && !one.former => ask(gate, image).await,
                        _ => None,
                    };
                    (index, one, outcome, refusal)
                }
            });
            let outcomes: Vec<_> =
                stream::iter(each.collect::<Vec<_>>()).buffer_unordered(MAX_CONCURRENT_REQUESTS).collect().await;
            job.check()?;
            for (index, one, outcome, refusal) in outcomes {
                if let (Some(words), Ok((image, _))) = (refusal, &outcome) {
                    let gated = GatedTag { image: one.image.clone(), digest: image.digest, words };
                    plan.rules[one.rule].gated.push(gated);
                    continue;
                }
                match outcome {
                    Err(error) if error.is_quota() => {
                        spent.insert(registry_of(&one.request));
                        postpone(one, plan);
                    }
                    // It was there when the tags were listed.
                    Err(error) if error.kind() == Kind::NotFound && one.moved.is_none() => {
                        tracing::debug!(image = one.image, "gone since it was listed");
                        if one.former {
                            plan.formers
                                .retain(|former| format!("{}@{}", former.repository, former.image) != one.image);
                        }
                    }
                    outcome => {
                        note(&one, &outcome, plan);
                        resolved.push(Resolved { index, request: one.request.source.to_string(), outcome });
                    }
                }
            }
            job.tell(Event::Resolving { done: resolved.len() as u64, total });
        }
        let made = in_place(|| {
            let made = self.plan_of(resolved)?;
            self.note_back(&made)?;
            Ok::<_, Error>(made)
        })?;
        for image in made.changing() {
            let Some(rule) = of.get(&image.request) else { continue };
            let part = &mut plan.rules[*rule];
            let attached = image.attached.iter().map(|attached| attached.manifests.len());
            part.pulls += (image.manifests.len() + attached.sum::<usize>()) as u64;
            part.bytes += image.new_bytes;
        }
        Ok(AddPlan { pulls: asked.pulls(), ..made })
    }
}

/// Whether something comes that was not here: what only gets more platforms was asked about when it came.
fn enters(image: &PlannedImage) -> bool {
    matches!(image.change, Change::Added | Change::Moved { .. })
}

/// Asks the gate; its words, if it keeps the image out.
async fn ask(gate: &Gate, image: &PlannedImage) -> Option<String> {
    let top = image.manifests.iter().find(|manifest| manifest.digest == image.digest)?;
    let asked = hooks::Asked {
        image: &image.request,
        digest: image.digest,
        media_type: &top.manifest.media_type,
        manifest: &top.bytes,
    };
    match gate.ask(asked).await {
        Verdict::Taken => None,
        Verdict::Refused(words) => Some(words),
    }
}

fn registry_of(request: &AddRequest) -> String {
    match &request.source {
        Source::Registry(reference) => reference.upstream.registry.clone(),
        Source::Local(_) | Source::Tree(_) => String::new(),
    }
}

fn postpone(asking: Asking, plan: &mut RulePlan) {
    let postponed = PostponedTag { image: asking.image, reason: Postponed::Quota };
    plan.rules[asking.rule].postponed.push(postponed);
}

/// Says of a request that was answered what it is for its rule.
fn note<T>(asking: &Asking, outcome: &Result<T>, plan: &mut RulePlan) {
    if asking.former {
        return;
    }
    let part = &mut plan.rules[asking.rule];
    match (outcome, &asking.moved) {
        (Err(_), _) => {}
        (Ok(_), Some(moved)) => part.moved.push(moved.clone()),
        (Ok(_), None) => part.new.push(asking.image.clone()),
    }
}

/// The rows of tags that a rule selects: what is new is brought by it.
pub(super) fn rows(rules: &Rules, found: &[&Found], known: impl Fn(&str, &str) -> Option<RuleImage>) -> Vec<RuleImage> {
    let tagged = found.iter().filter_map(|found| {
        let rule = rules.rules[found.rule].name.to_string();
        let (repository, tag) = (found.name.to_string(), found.tag_or_digest()?);
        let row = known(&repository, &tag);
        let brought = match (&found.state, &row) {
            (_, Some(row)) => row.brought,
            (State::New, None) => true,
            (State::Held { here: false, .. } | State::Gone { here: None }, None) => return None,
            (_, None) => false,
        };
        let leaving_at = match found.state {
            State::Gone { .. } => row.as_ref().and_then(|row| row.leaving_at),
            _ => None,
        };
        let wanted = RuleImage { repository, tag, rule, brought, leaving_at };
        (row.as_ref() != Some(&wanted)).then_some(wanted)
    });
    tagged.collect()
}

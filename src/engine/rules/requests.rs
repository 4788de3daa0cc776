//! What comes and moves: requests in the order of rules, as far as the rules and the registries' quotas let them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path;
use std::sync::Arc;

use futures::StreamExt as _;
use futures::stream;

use super::chosen;
use super::plan::{GatedTag, HeldTag, MovedTag, Postponed, PostponedTag, RulePart, RulePlan};
use super::quotas::{Admission, Pull, Quotas};
use super::survey::{Found, Looked, State};
use crate::catalog::rule_images::{FormerImage, RuleImage};
use crate::catalog::{images, repositories};
use crate::engine::Engine;
use crate::engine::add::asked::Asked;
use crate::engine::add::placed::MAX_CONCURRENT_REQUESTS;
use crate::engine::add::resolve::Resolved;
use crate::engine::blocking::in_place;
use crate::engine::gating;
use crate::engine::job::{Event, Job};
use crate::engine::plan::{AddPlan, PlannedImage};
use crate::engine::request::{AddRequest, PublishedAs, Source};
use crate::error::{Error, Kind, Result};
use crate::image::{Digest, Reference, Selection, Tag, Target, Upstream};
use crate::registry;
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
    pub(super) coming: Coming,
    /// As the rule found it: a tag stays the name of what is taken by the digest that was found old enough.
    reference: Reference,
    checked: Option<Digest>,
}

/// What comes with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Coming {
    /// An image that is not here.
    New,
    /// What a tag has upstream instead of what it has here.
    Moved(MovedTag),
    /// More of an image that is here.
    More,
    /// What a tag pointed to, which only stays.
    Former,
}

impl Asking {
    /// Says of it what it is for its rule.
    pub(super) fn tell(&self, part: &mut RulePart) {
        match &self.coming {
            Coming::New => part.new.push(self.image.clone()),
            Coming::Moved(moved) => part.moved.push(moved.clone()),
            Coming::More | Coming::Former => {}
        }
    }

    fn pull<'a>(&'a self, rules: &Rules) -> Pull<'a> {
        let upstream = Some(&self.reference.upstream).filter(|_| self.coming != Coming::Former);
        Pull { rule: self.rule, reserve: rules.rules[self.rule].reserve, upstream, pulls: self.pulls }
    }

    /// What it is called where somebody is told of it.
    pub(super) fn request(&self) -> String {
        self.reference.to_string()
    }
}

/// Makes the requests of what was found, in the order of the rules.
pub(super) fn requests(rules: &Rules, found: &[&Found], plan: &mut RulePlan) -> Vec<Asking> {
    let mut asking = Vec::new();
    let mut new: BTreeMap<usize, u32> = BTreeMap::new();
    for found in found {
        let rule = &rules.rules[found.rule];
        let image = shown(found);
        let part = &mut plan.rules[found.rule];
        let coming = match &found.state {
            State::New => {
                let number = new.entry(found.rule).or_default();
                if *number >= rule.max_new {
                    part.postponed.push(PostponedTag { image, reason: Postponed::MaxNew });
                    continue;
                }
                *number += 1;
                Coming::New
            }
            State::Moves { from, to } => {
                asking.extend(former(rule, found, from.digest, plan));
                Coming::Moved(MovedTag { image: image.clone(), from: from.digest, to: *to })
            }
            State::Lacking => Coming::More,
            State::Here { .. } | State::Refused { .. } | State::Held { .. } | State::Gone { .. } | State::Unknown => {
                continue;
            }
        };
        let reference = found.reference.clone();
        // What the tag has by now may be younger than what was looked at.
        let digest = reference.digest.or(found.checked);
        let usual = found.reference.upstream.published_name().is_ok_and(|usual| usual == found.name);
        let name = (!usual).then(|| PublishedAs { name: found.name.clone(), tag: found.reference.tag.clone() });
        let request = AddRequest {
            selection: found.selection.clone(),
            name,
            ..AddRequest::new(Source::Registry(Reference { digest, ..reference.clone() }))
        };
        let (rule, pulls, checked) = (found.rule, pulls(found.selection.as_ref()), found.checked);
        asking.push(Asking { rule, image, request, pulls, coming, reference, checked });
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
            ..AddRequest::new(Source::Registry(reference.clone()))
        };
        if let Some(period) = rule.former.map(Period::seconds) {
            plan.formers.push(FormerImage {
                repository: found.name.to_string(),
                image: called.clone(),
                since: plan.now,
                until: plan.now.saturating_add_unsigned(period),
            });
        }
        let image = format!("{}@{called}", found.name);
        let (rule, coming) = (found.rule, Coming::Former);
        all.push(Asking { rule, image, request, pulls: 0, coming, reference, checked: None });
    }
    all
}

/// `name:tag` or `name@digest` of what was found.
pub(super) fn shown(found: &Found) -> String {
    chosen::shown(&found.name, &found.reference)
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
        looked: &[Looked],
        asking: Vec<Asking>,
        plan: &mut RulePlan,
        base: &Path,
        job: &Job,
    ) -> Result<AddPlan> {
        let requests: Vec<AddRequest> = asking.iter().map(|asking| asking.request.clone()).collect();
        let lists =
            looked.iter().filter_map(|looked| Some((looked.upstream.clone(), Arc::clone(looked.listed.as_ref()?))));
        let asked = Asked::about(&requests).with_lists(lists.collect());
        let of: BTreeMap<String, usize> = asking.iter().map(|asking| (asking.request(), asking.rule)).collect();
        let gate = gating::gate_of(rules, base);
        let total = asking.len() as u64;
        let mut resolved: Vec<Resolved> = Vec::new();
        let mut quotas = self.quotas(rules, &asking, job).await?;
        let mut queue: VecDeque<(usize, Asking)> = asking.into_iter().enumerate().collect();
        while !queue.is_empty() {
            quotas.begin();
            let mut batch = Vec::new();
            while batch.len() < MAX_CONCURRENT_REQUESTS
                && let Some((index, one)) = queue.pop_front()
            {
                match quotas.admit(one.pull(rules)) {
                    Admission::Now => batch.push((index, one)),
                    Admission::Later => {
                        queue.push_front((index, one));
                        break;
                    }
                    Admission::Postponed => postpone(one, plan),
                }
            }
            let each = batch.into_iter().map(|(index, one)| {
                let (asked, gate) = (&asked, &gate);
                async move {
                    let resolving = registry::without_waiting_for_quotas(self.resolve(&one.request, asked, job));
                    let mut outcome = Box::pin(job.or_cancelled(resolving)).await;
                    if let Ok((image, _)) = &mut outcome {
                        image.request = one.request();
                    }
                    let refusal = match (&outcome, gate) {
                        (Ok((image, _)), Some(gate)) if one.coming != Coming::Former => {
                            gating::refusal(gate, image).await
                        }
                        _ => None,
                    };
                    (index, one, outcome, refusal)
                }
            });
            let mut outcomes: Vec<_> =
                stream::iter(each.collect::<Vec<_>>()).buffer_unordered(MAX_CONCURRENT_REQUESTS).collect().await;
            job.check()?;
            outcomes.sort_by_key(|(index, ..)| *index);
            for (index, one, outcome, refusal) in outcomes {
                if let Ok((image, _)) = &outcome
                    && one.coming != Coming::Former
                {
                    quotas.note_more(&one.reference.upstream, manifests(image).saturating_sub(one.pulls));
                }
                if let (Some(words), Ok((image, _))) = (refusal, &outcome) {
                    let gated = GatedTag { image: one.image.clone(), digest: image.digest, words };
                    plan.rules[one.rule].gated.push(gated);
                    continue;
                }
                if outcome.is_err() && one.coming == Coming::Former {
                    plan.formers.retain(|former| format!("{}@{}", former.repository, former.image) != one.image);
                }
                match &outcome {
                    Ok(_) => one.tell(&mut plan.rules[one.rule]),
                    Err(error) if error.is_quota() => {
                        quotas.spend(&one.reference.upstream.registry);
                        postpone(one, plan);
                        continue;
                    }
                    Err(error) if error.kind() == Kind::NotFound => {
                        if self.is_gone(&one, plan, rules, job).await? {
                            tracing::debug!(image = one.image, %error, "gone or moved since it was looked at");
                            continue;
                        }
                    }
                    Err(_) => {}
                }
                resolved.push(Resolved { index, request: one.request(), outcome });
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
            part.pulls += manifests(image);
            part.bytes += image.new_bytes;
        }
        Ok(AddPlan { pulls: asked.pulls(), ..made })
    }

    /// What registries allow. One that may allow too little, or has not said it, is asked by a HEAD, which is no pull.
    async fn quotas<'a>(self: &'a Arc<Self>, rules: &Rules, asking: &[Asking], job: &Job) -> Result<Quotas<'a>> {
        let mut quotas = Quotas::new(&self.notices);
        in_place(|| {
            let reader = self.catalog.read()?;
            let upstreams = asking.iter().filter(|one| one.coming != Coming::Former).map(|one| &one.reference.upstream);
            for upstream in upstreams.collect::<BTreeSet<&Upstream>>() {
                if let Some(repository) = repositories::by_upstream(&reader, upstream)? {
                    let (images, attached) = images::numbers(&reader, repository.id)?;
                    quotas.note_more(upstream, attached.div_ceil(images.max(1)));
                }
            }
            Ok::<_, Error>(())
        })?;
        for one in asking {
            quotas.expect(one.pull(rules));
        }
        let reserve = rules.rules.iter().map(|rule| rule.reserve).max().unwrap_or_default();
        for registry in quotas.unsure(reserve) {
            let is_of = |one: &&Asking| one.coming != Coming::Former && one.reference.upstream.registry == registry;
            let Some(first) = asking.iter().find(is_of) else { continue };
            match self.head(&first.reference.upstream, &target(&first.request), job).await {
                Err(error) if error.kind() == Kind::Interrupted => return Err(error),
                Err(error) if error.is_quota() => quotas.spend(&registry),
                // What is wrong is said when it is asked for.
                Err(_) | Ok(_) => {}
            }
        }
        Ok(quotas)
    }

    /// The digest that a manifest has upstream, as far as a HEAD says it.
    async fn head(&self, upstream: &Upstream, target: &Target, job: &Job) -> Result<Option<Digest>> {
        let insecure = in_place(|| self.is_insecure(upstream))?;
        let registry = self.registries.open(&upstream.registry, insecure)?;
        let head = registry::without_waiting_for_quotas(registry.head(&upstream.repository, target));
        Ok(job.or_cancelled(head).await?.digest)
    }

    /// Whether what was not found is not to be had since it was looked at: its tag is not there any more, or has another digest
    /// now, which is too young. All else that is missing is a failure.
    async fn is_gone(&self, one: &Asking, plan: &mut RulePlan, rules: &Rules, job: &Job) -> Result<bool> {
        let Some(tag) = one.reference.tag.clone().filter(|_| one.reference.digest.is_none()) else { return Ok(false) };
        let now = match self.head(&one.reference.upstream, &Target::Tag(tag), job).await {
            Ok(now) => now,
            Err(error) if error.kind() == Kind::Interrupted => return Err(error),
            Err(error) => return Ok(error.kind() == Kind::NotFound),
        };
        let has_moved = one.checked.is_some() && now.is_some() && now != one.checked;
        if let Some(age) = rules.rules[one.rule].age.filter(|_| has_moved) {
            let until = plan.now.saturating_add_unsigned(age.seconds());
            plan.rules[one.rule].held.push(HeldTag { image: one.image.clone(), until });
        }
        Ok(has_moved)
    }
}

fn target(request: &AddRequest) -> Target {
    match &request.source {
        Source::Registry(reference) => reference.digest.map_or_else(|| reference.target(), Target::Digest),
        Source::Local(_) | Source::Tree(_) => Target::Tag(Tag::latest()),
    }
}

/// Manifests that an image consists of, with what is attached to it.
fn manifests(image: &PlannedImage) -> u64 {
    let attached: usize = image.attached.iter().map(|attached| attached.manifests.len()).sum();
    (image.manifests.len() + attached) as u64
}

fn postpone(asking: Asking, plan: &mut RulePlan) {
    let postponed = PostponedTag { image: asking.image, reason: Postponed::Quota };
    plan.rules[asking.rule].postponed.push(postponed);
}

/// The rows of tags that a rule selects: what is new is brought by it.
pub(super) fn rows(rules: &Rules, found: &[&Found], known: impl Fn(&str, &str) -> Option<RuleImage>) -> Vec<RuleImage> {
    let tagged = found.iter().filter_map(|found| {
        let rule = rules.rules[found.rule].name.to_string();
        if matches!(found.state, State::Unknown) {
            return None;
        }
        let (repository, tag) = (found.name.to_string(), found.tag_or_digest()?);
        let row = known(&repository, &tag);
        let brought = match (&found.state, &row) {
            (_, Some(row)) => row.brought,
            (State::New, None) => true,
            (State::Held { here: false, .. } | State::Gone { here: None }, None) => return None,
            (_, None) => false,
        };
        let (leaving_at, gone) = match (&found.state, &row) {
            (State::Gone { .. }, Some(row)) => (row.leaving_at, row.gone),
            _ => (None, false),
        };
        let wanted = RuleImage { repository, tag, rule, brought, leaving_at, gone };
        (row.as_ref() != Some(&wanted)).then_some(wanted)
    });
    tagged.collect()
}

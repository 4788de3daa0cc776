//! What the rules select of one repository now, and how that differs from what is here: one list, and a HEAD for what may move.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures::StreamExt as _;
use futures::stream;

use super::ages::Ages;
use super::wanted::{Part, Wanted, What};
use crate::catalog::images::{self, Image};
use crate::catalog::repositories;
use crate::engine::Engine;
use crate::engine::blocking::in_place;
use crate::engine::job::Job;
use crate::error::{Error, Kind, Result};
use crate::image::{Digest, Reference, RepositoryName, Selection, Tag, Target, Upstream};
use crate::registry::{self, Registry};
use crate::rules::{Moves, Rule, Rules};

/// HEADs of one repository at the same time.
const MAX_CONCURRENT_HEADS: usize = 8;

/// How often tags are chosen anew because a digest turned out to be too young.
const MAX_ROUNDS: usize = 16;

/// What was found of a repository.
#[derive(Debug)]
pub(super) struct Looked {
    pub(super) upstream: Upstream,
    /// The tags that were listed. None: nothing had to be listed.
    pub(super) listed: Option<BTreeSet<Tag>>,
    /// By rule: what is selected, in the order in which it is fetched.
    pub(super) found: Vec<Found>,
    /// By rule: what failed.
    pub(super) failed: Vec<(usize, Error)>,
    pub(super) ages: Option<Ages>,
}

/// Something that a rule selects.
#[derive(Debug)]
pub(super) struct Found {
    /// The first rule that does.
    pub(super) rule: usize,
    pub(super) reference: Reference,
    /// Name and tag (or digest) that it has here.
    pub(super) name: RepositoryName,
    /// Platforms of all rules that select it. None: as `add` without `--platform`.
    pub(super) selection: Option<Selection>,
    pub(super) state: State,
}

impl Found {
    /// What it is called in its repository.
    pub(super) fn tag_or_digest(&self) -> Option<String> {
        let Reference { tag, digest, .. } = &self.reference;
        tag.as_ref().map(Tag::to_string).or_else(|| digest.map(|digest| digest.to_string()))
    }
}

/// How something that is selected stands to what is here.
#[derive(Debug)]
pub(super) enum State {
    /// It is not here.
    New,
    /// It is here and stays as it is; the image where upstream said that it has the same.
    Here { image: Option<Image> },
    /// It is here, but not all that is wanted of it.
    Lacking,
    /// It has another digest upstream, and follows.
    Moves { from: Image, to: Digest },
    /// The same, but it stays as it is.
    Refused { from: Digest, to: Digest },
    /// It is not taken before then, in seconds since 1970. What is here of it stays.
    Held { until: i64, here: bool },
    /// It is not there any more.
    Gone { here: Option<Image> },
}

/// Looks at one repository.
pub(super) struct Survey<'a> {
    pub(super) engine: &'a Arc<Engine>,
    pub(super) rules: &'a Rules,
    pub(super) job: &'a Job,
    /// Seconds since 1970.
    pub(super) now: i64,
}

/// Until when tags are held because of their digests.
type Young = BTreeMap<String, i64>;

/// A tag that is selected.
struct Choice {
    rule: usize,
    selection: Option<Selection>,
}

impl Survey<'_> {
    fn rule(&self, number: usize) -> &Rule {
        &self.rules.rules[number]
    }

    /// Lists, selects and compares. What fails is in the result.
    pub(super) async fn look(&self, wanted: &Wanted) -> Result<Looked> {
        let upstream = &wanted.upstream;
        let mut looked =
            Looked { upstream: upstream.clone(), listed: None, found: Vec::new(), failed: Vec::new(), ages: None };
        let engine = self.engine;
        let registry = match in_place(|| engine.is_insecure(upstream))
            .and_then(|insecure| engine.registries.open(&upstream.registry, insecure))
        {
            Ok(registry) => registry,
            Err(error) => {
                looked.failed.extend(wanted.parts.iter().map(|part| (part.rule, error.again())));
                return Ok(looked);
            }
        };
        let mut no_list = None;
        if wanted.needs_list() {
            let list = registry.tags(&upstream.repository, registry::Wanted::All);
            match self.job.or_cancelled(list).await {
                Ok(tags) if tags.is_empty() => {
                    no_list = Some(Error::new(Kind::NotFound, format!("{upstream} lists no tags")));
                }
                Ok(tags) => looked.listed = Some(tags.into_iter().collect()),
                Err(error) if error.kind() == Kind::Interrupted => return Err(error),
                Err(error) => no_list = Some(error.context(format!("the tags of {upstream} can't be listed"))),
            }
        }
        if wanted.parts.iter().any(|part| self.rule(part.rule).age.is_some()) {
            let key = upstream.to_string();
            let mut ages = in_place(|| Ages::load(&*engine.catalog.read()?, key, self.now))?;
            if let Some(listed) = &looked.listed {
                ages.listed(listed.iter().map(Tag::as_str));
            }
            looked.ages = Some(ages);
        }
        // A rule whose tags could not be listed selects nothing, which is not known to be so.
        let (usable, failed): (Vec<&Part>, Vec<&Part>) = wanted.parts.iter().partition(|part| {
            no_list.is_none() || !matches!(&part.what, What::Tags(tags) if tags.literals().is_none())
        });
        if let Some(error) = no_list {
            looked.failed.extend(failed.iter().map(|part| (part.rule, error.again())));
        }
        self.tags(&usable, &mut looked, registry.as_ref()).await?;
        self.digests(&usable, &mut looked)?;
        Ok(looked)
    }

    /// Chooses tags and compares them; again, if what was chosen turned out to be too young.
    async fn tags(&self, parts: &[&Part], looked: &mut Looked, registry: &dyn Registry) -> Result<()> {
        let mut heads: BTreeMap<Tag, Result<Option<Digest>>> = BTreeMap::new();
        let mut young = Young::new();
        for _ in 0..MAX_ROUNDS {
            let chosen = self.choose(parts, looked, Some(&young));
            let held = self.held(parts, looked, &chosen);
            let mut asked = Vec::new();
            for (tag, choice) in &chosen {
                if heads.contains_key(tag) {
                    continue;
                }
                let rule = self.rule(choice.rule);
                let here = self.here(looked, tag, rule)?;
                let may_move =
                    rule.moves != Moves::Ignore && here.as_ref().is_some_and(|image| image.followed() == Some(tag));
                // What is not here is asked for as it comes, unless its age counts.
                if may_move || here.is_none() && (rule.age.is_some() || looked.listed.is_none()) {
                    asked.push(tag.clone());
                }
            }
            // What would be taken if it were older is seen from now on with its digest.
            asked.extend(held.iter().map(|(tag, _)| tag).filter(|tag| !heads.contains_key(*tag)).cloned());
            self.ask(asked, looked, registry, &mut heads).await?;
            let mut found_young = false;
            for (tag, choice) in &chosen {
                let (Some(age), Some(Ok(Some(digest)))) = (self.rule(choice.rule).age, heads.get(tag)) else {
                    continue;
                };
                let is_here = self.here(looked, tag, self.rule(choice.rule))?.is_some();
                if let Some(until) =
                    looked.ages.as_mut().and_then(|ages| ages.digest_held(tag.as_str(), *digest, age.seconds()))
                    && !is_here
                {
                    found_young |= young.insert(tag.to_string(), until).is_none();
                }
            }
            for (tag, choice) in &held {
                if let (Some(age), Some(Ok(Some(digest))), Some(ages)) =
                    (self.rule(choice.rule).age, heads.get(tag), looked.ages.as_mut())
                {
                    ages.digest_held(tag.as_str(), *digest, age.seconds());
                }
            }
            if !found_young {
                self.compare(chosen, looked, &heads)?;
                return self.hold(held, looked, &young);
            }
        }
        Ok(())
    }

    /// The tags that are selected now, in the order of rules and, within a rule, from the newest version down.
    /// Without `young` no age counts.
    fn choose(&self, parts: &[&Part], looked: &Looked, young: Option<&Young>) -> Vec<(Tag, Choice)> {
        let listed: Vec<&str> = looked.listed.iter().flatten().map(Tag::as_str).collect();
        let mut chosen: Vec<(Tag, Choice)> = Vec::new();
        let mut places: BTreeMap<Tag, usize> = BTreeMap::new();
        for part in parts {
            let What::Tags(tags) = &part.what else { continue };
            let rule = self.rule(part.rule);
            let is_young = |tag: &str| {
                let (Some(young), Some(age)) = (young, rule.age) else { return false };
                let by_list = looked.ages.as_ref().and_then(|ages| ages.tag_held(tag, age.seconds()));
                by_list.is_some() || young.contains_key(tag)
            };
            let names: Vec<String> = match tags.literals() {
                Some(literals) => literals.into_iter().filter(|tag| !is_young(tag)).collect(),
                None => tags.choose(&listed, is_young).selected().map(str::to_owned).collect(),
            };
            for tag in names.into_iter().filter_map(|name| name.parse::<Tag>().ok()) {
                match places.get(&tag) {
                    None => {
                        places.insert(tag.clone(), chosen.len());
                        chosen.push((tag, Choice { rule: part.rule, selection: rule.platforms.clone() }));
                    }
                    Some(place) => {
                        let known = &mut chosen[*place].1.selection;
                        *known = united(known.take(), rule.platforms.clone());
                    }
                }
            }
        }
        chosen
    }

    /// What would be selected if it were older.
    fn held(&self, parts: &[&Part], looked: &Looked, chosen: &[(Tag, Choice)]) -> Vec<(Tag, Choice)> {
        if looked.ages.is_none() {
            return Vec::new();
        }
        let taken: BTreeSet<&Tag> = chosen.iter().map(|(tag, _)| tag).collect();
        let mut all = self.choose(parts, looked, None);
        // Where the newest ones are held, older ones are selected, which are not among those without ages.
        all.retain(|(tag, choice)| self.rule(choice.rule).age.is_some() && !taken.contains(tag));
        all
    }

    async fn ask(
        &self,
        tags: Vec<Tag>,
        looked: &Looked,
        registry: &dyn Registry,
        heads: &mut BTreeMap<Tag, Result<Option<Digest>>>,
    ) -> Result<()> {
        let repository = &looked.upstream.repository;
        let each = tags.into_iter().map(|tag| async move {
            let target = Target::Tag(tag.clone());
            let head = async {
                match registry.head(repository, &target).await?.digest {
                    Some(digest) => Ok(digest),
                    // A registry that doesn't say the digest in a HEAD has to be asked for the manifest.
                    None => Ok(registry.manifest(repository, &target).await?.digest),
                }
            };
            let answer = match self.job.or_cancelled(head).await {
                Ok(digest) => Ok(Some(digest)),
                Err(error) if error.kind() == Kind::NotFound => Ok(None),
                Err(error) => Err(error),
            };
            (tag, answer)
        });
        let mut answers = stream::iter(each.collect::<Vec<_>>()).buffer_unordered(MAX_CONCURRENT_HEADS);
        while let Some((tag, answer)) = answers.next().await {
            self.job.check()?;
            heads.insert(tag, answer);
        }
        Ok(())
    }

    /// The image that is here for a tag.
    fn here(&self, looked: &Looked, tag: &Tag, rule: &Rule) -> Result<Option<Image>> {
        let name = name_of(rule, &looked.upstream)?;
        in_place(|| {
            let reader = self.engine.catalog.read()?;
            let Some(repository) = repositories::by_name(&reader, name.as_str())? else { return Ok(None) };
            // Of another upstream: planning says what is wrong with it.
            if repository.upstream.as_ref() != Some(&looked.upstream) {
                return Ok(None);
            }
            let image = images::by_tag(&reader, repository.id, tag.as_str())?;
            Ok(image.filter(|image| image.attached_to.is_none()))
        })
    }

    fn compare(
        &self,
        chosen: Vec<(Tag, Choice)>,
        looked: &mut Looked,
        heads: &BTreeMap<Tag, Result<Option<Digest>>>,
    ) -> Result<()> {
        for (tag, choice) in chosen {
            let rule = self.rule(choice.rule);
            let here = self.here(looked, &tag, rule)?;
            let state = match (here, heads.get(&tag)) {
                (_, Some(Err(error))) => {
                    let error = error.again().context(format!("{}:{tag}", looked.upstream));
                    looked.failed.push((choice.rule, error));
                    State::Here { image: None }
                }
                (here, Some(Ok(None))) => State::Gone { here },
                (None, _) => State::New,
                (Some(image), Some(Ok(Some(digest)))) if *digest != image.digest => {
                    let held = rule
                        .age
                        .zip(looked.ages.as_mut())
                        .and_then(|(age, ages)| ages.digest_held(tag.as_str(), *digest, age.seconds()));
                    match (rule.moves, held) {
                        (Moves::Refuse | Moves::Ignore, _) => State::Refused { from: image.digest, to: *digest },
                        (Moves::Follow, Some(until)) => State::Held { until, here: true },
                        (Moves::Follow, None) => State::Moves { from: image, to: *digest },
                    }
                }
                (Some(image), _) if lacks(&image, choice.selection.as_ref()) => State::Lacking,
                (Some(image), Some(_)) => State::Here { image: Some(image) },
                (Some(_), None) => State::Here { image: None },
            };
            self.push(looked, tag, choice, state)?;
        }
        Ok(())
    }

    /// Says until when what would be selected is held.
    fn hold(&self, held: Vec<(Tag, Choice)>, looked: &mut Looked, young: &Young) -> Result<()> {
        for (tag, choice) in held {
            let rule = self.rule(choice.rule);
            let by_list = rule.age.zip(looked.ages.as_ref());
            let by_list = by_list.and_then(|(age, ages)| ages.tag_held(tag.as_str(), age.seconds()));
            let Some(until) = young.get(tag.as_str()).copied().into_iter().chain(by_list).max() else { continue };
            let here = self.here(looked, &tag, rule)?.is_some();
            self.push(looked, tag, choice, State::Held { until, here })?;
        }
        Ok(())
    }

    fn push(&self, looked: &mut Looked, tag: Tag, choice: Choice, state: State) -> Result<()> {
        let name = name_of(self.rule(choice.rule), &looked.upstream)?;
        let reference = Reference { upstream: looked.upstream.clone(), tag: Some(tag), digest: None };
        let Choice { rule, selection } = choice;
        looked.found.push(Found { rule, reference, name, selection, state });
        Ok(())
    }

    /// What sources name by digest never moves.
    fn digests(&self, parts: &[&Part], looked: &mut Looked) -> Result<()> {
        for part in parts {
            let What::Digest(reference, digest) = &part.what else { continue };
            let rule = self.rule(part.rule);
            let name = name_of(rule, &looked.upstream)?;
            let here = in_place(|| {
                let reader = self.engine.catalog.read()?;
                let Some(repository) = repositories::by_name(&reader, name.as_str())? else { return Ok(None) };
                match &reference.tag {
                    Some(tag) => images::by_tag(&reader, repository.id, tag.as_str()),
                    None => images::by_digest(&reader, repository.id, digest),
                }
            })?;
            let state = match here {
                Some(image) if image.digest != *digest => State::Moves { from: image, to: *digest },
                Some(image) if lacks(&image, rule.platforms.as_ref()) => State::Lacking,
                Some(_) => State::Here { image: None },
                None => State::New,
            };
            let selection = rule.platforms.clone();
            looked.found.push(Found { rule: part.rule, reference: reference.clone(), name, selection, state });
        }
        Ok(())
    }
}

/// Name that what a rule takes from there has here.
pub(super) fn name_of(rule: &Rule, upstream: &Upstream) -> Result<RepositoryName> {
    rule.published_as.clone().map_or_else(|| upstream.published_name(), Ok)
}

fn lacks(image: &Image, wanted: Option<&Selection>) -> bool {
    wanted.is_some_and(|wanted| image.selection.clone().union(wanted.clone()) != image.selection)
}

fn united(one: Option<Selection>, other: Option<Selection>) -> Option<Selection> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.union(other)),
        (one, other) => one.or(other),
    }
}

//! What the rules select of one repository now, and how that differs from what is here: one list, and a HEAD for what may move.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use futures::StreamExt as _;
use futures::stream;

use super::ages::Ages;
use super::chosen::{self, Choice, Place, choose};
pub(super) use super::found::{Found, Looked, State};
use super::wanted::{Part, Wanted, What};
use crate::catalog::images::{self, Image};
use crate::catalog::{repositories, sightings};
use crate::engine::Engine;
use crate::engine::blocking::in_place;
use crate::engine::job::Job;
use crate::error::{Error, Kind, Result};
use crate::image::{Digest, Selection, Tag, Target, Upstream};
use crate::registry::{self, Registry};
use crate::rules::{Moves, Period, Rule, Rules};

/// HEADs of one repository at the same time.
const MAX_CONCURRENT_HEADS: usize = 8;

/// HEADs of one repository for tags that are not old enough yet, the newest first.
const MAX_HEADS_OF_YOUNG_TAGS: usize = 64;

/// What came of asking for a tag.
#[derive(Debug)]
enum Answer {
    Has(Digest),
    Missing,
    /// The registry was asked too much.
    Spent,
    Failed(Error),
}

type Heads = BTreeMap<Tag, Answer>;

/// Looks at repositories.
pub(super) struct Survey<'a> {
    engine: &'a Arc<Engine>,
    rules: &'a Rules,
    job: &'a Job,
    /// Seconds since 1970.
    now: i64,
    /// Registries that were asked too much: they are left alone until the next run.
    spent: Mutex<BTreeSet<String>>,
}

/// Until when tags are held because of their digests.
type Young = BTreeMap<String, i64>;

/// What is chosen from.
struct Offer<'a> {
    parts: &'a [&'a Part],
    listed: &'a [&'a str],
}

/// What is selected as soon as it is old enough.
#[derive(Default)]
struct Waiting {
    /// What would be selected now if no age counted.
    held: Vec<Choice>,
    /// The same, and what would be selected if those before it stayed too young: their ages run, too.
    tags: Vec<(Tag, u64)>,
}

impl<'a> Survey<'a> {
    pub(super) fn new(engine: &'a Arc<Engine>, rules: &'a Rules, job: &'a Job, now: i64) -> Self {
        Self { engine, rules, job, now, spent: Mutex::default() }
    }

    fn rule(&self, number: usize) -> &'a Rule {
        &self.rules.rules[number]
    }

    fn is_spent(&self, upstream: &Upstream) -> bool {
        self.spent.lock().unwrap_or_else(PoisonError::into_inner).contains(&upstream.registry)
    }

    fn spend(&self, upstream: &Upstream) {
        self.spent.lock().unwrap_or_else(PoisonError::into_inner).insert(upstream.registry.clone());
    }

    /// Lists, selects and compares. What fails is in the result.
    pub(super) async fn look(&self, wanted: &Wanted) -> Result<Looked> {
        let upstream = &wanted.upstream;
        let mut looked = Looked {
            upstream: upstream.clone(),
            listed: None,
            found: Vec::new(),
            failed: Vec::new(),
            postponed: Vec::new(),
            ages: None,
        };
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
            match self.list(upstream, registry.as_ref()).await {
                Ok(tags) if tags.is_empty() => {
                    no_list = Some(Error::new(Kind::NotFound, format!("{upstream} lists no tags")));
                }
                Ok(tags) => looked.listed = Some(Arc::new(tags.into_iter().collect())),
                Err(error) if error.kind() == Kind::Interrupted => return Err(error),
                Err(error) => no_list = Some(error),
            }
        }
        looked.ages = in_place(|| self.ages(wanted, looked.listed.as_deref()))?;
        // A rule whose tags could not be listed selects nothing, which is not known to be so.
        let (usable, unlisted): (Vec<&Part>, Vec<&Part>) = wanted.parts.iter().partition(|part| {
            no_list.is_none() || !matches!(&part.what, What::Tags(tags) if tags.literals().is_none())
        });
        if let Some(error) = no_list {
            for part in unlisted {
                if error.is_quota() {
                    let name = chosen::name_of(self.rule(part.rule), upstream)?;
                    looked.postponed.push((part.rule, name.to_string()));
                } else {
                    looked.failed.push((part.rule, error.again()));
                }
            }
        }
        self.select(&usable, &mut looked, registry.as_ref()).await?;
        Ok(looked)
    }

    /// All tags of a repository.
    async fn list(&self, upstream: &Upstream, registry: &dyn Registry) -> Result<Vec<Tag>> {
        if self.is_spent(upstream) {
            return Err(Error::new(Kind::Network, format!("{} allows no more requests now", upstream.registry)).quota());
        }
        let list = registry::without_waiting_for_quotas(registry.tags(&upstream.repository, registry::Wanted::All));
        let listed = self.job.or_cancelled(list).await;
        if listed.as_ref().is_err_and(Error::is_quota) {
            self.spend(upstream);
        }
        listed
    }

    /// Since when tags are known, where that counts or is to be noted: the first list of a repository also where no rule waits
    /// yet, so that what came after it is younger than the list if one does later.
    fn ages(&self, wanted: &Wanted, listed: Option<&BTreeSet<Tag>>) -> Result<Option<Ages>> {
        let upstream = &wanted.upstream;
        let counts = wanted.parts.iter().any(|part| self.rule(part.rule).age.is_some());
        let reader = self.engine.catalog.read()?;
        if !counts && (listed.is_none() || sightings::has_first_list(&reader, &upstream.to_string())?) {
            return Ok(None);
        }
        let mut ages = Ages::load(&reader, upstream, self.now)?;
        if let Some(listed) = listed {
            ages.listed(listed.iter().map(Tag::as_str));
        }
        Ok(Some(ages))
    }

    /// Chooses and compares; again, if what was chosen turned out to be too young.
    async fn select(&self, parts: &[&Part], looked: &mut Looked, registry: &dyn Registry) -> Result<()> {
        let listed = looked.listed.clone();
        let listed: Vec<&str> = listed.iter().flat_map(|listed| listed.iter()).map(Tag::as_str).collect();
        let offer = Offer { parts, listed: &listed };
        let mut heads = Heads::new();
        let mut young = Young::new();
        // Each time one tag more is young, so it ends.
        loop {
            let chosen = self.chosen(&offer, looked, &young)?;
            let waiting = self.waiting(&offer, looked, &young, &chosen)?;
            let mut asked: BTreeSet<Tag> = waiting.tags.iter().map(|(tag, _)| tag.clone()).collect();
            for choice in &chosen {
                if let Some(tag) = choice.asks()
                    && self.has_to_ask(choice, tag, looked)?
                {
                    asked.insert(tag.clone());
                }
            }
            asked.retain(|tag| !heads.contains_key(tag));
            self.ask(asked, &looked.upstream, registry, &mut heads).await?;
            let mut found_young = false;
            for choice in &chosen {
                let Some(tag) = choice.asks() else { continue };
                if let Some(until) = self.digest_held(choice.rule, tag, looked, &heads)
                    && self.here(choice)?.is_none()
                {
                    found_young |= young.insert(tag.to_string(), until).is_none();
                }
            }
            for (tag, age) in &waiting.tags {
                if let (Some(Answer::Has(digest)), Some(ages)) = (heads.get(tag), looked.ages.as_mut()) {
                    ages.digest_held(tag.as_str(), *digest, *age);
                }
            }
            if !found_young {
                self.compare(chosen, looked, &heads)?;
                return self.hold(waiting.held, looked, &young);
            }
        }
    }

    fn chosen(&self, offer: &Offer<'_>, looked: &Looked, young: &Young) -> Result<Vec<Choice>> {
        let is_young = |rule: &Rule, tag: &str| held_until(rule, tag, looked, young).is_some();
        choose(self.rules, &looked.upstream, offer.parts, offer.listed, is_young)
    }

    /// What would be selected if it were older: from the newest down, as if more and more of them were still too young. The digest
    /// of one that is never asked for would be young for ever.
    fn waiting(&self, offer: &Offer<'_>, looked: &Looked, young: &Young, chosen: &[Choice]) -> Result<Waiting> {
        let mut waiting = Waiting::default();
        if offer.parts.iter().all(|part| self.rule(part.rule).age.is_none()) {
            return Ok(waiting);
        }
        let taken: BTreeSet<Place> = chosen.iter().map(Choice::place).collect();
        let mut aside: BTreeSet<String> = BTreeSet::new();
        let mut is_first = true;
        loop {
            let is_aside = |rule: &Rule, tag: &str| rule.age.is_some() && aside.contains(tag);
            let mut all = choose(self.rules, &looked.upstream, offer.parts, offer.listed, is_aside)?;
            all.retain(|choice| {
                let is_held = |tag: &Tag| held_until(self.rule(choice.rule), tag.as_str(), looked, young).is_some();
                choice.asks().is_some_and(is_held)
            });
            if all.is_empty() {
                return Ok(waiting);
            }
            for choice in &all {
                let age = self.rule(choice.rule).age.map_or(0, Period::seconds);
                if let Some(tag) = choice.asks()
                    && aside.insert(tag.to_string())
                    && waiting.tags.len() < MAX_HEADS_OF_YOUNG_TAGS
                {
                    waiting.tags.push((tag.clone(), age));
                }
            }
            if std::mem::take(&mut is_first) {
                all.retain(|choice| !taken.contains(&choice.place()));
                waiting.held = all;
            }
            if waiting.tags.len() >= MAX_HEADS_OF_YOUNG_TAGS {
                return Ok(waiting);
            }
        }
    }

    /// Whether it takes a HEAD to know how a tag stands to what is here.
    fn has_to_ask(&self, choice: &Choice, tag: &Tag, looked: &Looked) -> Result<bool> {
        let rule = self.rule(choice.rule);
        Ok(match self.here(choice)? {
            Some(image) => rule.moves != Moves::Ignore && image.followed() == Some(tag),
            // What is not here is asked for as it comes, unless its digest counts.
            None => rule.age.is_some() || looked.listed.is_none() || !choice.pins.is_empty(),
        })
    }

    async fn ask(
        &self,
        tags: BTreeSet<Tag>,
        upstream: &Upstream,
        registry: &dyn Registry,
        heads: &mut Heads,
    ) -> Result<()> {
        let each = tags.into_iter().map(|tag| async move {
            if self.is_spent(upstream) {
                return (tag, Answer::Spent);
            }
            let head = registry::without_waiting_for_quotas(digest_of(registry, upstream, &tag));
            let answer = match self.job.or_cancelled(head).await {
                Ok(Some(digest)) => Answer::Has(digest),
                Ok(None) => Answer::Missing,
                Err(error) if error.is_quota() => {
                    self.spend(upstream);
                    Answer::Spent
                }
                Err(error) => Answer::Failed(error),
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

    /// Until when the digest that upstream has at a tag is too young for a rule, if it is.
    fn digest_held(&self, rule: usize, tag: &Tag, looked: &mut Looked, heads: &Heads) -> Option<i64> {
        let age = self.rule(rule).age?;
        let Some(Answer::Has(digest)) = heads.get(tag) else { return None };
        looked.ages.as_mut()?.digest_held(tag.as_str(), *digest, age.seconds())
    }

    /// The image that is here where a choice has its place.
    fn here(&self, choice: &Choice) -> Result<Option<Image>> {
        in_place(|| {
            let reader = self.engine.catalog.read()?;
            let Some(repository) = repositories::by_name(&reader, choice.name.as_str())? else { return Ok(None) };
            // Of another upstream: planning says what is wrong with it.
            if repository.upstream.as_ref() != Some(&choice.reference.upstream) {
                return Ok(None);
            }
            let image = match (&choice.reference.tag, &choice.reference.digest) {
                (Some(tag), _) => images::by_tag(&reader, repository.id, tag.as_str())?,
                (None, Some(digest)) => images::by_digest(&reader, repository.id, digest)?,
                (None, None) => None,
            };
            Ok(image.filter(|image| image.attached_to.is_none()))
        })
    }

    fn compare(&self, chosen: Vec<Choice>, looked: &mut Looked, heads: &Heads) -> Result<()> {
        for choice in chosen {
            let here = self.here(&choice)?;
            let digest_here = here.as_ref().map(|image| image.digest);
            let (state, upstream) = match (choice.reference.digest, choice.asks()) {
                (Some(digest), _) => (fixed(here, digest, choice.selection.as_ref()), Some(digest)),
                (None, Some(tag)) => {
                    let head = heads.get(tag);
                    let digest = if let Some(Answer::Has(digest)) = head { Some(*digest) } else { None };
                    (self.state(&choice, tag, here, looked, head), digest)
                }
                (None, None) => continue,
            };
            let taken = match &state {
                State::New | State::Moves { .. } => upstream,
                State::Here { .. }
                | State::Lacking
                | State::Refused { .. }
                | State::Held { .. }
                | State::Gone { .. } => digest_here,
                State::Unknown => None,
            };
            if !matches!(state, State::Unknown) {
                looked.failed.extend(self.other_pins(&choice, taken));
            }
            let is_checked = self.rule(choice.rule).age.is_some() && choice.reference.digest.is_none();
            looked.push(choice, state, upstream.filter(|_| is_checked));
        }
        Ok(())
    }

    /// How a tag stands to what is here.
    fn state(
        &self,
        choice: &Choice,
        tag: &Tag,
        here: Option<Image>,
        looked: &mut Looked,
        head: Option<&Answer>,
    ) -> State {
        let rule = self.rule(choice.rule);
        match (here, head) {
            (_, Some(Answer::Failed(error))) => {
                looked.failed.push((choice.rule, error.again()));
                State::Unknown
            }
            (_, Some(Answer::Spent)) => {
                looked.postponed.push((choice.rule, chosen::shown(&choice.name, &choice.reference)));
                State::Unknown
            }
            (here, Some(Answer::Missing)) => State::Gone { here },
            (None, _) => State::New,
            (Some(image), Some(Answer::Has(digest))) if *digest != image.digest => {
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
        }
    }

    /// The rules that want another digest for a tag than the one it gets.
    fn other_pins(&self, choice: &Choice, taken: Option<Digest>) -> Vec<(usize, Error)> {
        let image = chosen::shown(&choice.name, &choice.reference);
        let first = &self.rule(choice.rule).name;
        let others = choice.pins.iter().filter(|(_, wanted)| taken != Some(*wanted));
        let each = others.map(|(rule, wanted)| {
            let why = match taken {
                Some(taken) if *rule == choice.rule => format!("the same rule names it as {taken} before"),
                Some(taken) => format!("the rule {first} comes first and takes {taken}"),
                None => format!("the rule {first} comes first, and upstream has no such tag"),
            };
            (*rule, Error::new(Kind::Usage, format!("{image} is not taken as {wanted}: {why}")))
        });
        each.collect()
    }

    /// Says until when what would be selected is held.
    fn hold(&self, held: Vec<Choice>, looked: &mut Looked, young: &Young) -> Result<()> {
        for choice in held {
            let until = choice.asks().and_then(|tag| held_until(self.rule(choice.rule), tag.as_str(), looked, young));
            let Some(until) = until else { continue };
            let here = self.here(&choice)?.is_some();
            looked.push(choice, State::Held { until, here }, None);
        }
        Ok(())
    }
}

/// Until when a tag is too young for a rule, by its first sighting in a list or by its digest, if it is.
fn held_until(rule: &Rule, tag: &str, looked: &Looked, young: &Young) -> Option<i64> {
    let age = rule.age?;
    let by_list = looked.ages.as_ref().and_then(|ages| ages.tag_held(tag, age.seconds()));
    by_list.max(young.get(tag).copied())
}

/// The digest that a tag has upstream; none if there is no such tag.
async fn digest_of(registry: &dyn Registry, upstream: &Upstream, tag: &Tag) -> Result<Option<Digest>> {
    let target = Target::Tag(tag.clone());
    let asked = async {
        match registry.head(&upstream.repository, &target).await?.digest {
            Some(digest) => Ok::<_, Error>(digest),
            // A registry that doesn't say the digest in a HEAD has to be asked for the manifest.
            None => Ok(registry.manifest(&upstream.repository, &target).await?.digest),
        }
    };
    match asked.await {
        Ok(digest) => Ok(Some(digest)),
        Err(error) if error.kind() == Kind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// How what a source names by its digest stands to what is here.
fn fixed(here: Option<Image>, digest: Digest, selection: Option<&Selection>) -> State {
    match here {
        Some(image) if image.digest != digest => State::Moves { from: image, to: digest },
        Some(image) if lacks(&image, selection) => State::Lacking,
        Some(_) => State::Here { image: None },
        None => State::New,
    }
}

fn lacks(image: &Image, wanted: Option<&Selection>) -> bool {
    wanted.is_some_and(|wanted| image.selection.clone().union(wanted.clone()) != image.selection)
}

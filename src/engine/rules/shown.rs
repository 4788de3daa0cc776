//! Rules as an interface shows them: what each says, its last run, what it has here, and why each tag is in or out.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::ages::Ages;
use super::run::RuleOutcome;
use crate::catalog::rule_images::{self, RuleImage};
use crate::catalog::{images, repositories};
use crate::engine::Engine;
use crate::engine::blocking::in_place;
use crate::engine::job::Job;
use crate::error::Result;
use crate::image::tags::{Choice, TagRule, Verdict};
use crate::image::{Digest, Upstream};
use crate::rules::{Period, Rule};

/// The rules that are in force, and what came of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ShownRules {
    /// The file that has them; none: the catalog.
    pub file: Option<PathBuf>,
    /// The programs that nobody has allowed yet.
    pub untrusted: Vec<String>,
    /// The rules, in their order.
    pub rules: Vec<ShownRule>,
    /// Every tag that a rule selects or brought, also those of rules that are gone.
    pub images: Vec<RuleImage>,
}

/// A rule and its last run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownRule {
    /// What it says.
    pub rule: Rule,
    /// When it ran last, in seconds since 1970, and what came of that.
    pub run: Option<(i64, RuleOutcome)>,
}

/// All tags of a repository, and since when they are known.
#[derive(Debug)]
pub struct TagList {
    /// The tags, sorted by their letters.
    pub tags: Vec<String>,
    ages: Option<Ages>,
}

impl TagList {
    /// A list of which nothing else is known: no tag of it is young.
    pub fn of(tags: Vec<String>) -> Self {
        Self { tags, ages: None }
    }

    /// What a rule says about the tags that a pattern of it matches: by pattern, the newest first. These are `held` because of
    /// their digests, which no list has.
    pub fn judge(&self, rule: &TagRule, age: Option<Period>, held: &BTreeSet<&str>) -> Vec<(&str, Verdict)> {
        let names: Vec<&str> = self.tags.iter().map(String::as_str).collect();
        let is_young = |tag: &str| {
            let known = age.zip(self.ages.as_ref());
            held.contains(tag) || known.is_some_and(|(age, ages)| ages.tag_held(tag, age.seconds()).is_some())
        };
        let Choice { judged, .. } = rule.choose(&names, is_young);
        judged.into_iter().map(|judged| (judged.tag, judged.verdict)).collect()
    }
}

impl Engine {
    /// The rules that are in force, with what came of each and what they have here.
    pub fn shown_rules(&self) -> Result<ShownRules> {
        let in_force = self.rules()?;
        let untrusted = in_force.untrusted();
        let shown = |rule: Rule| {
            let run = self.last_rule_run(rule.name.as_str())?;
            Ok(ShownRule { rule, run })
        };
        let rules = in_force.rules.rules.into_iter().map(shown).collect::<Result<_>>()?;
        let images = rule_images::all(&*self.catalog.read()?)?;
        Ok(ShownRules { file: in_force.file, untrusted, rules, images })
    }

    /// What a rule selects or brought, each with whether it is here.
    pub fn images_of_rule(&self, rule: &str) -> Result<Vec<(RuleImage, bool)>> {
        let reader = self.catalog.read()?;
        let rows = rule_images::all(&reader)?.into_iter().filter(|row| row.rule == rule);
        let with_place = rows.map(|row| {
            let image = match (repositories::by_name(&reader, &row.repository)?, row.tag.parse::<Digest>()) {
                (Some(repository), Ok(digest)) => images::by_digest(&reader, repository.id, &digest)?,
                (Some(repository), Err(_)) => images::by_tag(&reader, repository.id, &row.tag)?,
                (None, _) => None,
            };
            Ok((row, image.is_some_and(|image| image.attached_to.is_none())))
        });
        with_place.collect()
    }

    /// All tags of a repository and their ages: one list, which costs nothing of a registry's quota.
    pub async fn tag_list(&self, upstream: &Upstream, insecure: Option<bool>, job: &Job) -> Result<TagList> {
        let tags = self.all_tags(upstream, insecure, job).await?;
        let ages = in_place(|| {
            let mut ages = Ages::load(&*self.catalog.read()?, upstream, crate::engine::now())?;
            // What is listed now for the first time is young; only a run notes it.
            ages.listed(tags.iter().map(String::as_str));
            Ok::<_, crate::error::Error>(ages)
        })?;
        Ok(TagList { tags, ages: Some(ages) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_judged_in_the_order_of_their_versions() {
        let list = TagList::of(["1.10", "1.2", "1.9", "latest"].map(str::to_owned).to_vec());
        let newest = std::num::NonZeroU32::new(2);
        let rule = TagRule { tags: vec!["1.#".parse().unwrap()], newest, ..TagRule::default() };
        let judged = list.judge(&rule, Some(Period::days(3)), &BTreeSet::new());
        let expected = [("1.10", Verdict::Selected), ("1.9", Verdict::Selected), ("1.2", Verdict::Older)];
        assert_eq!(judged, expected);
        let judged = list.judge(&rule, Some(Period::days(3)), &BTreeSet::from(["1.10"]));
        let expected = [("1.10", Verdict::TooYoung), ("1.9", Verdict::Selected), ("1.2", Verdict::Selected)];
        assert_eq!(judged, expected);
    }
}

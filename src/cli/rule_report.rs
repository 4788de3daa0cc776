//! What a run of the rules is told as, by rule.

use super::report::AddReport;
use super::style::Tone;
use super::table::{Cell, Column, Table};
use crate::engine::rules::LOCK_RULE;
use crate::engine::rules::plan::{LeavingTag, Postponed, RulePart};
use crate::text::{bytes, count, printable_within};

/// Images of one kind that are named for a rule.
const MAX_NAMED: usize = 3;

/// What is asked before images go.
pub(super) fn question(report: &AddReport) -> Option<String> {
    let number = report.removed.len() as u64;
    (number > 0).then(|| format!("Remove {} that no rule selects any more?", count(number, "image", "images")))
}

/// A line for each rule.
pub(super) fn table(rules: &[RulePart]) -> Table {
    by_rule(rules, |pulls| count(pulls, "pull", "pulls"))
}

/// The same of a look, which fetches no manifest and knows only how many pulls it can be.
pub(super) fn looked(rules: &[RulePart]) -> Table {
    by_rule(rules, |pulls| format!("at most {}", count(pulls, "pull", "pulls")))
}

fn by_rule(rules: &[RulePart], pulls_of: impl Fn(u64) -> String) -> Table {
    let mut table = Table::new(&[("RULE", Column::Text), ("CHANGES", Column::Fixed), ("TAKES", Column::Fixed)]);
    for part in rules {
        let is_bad = !part.failed.is_empty() || part.brake.is_some();
        let tone = if is_bad { Tone::Bad } else { Tone::Plain };
        let takes = match (part.bytes, part.pulls) {
            (_, 0) => String::new(),
            (0, pulls) => pulls_of(pulls),
            (new, pulls) => format!("{}, {}", bytes(new), pulls_of(pulls)),
        };
        table.row([
            Cell::toned(Tone::Name, printable_within(&part.rule, 100)),
            Cell::toned(tone, part.summary()),
            Cell::toned(Tone::Dim, takes),
        ]);
    }
    table
}

/// A line for each image that comes, moves or goes.
pub(super) fn images(rules: &[RulePart]) -> Table {
    let mut table = Table::new(&[("CHANGE", Column::Fixed), ("IMAGE", Column::Text), ("DETAIL", Column::Text)]);
    for part in rules {
        let mut row = |tone, what: &str, image: &str, then: String| {
            let image = printable_within(image, 300);
            table.row([Cell::toned(tone, what), Cell::toned(Tone::Name, image), Cell::toned(Tone::Dim, then)]);
        };
        part.new.iter().for_each(|image| row(Tone::Good, "new", image, String::new()));
        part.moved.iter().for_each(|moved| row(Tone::Warning, "moved", &moved.image, format!("-> {}", moved.to)));
        part.held.iter().for_each(|held| row(Tone::Dim, "held", &held.image, format!("until {}", day(held.until))));
        part.refused.iter().for_each(|moved| row(Tone::Warning, "refused", &moved.image, format!("-> {}", moved.to)));
        part.leaving.iter().for_each(|leaving| row(Tone::Dim, "leaving", &leaving.image, end(leaving)));
        part.gone.iter().for_each(|gone| row(Tone::Bad, "gone", &gone.image, end(gone)));
        part.removed.iter().for_each(|image| row(Tone::Warning, "remove", image, String::new()));
        part.postponed.iter().for_each(|waits| row(Tone::Dim, "postponed", &waits.image, String::new()));
    }
    table
}

fn end(leaving: &LeavingTag) -> String {
    leaving.until.map_or_else(|| "stays".to_owned(), |until| format!("until {}", day(until)))
}

/// What went wrong, or needs somebody to decide.
pub(super) fn warnings(rules: &[RulePart]) -> Vec<String> {
    let mut warnings = Vec::new();
    for part in rules {
        let rule = printable_within(&part.rule, 100);
        warnings.extend(part.failed.iter().map(|reason| format!("rule {rule}: {}", printable_within(reason, 400))));
        warnings
            .extend(part.skipped.iter().map(|what| format!("rule {rule} leaves out {}", printable_within(what, 400))));
        if let Some(brake) = &part.brake {
            warnings
                .push(format!("rule {rule}: {brake}; `roadstead update {} --force` removes them", only(&part.rule)));
        }
        for moved in &part.refused {
            let image = printable_within(&moved.image, 300);
            warnings.push(format!("rule {rule}: {image} moved upstream to {} and stays at {}", moved.to, moved.from));
        }
        for gated in &part.gated {
            let (image, words) = (printable_within(&gated.image, 300), printable_within(&gated.words, 300));
            warnings.push(format!("rule {rule}: {image} is kept out by the gate: {words}"));
        }
        let postponed = |reason| part.postponed.iter().filter(|postponed| postponed.reason == reason).count() as u64;
        match postponed(Postponed::Quota) {
            0 => {}
            images => warnings.push(format!(
                "rule {rule}: {} for the next run, since the registry's quota allows no more now",
                count(images, "image waits", "images wait")
            )),
        }
        match postponed(Postponed::MaxNew) {
            0 => {}
            images => warnings.push(format!(
                "rule {rule}: {} for the next run, since the rule takes no more at once (`max_new`)",
                count(images, "image waits", "images wait")
            )),
        }
    }
    warnings
}

/// What happens, or will, that the table of images does not say.
pub(super) fn summary(report: &AddReport) -> Vec<String> {
    let mut lines = Vec::new();
    for part in &report.rules {
        let rule = printable_within(&part.rule, 100);
        let held = part.held.iter().map(|held| format!("{} until {}", held.image, day(held.until)));
        lines.extend(listed(held).map(|held| format!("Held by {rule}: {held}.")));
        let going = part.leaving.iter().map(leaving);
        lines.extend(listed(going).map(|leaving| format!("Leaving {rule}: {leaving}.")));
        let gone = part.gone.iter().map(leaving);
        lines.extend(listed(gone).map(|gone| format!("Gone upstream, of {rule}: {gone}.")));
    }
    if !report.removed.is_empty() {
        let did = if report.dry_run { "Would remove" } else { "Removed" };
        let images = count(report.removed.len() as u64, "image", "images");
        let named = listed(report.removed.iter().cloned()).unwrap_or_default();
        lines.push(format!("{did} {images} that no rule selects any more: {named}."));
    }
    let is_quiet = report.images.iter().all(|image| image.change == "unchanged")
        && report.removed.is_empty()
        && report.failed.is_empty();
    if !report.rules.is_empty() && is_quiet {
        let rules = count(report.rules.len() as u64, "rule", "rules");
        lines.push(match missing(&report.rules).as_slice() {
            [] => format!("Nothing to do: {rules}, everything selected is here."),
            missing if report.dry_run => format!("Nothing would change: {}.", missing.join(", ")),
            missing => format!("Nothing changed: {}.", missing.join(", ")),
        });
    }
    lines
}

/// Why not everything is here that the rules select, or why nobody knows.
fn missing(rules: &[RulePart]) -> Vec<String> {
    let sum = |of: fn(&RulePart) -> usize| rules.iter().map(|part| of(part) as u64).sum::<u64>();
    let images = |number, what: &str| (number, format!("{} {what}", count(number, "image", "images")));
    let failed = sum(|part| usize::from(!part.failed.is_empty() || part.brake.is_some()));
    let parts = [
        (failed, format!("{failed} of {} failed", count(rules.len() as u64, "rule", "rules"))),
        images(sum(|part| part.gated.len()), "kept out by the gate"),
        images(sum(|part| part.held.len()), "held"),
        images(sum(|part| part.postponed.len()), "postponed"),
    ];
    parts.into_iter().filter(|(number, _)| *number > 0).map(|(_, words)| words).collect()
}

fn leaving(leaving: &LeavingTag) -> String {
    match leaving.until {
        Some(until) => format!("{} on {}", leaving.image, day(until)),
        None => format!("{} stays", leaving.image),
    }
}

/// What runs this rule alone: the brakes of the others stay on.
fn only(rule: &str) -> String {
    if rule == LOCK_RULE { "--locked".to_owned() } else { format!("--rule {}", shell_words::quote(rule)) }
}

/// The first few, and how many more.
pub(super) fn listed(names: impl Iterator<Item = String>) -> Option<String> {
    let all: Vec<String> = names.map(|name| printable_within(&name, 300)).collect();
    let more = all.len().saturating_sub(MAX_NAMED);
    let shown = all.iter().take(MAX_NAMED).cloned().collect::<Vec<_>>().join(", ");
    match (all.is_empty(), more) {
        (true, _) => None,
        (false, 0) => Some(shown),
        (false, more) => Some(format!("{shown} and {more} more")),
    }
}

/// `2026-11-29 14:05` in the time of this place.
pub(super) fn day(seconds: i64) -> String {
    let time = jiff::Timestamp::from_second(seconds).map(|time| time.to_zoned_datetime(jiff::tz::TimeZone::system()));
    time.map_or_else(|_| "the end of time".to_owned(), |time| time.strftime("%Y-%m-%d %H:%M").to_string())
}

#[cfg(test)]
mod tests {
    use super::super::report::tests::sample;
    use super::super::style::Paint;
    use super::*;
    use crate::engine::rules::plan::{GatedTag, HeldTag, PostponedTag};
    use crate::image::Digest;

    fn part(rule: &str) -> RulePart {
        RulePart { rule: rule.to_owned(), ..RulePart::default() }
    }

    /// What is said of a run that changed nothing.
    fn said(parts: &[RulePart]) -> String {
        let quiet = AddReport { images: Vec::new(), failed: Vec::new(), ..sample() };
        let lines = summary(&AddReport { rules: parts.to_vec(), ..quiet });
        lines.last().cloned().unwrap_or_default()
    }

    #[test]
    fn everything_is_here_only_where_that_is_known() {
        assert_eq!(said(&[part("a"), part("b")]), "Nothing to do: 2 rules, everything selected is here.");
        let failed = RulePart { failed: vec!["no answer".to_owned()], ..part("a") };
        assert_eq!(said(&[failed, part("b")]), "Nothing changed: 1 of 2 rules failed.");
        let braked = RulePart { brake: Some("too much".to_owned()), ..part("a") };
        assert_eq!(said(&[braked]), "Nothing changed: 1 of 1 rule failed.");
        let image = || "nginx:1".to_owned();
        let waits = RulePart {
            gated: vec![GatedTag { image: image(), digest: Digest::of(b"1"), words: "not signed".to_owned() }],
            held: vec![HeldTag { image: image(), until: 0 }],
            postponed: vec![PostponedTag { image: image(), reason: Postponed::Quota }; 2],
            ..part("a")
        };
        assert_eq!(warnings(std::slice::from_ref(&waits))[0], "rule a: nginx:1 is kept out by the gate: not signed");
        assert_eq!(said(&[waits]), "Nothing changed: 1 image kept out by the gate, 1 image held, 2 images postponed.");
    }

    #[test]
    fn a_look_knows_how_many_pulls_it_is_at_most() {
        let parts = [RulePart { pulls: 16, ..part("a") }];
        let shown = |table: Table| table.render(None, Paint::new(false));
        assert_eq!(shown(table(&parts)), "RULE  CHANGES     TAKES\na     0 selected  16 pulls\n");
        assert_eq!(shown(looked(&parts)), "RULE  CHANGES     TAKES\na     0 selected  at most 16 pulls\n");
    }
}

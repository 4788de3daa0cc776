//! Runs of rules and changes to rules in words: the same as those of the command line.

use jiff::tz::TimeZone;

use super::adding::add;
use super::{Described, Role, Row, gone, row};
use crate::engine::plan::FailedRequest;
use crate::engine::rules::RuleOutcome;
use crate::engine::rules::plan::{LeavingTag, MovedTag, Postponed, RulePart};
use crate::image::Digest;
use crate::rules::write_rule;
use crate::text::{bytes, count, printable_within};
use crate::tui::work::{RuleChange, RuleDraft, RuleRun, Ruled};

/// Images of one kind that are named for a rule.
const MAX_NAMED: usize = 40;
/// Digits of a digest that are shown where two are compared.
const SHORT_DIGEST_DIGITS: usize = 12;

/// When something is, in the time of this place.
pub fn day(seconds: i64, zone: &TimeZone) -> String {
    let time = jiff::Timestamp::from_second(seconds).map(|time| time.to_zoned_datetime(zone.clone()));
    time.map_or_else(|_| "the end of time".to_owned(), |time| time.strftime("%Y-%m-%d %H:%M").to_string())
}

/// A run: all of it in a line, each rule with what comes, moves and goes, then what no rule selects.
pub(super) fn run(run: &RuleRun) -> Described {
    let (plan, beside) = (&run.plan, &run.beside);
    let told: Vec<&RulePart> = plan.rules.iter().filter(|part| is_told(run, part)).collect();
    let mut rows = Vec::new();
    let new = plan.add.new_bytes + beside.new_bytes;
    let changing = plan.add.changing().count() + beside.changing().count();
    if changing > 0 {
        let known = bytes(plan.add.known_bytes + beside.known_bytes);
        let new = if new == 0 { "nothing".to_owned() } else { bytes(new) };
        rows.push(row(Role::Text, format!("{new} to fetch, {known} already here.")));
    }
    let failed = plan.add.failed.iter().chain(&beside.failed);
    rows.extend(failed.map(|failed| row(Role::Danger, failed.words())));
    for part in &told {
        rows.extend(part_rows(part, &run.zone));
    }
    let mut update = add(beside, "Update", "update");
    if update.nothing.is_none() {
        rows.push(row(
            Role::Name,
            format!("beside the rules  {} to update", count(beside.changing().count() as u64, "image", "images")),
        ));
        // The first line is all of it in figures, which stand above.
        update.rows.retain(|(role, _)| *role != Role::Danger);
        rows.extend(update.rows.into_iter().skip(1).map(|(role, text)| (role, format!("  {text}"))));
    }
    let removed: usize = told.iter().map(|part| part.removed.len()).sum();
    let title = match (run.only.as_slice(), removed as u64) {
        (_, 1..) => {
            format!("Run, and remove {} that no rule selects any more?", count(removed as u64, "image", "images"))
        }
        ([one], _) => format!("Run the rule {}?", printable_within(one, 60)),
        _ => format!("Run {}?", count(told.len() as u64, "rule", "rules")),
    };
    Described { title, rows, verb: "run", destroys: removed > 0 || !plan.remove.images.is_empty(), nothing: None }
}

fn is_told(run: &RuleRun, part: &RulePart) -> bool {
    run.only.is_empty() || run.only.contains(&part.rule)
}

/// Whether nothing comes, moves or goes, so that there is nothing to ask about.
pub fn is_quiet(run: &RuleRun) -> bool {
    run.plan.is_empty() && run.beside.is_empty() && run.plan.add.failed.is_empty() && run.beside.failed.is_empty()
}

fn part_rows(part: &RulePart, zone: &TimeZone) -> Vec<Row> {
    let is_bad = !part.failed.is_empty() || part.brake.is_some();
    let rule = printable_within(&part.rule, 100);
    let mut rows = vec![row(if is_bad { Role::Danger } else { Role::Name }, format!("{rule}  {}", part.summary()))];
    rows.extend(part.failed.iter().map(|why| row(Role::Danger, format!("  {}", printable_within(why, 400)))));
    rows.extend(part.brake.iter().map(|why| row(Role::Danger, format!("  {why}; Rules has it as a decision"))));
    let mut list = |role, what: &str, all: Vec<(String, String)>| {
        let left = all.len().saturating_sub(MAX_NAMED);
        rows.extend(all.into_iter().take(MAX_NAMED).map(|(image, then)| {
            let text = format!("  {what:<9} {}{then}", printable_within(&image, 300));
            row(role, text)
        }));
        if left > 0 {
            rows.push(row(Role::Dim, format!("            and {left} more")));
        }
    };
    let alone = |images: &[String]| images.iter().map(|image| (image.clone(), String::new())).collect();
    let ends = |all: &[LeavingTag]| all.iter().map(|leaving| (leaving.image.clone(), end(leaving, zone))).collect();
    list(Role::Good, "new", alone(&part.new));
    let moved = part.moved.iter();
    let moved = moved.map(|it| (it.image.clone(), format!(": from {} to {}", short(&it.from), short(&it.to))));
    list(Role::Warning, "moved", moved.collect());
    let held = part.held.iter().map(|held| (held.image.clone(), format!(" until {}", day(held.until, zone))));
    list(Role::Dim, "held", held.collect());
    let refused = part.refused.iter();
    let stays = |it: &MovedTag| format!(": stays at {}, upstream has {}", short(&it.from), short(&it.to));
    let refused = refused.map(|it| (it.image.clone(), stays(it)));
    list(Role::Warning, "refused", refused.collect());
    let gated =
        part.gated.iter().map(|gated| (gated.image.clone(), format!(": {}", printable_within(&gated.words, 200))));
    list(Role::Warning, "kept out", gated.collect());
    list(Role::Dim, "leaving", ends(&part.leaving));
    list(Role::Warning, "gone", ends(&part.gone));
    list(Role::Danger, "remove", alone(&part.removed));
    let postponed = part.postponed.iter().map(|waits| {
        let why = match waits.reason {
            Postponed::MaxNew => ": the rule takes no more at once (`max_new`)",
            Postponed::Quota => ": the registry's quota allows no more now",
        };
        (waits.image.clone(), why.to_owned())
    });
    list(Role::Dim, "postponed", postponed.collect());
    rows
}

/// A digest as far as it tells two apart.
fn short(digest: &Digest) -> String {
    digest.hex().chars().take(SHORT_DIGEST_DIGITS).collect()
}

fn end(leaving: &LeavingTag, zone: &TimeZone) -> String {
    leaving.until.map_or_else(|| " stays".to_owned(), |until| format!(" until {}", day(until, zone)))
}

/// A change to the rules.
pub(super) fn change(change: &RuleChange) -> Described {
    match change {
        RuleChange::Remove(name) => Described {
            title: format!("Remove the rule {}?", printable_within(name, 60)),
            rows: vec![
                row(Role::Text, "What it brought leaves after its time; removing the images removes them now."),
                row(Role::Dim, "What was added by hand stays."),
            ],
            verb: "remove",
            destroys: true,
            nothing: None,
        },
        RuleChange::Save(draft) => {
            let RuleDraft { old, rule } = draft.as_ref();
            let before = old.as_ref().map(write_rule).unwrap_or_default();
            let before: Vec<&str> = before.lines().collect();
            let after = write_rule(rule);
            let rows = after.lines().map(|line| {
                let role = if before.contains(&line) { Role::Dim } else { Role::Warning };
                row(role, line)
            });
            Described {
                title: format!("Change the rule {}?", printable_within(rule.name.as_str(), 60)),
                rows: rows.collect(),
                verb: "change",
                destroys: false,
                nothing: None,
            }
        }
    }
}

/// What came of a run, and what failed.
pub(super) fn ran(ruled: &Ruled) -> (String, Vec<String>) {
    let Ruled { parts, added, removed, faults } = ruled;
    let mut failed: Vec<String> = added.failed.iter().map(FailedRequest::words).collect();
    failed.extend(faults.iter().cloned());
    let all = total(parts, &[]);
    let waits = [
        (all.postponed, "postponed"),
        (all.held, "held"),
        (all.gated, "kept out"),
        (all.refused, "refused"),
        (all.gone, "gone"),
    ];
    let waits: Vec<String> = waits
        .into_iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, word)| format!(", {number} {word}"))
        .collect();
    let waits = waits.concat();
    let is_nothing = added.recorded.is_empty() && removed.is_empty();
    let is_all_here = all.postponed + all.held + all.gated == 0 && all.failed.is_empty();
    if is_nothing && failed.is_empty() && is_all_here {
        let rules = count(parts.len() as u64, "rule", "rules");
        let words = format!("nothing to do: {rules}, everything selected is here{waits}{}", gone(added.gone.len()));
        return (words, failed);
    }
    let mut words = format!("{} brought", count(added.recorded.len() as u64, "image", "images"));
    if !is_nothing {
        words = format!("{words}, {} fetched", bytes(added.fetched));
    }
    if !removed.is_empty() {
        words = format!("{words}, {} removed", removed.len());
    }
    // What is beside the rules and gone is not among theirs.
    (format!("{words}{waits}{}", gone(added.gone.len())), failed)
}

/// What a check found, or a run did, image by image.
pub(super) fn report(parts: &[RulePart], only: &[String], zone: &TimeZone) -> Vec<Row> {
    let told = parts.iter().filter(|part| only.is_empty() || only.contains(&part.rule));
    told.flat_map(|part| part_rows(part, zone)).collect()
}

/// What a run left to somebody or to the next run, a line each.
pub(super) fn left(parts: &[RulePart]) -> Vec<String> {
    let mut lines = Vec::new();
    for part in parts {
        let rule = printable_within(&part.rule, 100);
        for moved in &part.refused {
            let image = printable_within(&moved.image, 300);
            let (from, to) = (short(&moved.from), short(&moved.to));
            lines.push(format!("rule {rule}: {image} stays at {from}, and upstream has {to}"));
        }
        if !part.postponed.is_empty() {
            let images = count(part.postponed.len() as u64, "image waits", "images wait");
            lines.push(format!("rule {rule}: {images} for the next run"));
        }
    }
    lines
}

/// What upstream was found to have.
pub(super) fn looked(parts: &[RulePart], only: &[String]) -> String {
    total(parts, only).summary()
}

/// All of these rules in numbers, and what failed of them.
fn total(parts: &[RulePart], only: &[String]) -> RuleOutcome {
    let mut all = RuleOutcome::default();
    for part in parts.iter().filter(|part| only.is_empty() || only.contains(&part.rule)) {
        let one = part.outcome();
        all.failed.extend(one.failed);
        all.selected += one.selected;
        all.new += one.new;
        all.moved += one.moved;
        all.held += one.held;
        all.refused += one.refused;
        all.gated += one.gated;
        all.leaving += one.leaving;
        all.gone += one.gone;
        all.removed += one.removed;
        all.postponed += one.postponed;
    }
    all
}

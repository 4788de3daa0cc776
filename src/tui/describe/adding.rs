//! What a plan to add or to update says: all of it in a line, what can't be done, then each image.

use super::{Described, Role, Row, capital, row};
use crate::engine::plan::LeftOutReason;
use crate::engine::plan::{AddPlan, Change, PlannedImage};
use crate::registry::is_on_this_machine;
use crate::text::{bytes, count};

/// Images that stay as they are and are still named.
const MAX_NAMED_IMAGES: usize = 20;
/// Things that are left out of an image and are named.
const MAX_NAMED_LEFT_OUT: usize = 4;

pub(super) fn add(plan: &AddPlan, title: &str, verb: &'static str) -> Described {
    let (changing, same): (Vec<&PlannedImage>, Vec<&PlannedImage>) =
        plan.images.iter().partition(|image| image.change != Change::Unchanged);
    let given = plan.images.len() + plan.failed.len();
    let mut rows = Vec::new();
    rows.extend(summary(plan, &changing, verb));
    let mut hinted: Vec<&str> = Vec::new();
    for failed in &plan.failed {
        rows.push(row(Role::Danger, failed.words()));
        for hint in failed.error.hints() {
            if !hinted.contains(&hint.as_ref()) {
                rows.push(row(Role::Dim, format!("  {hint}")));
                hinted.push(hint.as_ref());
            }
        }
    }
    let gone = plan.gone.iter().map(|image| row(Role::Warning, format!("{image} is gone upstream; it stays here")));
    rows.extend(gone);
    rows.extend(changing.iter().flat_map(|image| image_rows(image, given > 1)));
    if verb == "add" {
        rows.extend(same.iter().take(MAX_NAMED_IMAGES).flat_map(|image| {
            [row(Role::Name, image.shown()), row(Role::Dim, format!("  already here, {}", amount(image)))]
        }));
    }
    let nothing = changing.is_empty().then(|| match (plan.failed.len(), same.len(), verb) {
        (1.., ..) => String::new(),
        (_, 1, "add") => "Nothing to do: it is already mirrored.".to_owned(),
        (_, _, "add") => "Nothing to do: all of them are already mirrored.".to_owned(),
        (_, same, _) => {
            format!("{} up to date{}", count(same as u64, "image", "images"), super::gone(plan.gone.len()))
        }
    });
    let title = match (changing.len(), plan.failed.len(), same.len()) {
        (0, 1, 0) => format!("It can't be {}", done(verb)),
        (0, failed @ 2.., 0) => format!("None of {} can be {}", count(failed as u64, "image", "images"), done(verb)),
        (changed, 1.., _) => format!("{title} {changed} of {}?", count(given as u64, "image", "images")),
        (changed, ..) => format!("{title} {}?", count(changed as u64, "image", "images")),
    };
    Described { title, rows, verb, destroys: false, nothing }
}

fn done(verb: &str) -> &'static str {
    if verb == "add" { "added" } else { "updated" }
}

/// All of it in a line.
fn summary(plan: &AddPlan, changing: &[&PlannedImage], verb: &str) -> Option<Row> {
    let (failed, all) = (plan.failed.len() as u64, plan.images.len() as u64);
    let changed = changing.len() as u64;
    let new = if plan.new_bytes == 0 { "nothing".to_owned() } else { bytes(plan.new_bytes) };
    let bytes = format!("{new} to fetch, {} already here", bytes(plan.known_bytes));
    if failed + all < 2 {
        return (changed == 1).then(|| row(Role::Text, format!("{}.", capital(&bytes))));
    }
    let mut parts = Vec::new();
    if failed > 0 {
        parts.push(format!("{failed} of {} can't be {}", count(failed + all, "image", "images"), done(verb)));
    }
    if changed > 0 {
        let what = match (failed, verb) {
            (0, verb) => format!("{} to {verb}", count(changed, "image", "images")),
            (_, verb) => format!("{changed} to {verb}"),
        };
        parts.push(format!("{what}: {bytes}"));
    }
    if all > changed {
        parts.push(format!("{} up to date", all - changed));
    }
    let role = if failed > 0 { Role::Warning } else { Role::Text };
    Some(row(role, format!("{}.", parts.join("; "))))
}

fn amount(image: &PlannedImage) -> String {
    format!("{}, {}", image.platforms.join(" "), bytes(image.logical))
}

fn image_rows(image: &PlannedImage, one_of_many: bool) -> Vec<Row> {
    let mut rows = vec![row(Role::Name, image.shown())];
    let what = match image.change {
        Change::Added => "new",
        Change::Moved { .. } => "moved",
        Change::Extended if image.new_bytes > 0 => "extended",
        Change::Extended | Change::Unchanged => "already here",
    };
    let new = match image.new_bytes {
        0 => "nothing to fetch".to_owned(),
        new => format!("{} to fetch", bytes(new)),
    };
    let private = if image.private || image.upstream.is_none() { "" } else { ", public upstream" };
    let attached = match image.attached.len() {
        0 => String::new(),
        many => format!(", {many} attached"),
    };
    rows.push(row(Role::Dim, format!("  {what}, {}, {new}{attached}{private}", amount(image))));
    if !image.changes.is_empty() {
        rows.push(row(Role::Text, format!("  changes: {}", image.changes.join("; "))));
    }
    if image.private {
        rows.push(row(Role::Warning, "  private upstream: not published until it is allowed"));
    }
    let registry = image.upstream.as_ref().map(|upstream| upstream.registry.as_str());
    if image.plain_http && !registry.is_some_and(is_on_this_machine) {
        rows.push(row(
            Role::Warning,
            "  plain HTTP: anyone on the network path can read what is sent, passwords \
            included",
        ));
    }
    // What was not chosen is said of one; of many it would be said again and again.
    let left_out = image.left_out.iter().filter(|left| !one_of_many || left.reason != LeftOutReason::NotChosen);
    for left in left_out.take(MAX_NAMED_LEFT_OUT) {
        let of = left.platform.as_deref().map(|platform| format!("{platform}: ")).unwrap_or_default();
        rows.push(row(Role::Dim, format!("  left out: {of}{}", left.reason)));
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::plan::FailedRequest;
    use crate::error::{Error, Kind};

    fn failed(request: &str) -> FailedRequest {
        let error = Error::new(Kind::Network, "no answer").hint("Try again.");
        FailedRequest { request: request.to_owned(), error }
    }

    #[test]
    fn failures_are_counted_first_and_a_hint_is_given_once() {
        let plan = AddPlan { failed: vec![failed("image-a"), failed("image-b")], ..AddPlan::default() };
        let described = add(&plan, "Add", "add");
        assert_eq!(described.title, "None of 2 images can be added");
        let texts: Vec<&str> = described.rows.iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!(
            texts,
            ["2 of 2 images can't be added.", "image-a: no answer", "  Try again.", "image-b: no answer"]
        );
        let plan = AddPlan { failed: vec![failed("image-a")], ..AddPlan::default() };
        assert_eq!(add(&plan, "Add", "add").rows[0].1, "image-a: no answer");
    }
}

//! A publication's plan as people see it: what changes for those who pull, what is sent, and which pins and names move.

use super::style::Tone;
use super::table::{Cell, Column, Table};
use crate::engine::publish::plan::{PlannedHost, PlannedTarget, PublishPlan};
use crate::engine::publish::summary;
use crate::engine::query::diff::{ChangeKind, RepositoryChange, TagChange};
use crate::text::{bytes, count};

/// Repositories of one target that are named; of more the number is enough.
const MAX_NAMED_REPOSITORIES: usize = 30;
/// Tags of one repository that are named.
const MAX_NAMED_TAGS: usize = 6;

/// A table for each target.
pub(super) fn tables(plan: &PublishPlan) -> Vec<Table> {
    plan.targets.iter().map(|planned| table(plan, planned)).collect()
}

/// The whole plan in a sentence.
pub(super) fn summary(plan: &PublishPlan) -> String {
    let (blocks, size) = plan.targets.iter().fold((0, 0), |(blocks, size), planned| {
        (blocks + planned.blocks, size + if planned.host.is_none() { planned.bytes } else { 0 })
    });
    let (objects, stored) = plan
        .targets
        .iter()
        .filter_map(|planned| planned.host.as_ref())
        .fold((0, 0), |(objects, size), host| (objects + host.objects.stored, size + host.objects.bytes));
    let targets = count(plan.targets.len() as u64, "target", "targets");
    let some = |number: u64, one: &str, many: &str, size: u64, what: &str| {
        (number > 0).then(|| format!("{} of {} to {what}", count(number, one, many), bytes(size)))
    };
    let asked = plan.targets.iter().filter(|planned| planned.fetches && !planned.pinned).count();
    let asked = match asked as u64 {
        0 => None,
        1 => Some("1 service is asked to pin it".to_owned()),
        many => Some(format!("{} are asked to pin it", count(many, "service", "services"))),
    };
    let parts = [
        some(blocks, "block", "blocks", size, "hand over"),
        some(objects, "object", "objects", stored, "store"),
        asked,
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    let sent = if parts.is_empty() { "nothing to hand over".to_owned() } else { parts.join(", ") };
    let verb = match (plan.rollback, plan.targets.len()) {
        (true, 1) => "rolls back to",
        (true, _) => "roll back to",
        (false, 1) => "gets",
        (false, _) => "get",
    };
    format!("{targets} {verb} {}; {sent}.", plan.root)
}

fn table(plan: &PublishPlan, planned: &PlannedTarget) -> Table {
    let mut table = Table::new(&[("", Column::Fixed), ("", Column::Fact)]);
    let mut row = |tone, what: &str, detail: String| table.row([Cell::toned(tone, what), detail.into()]);
    row(Tone::Name, &planned.target.name, planned.target.settings.node.url().to_owned());
    if plan.is_done_at(planned) {
        row(Tone::Dim, "  nothing to do", String::new());
        return table;
    }
    if planned.continues.is_some() {
        row(Tone::Plain, "  continues", "an interrupted publication".to_owned());
    }
    for change in planned.changes.iter().take(MAX_NAMED_REPOSITORIES) {
        let (tone, sign) = sign(change.kind);
        row(tone, &format!("  {sign} {}", change.repository), tags(change));
    }
    if planned.changes.len() > MAX_NAMED_REPOSITORIES {
        let more = (planned.changes.len() - MAX_NAMED_REPOSITORIES) as u64;
        let all = summary::of(&planned.changes);
        row(
            Tone::Dim,
            &format!("  and {}", count(more, "more repository", "more repositories")),
            format!("{all} in total"),
        );
    }
    if let Some(host) = &planned.host {
        objects(host, &mut row);
        return table;
    }
    let sent = match planned.blocks {
        0 if planned.fetches && !planned.pinned => "nothing, it fetches the blocks itself".to_owned(),
        0 => "nothing, it has everything".to_owned(),
        blocks => format!("{}, {}", count(blocks, "block", "blocks"), bytes(planned.bytes)),
    };
    row(Tone::Plain, "  hand over", sent);
    let pin = match (planned.pinned, planned.former, planned.chain.len()) {
        (true, ..) => "already pinned".to_owned(),
        _ if planned.fetches => format!("asks it to pin {}", plan.root),
        (false, None, _) => "the whole root".to_owned(),
        (false, Some(former), steps) => {
            format!("by its difference from {former}, {}", count(steps as u64, "step", "steps"))
        }
    };
    row(Tone::Plain, "  pin", pin);
    if let Some(record) = &planned.dnslink {
        if record.before == record.after {
            row(Tone::Plain, "  record", format!("{} stays", record.name));
        } else {
            for value in record.before.values.iter().filter(|value| !record.after.values.contains(value)) {
                row(Tone::Bad, "  - record", format!("{} {value}", record.name));
            }
            for value in record.after.values.iter().filter(|value| !record.before.values.contains(value)) {
                row(Tone::Good, "  + record", format!("{} {value}", record.name));
            }
        }
    }
    if let Some(name) = &planned.ipns {
        let after = if name.before.as_deref() == Some(&name.after) { "stays".to_owned() } else { name.after.clone() };
        let words = match &name.name {
            Some(name) => format!("/ipns/{name} {after}"),
            None => format!("of the key `{}`, which will be made: {after}", name.key),
        };
        row(Tone::Plain, "  name", words);
    }
    if let Some(error) = &planned.ipns_failure {
        row(Tone::Bad, "  name", format!("will not move: {error}"));
    }
    for root in &planned.unpin {
        row(Tone::Plain, "  unpin", root.to_string());
    }
    table
}

/// What a static host takes.
fn objects(host: &PlannedHost, row: &mut dyn FnMut(Tone, &str, String)) {
    let objects = &host.objects;
    let stored = match objects.stored {
        0 => "nothing, it has everything".to_owned(),
        stored => {
            let copied = match objects.copied {
                0 => String::new(),
                copied => {
                    let how = if host.links { "links" } else { "copying" };
                    format!("; {copied} of them by {how} there")
                }
            };
            let all = count(objects.total, "object", "objects");
            format!("{stored} of {all}, {}{copied}", bytes(objects.bytes))
        }
    };
    row(Tone::Plain, "  store", stored);
    if objects.deleted > 0 {
        let deleted = count(objects.deleted, "object", "objects");
        row(Tone::Bad, "  delete", format!("{deleted} of {} that nothing needs", bytes(objects.deleted_bytes)));
    }
    if objects.unneeded > 0 {
        let unneeded = count(objects.unneeded, "object that nothing needs", "objects that nothing needs");
        row(Tone::Dim, "  keep", format!("{unneeded}, for a while yet"));
    }
}

fn sign(kind: ChangeKind) -> (Tone, char) {
    match kind {
        ChangeKind::Added => (Tone::Good, '+'),
        ChangeKind::Changed => (Tone::Plain, '~'),
        ChangeKind::Removed => (Tone::Bad, '-'),
    }
}

fn tags(change: &RepositoryChange) -> String {
    let shown = |tag: &TagChange| match (change.kind, tag.kind) {
        (ChangeKind::Changed, ChangeKind::Added) => format!("+{}", tag.tag),
        (ChangeKind::Changed, ChangeKind::Removed) => format!("-{}", tag.tag),
        (ChangeKind::Changed, ChangeKind::Changed) => format!("~{}", tag.tag),
        _ => tag.tag.clone(),
    };
    let mut words: Vec<String> = change.tags.iter().take(MAX_NAMED_TAGS).map(shown).collect();
    if change.tags.len() > MAX_NAMED_TAGS {
        words.push(format!("and {} more", change.tags.len() - MAX_NAMED_TAGS));
    }
    words.join(" ")
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::style::Paint;
    use super::*;
    use crate::catalog::targets::{DnslinkSettings, NodeSettings, Target, TargetSettings, ZoneSettings};
    use crate::engine::publish::plan::{FailedTarget, PlannedName, PlannedRecord};
    use crate::error::{Error, Kind};
    use crate::image::Digest;
    use crate::naming::{Atomicity, TxtSet};

    /// A plan with everything in it.
    pub(in crate::cli) fn sample() -> PublishPlan {
        let root = "bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi";
        let former = "bafybeiczsscdsbs7ffqz55asqdf3smv6klcw3gofszvwlyarci47bgf354";
        let values =
            |cid: &str| TxtSet { values: vec![format!("dnslink=/ipfs/{cid}"), "v=spf1 -all".into()], ttl: Some(60) };
        let settings = TargetSettings {
            node: NodeSettings::kubo("http://127.0.0.1:5001"),
            keep: 5,
            ipns: Some("self".into()),
            dnslink: Some(DnslinkSettings { domain: "registry.test".into(), zone: ZoneSettings::Manual, ttl: 60 }),
            gateways: vec![],
        };
        let tag = |tag: &str, kind, before: Option<&[u8]>, after: Option<&[u8]>| TagChange {
            tag: tag.into(),
            kind,
            before: before.map(Digest::of),
            after: after.map(Digest::of),
        };
        let change = |repository: &str, kind, tags| RepositoryChange { repository: repository.into(), kind, tags };
        let changes = vec![
            change("library/redis", ChangeKind::Added, vec![tag("7", ChangeKind::Added, None, Some(b"1"))]),
            change(
                "library/nginx",
                ChangeKind::Changed,
                vec![
                    tag("alpine", ChangeKind::Changed, Some(b"1"), Some(b"2")),
                    tag("1.27", ChangeKind::Added, None, Some(b"3")),
                ],
            ),
            change("old/app", ChangeKind::Removed, vec![tag("1", ChangeKind::Removed, Some(b"4"), None)]),
        ];
        let planned = PlannedTarget {
            target: Target { id: 1, name: "home".into(), settings, added_at: 1 },
            former: Some(former.parse().unwrap()),
            continues: None,
            changes,
            blocks: 12,
            bytes: 3 << 20,
            chain: vec![former.parse().unwrap(), root.parse().unwrap()],
            pinned: false,
            fetches: false,
            requests: Some(9),
            unpin: vec![former.parse().unwrap()],
            dnslink: Some(PlannedRecord {
                name: "_dnslink.registry.test".into(),
                before: values(former),
                after: values(root),
                atomicity: Atomicity::Atomic,
            }),
            ipns: Some(PlannedName {
                key: "self".into(),
                name: Some("k51qzi5uqu5d".into()),
                before: None,
                after: format!("/ipfs/{root}"),
                unseen: false,
            }),
            ipns_failure: None,
            notes: vec!["It was rolled back before; this goes on to what the catalog has now.".into()],
            found: None,
            host: None,
        };
        PublishPlan {
            root: root.parse().unwrap(),
            tsize: 44 << 20,
            rollback: false,
            force: false,
            targets: vec![planned],
            failed: vec![FailedTarget {
                name: "away".into(),
                error: Error::new(Kind::Node, "http://10.0.0.9:5001 does not answer").hint("Is it running?"),
            }],
            left_out: vec!["secret/app".into()],
            first_time_private: vec!["ghcr.io/org/app".into()],
        }
    }

    #[test]
    fn who_takes_no_blocks_is_asked_to_pin() {
        let mut plan = sample();
        let planned = &mut plan.targets[0];
        (planned.fetches, planned.blocks, planned.former) = (true, 0, None);
        let shown: String = tables(&plan).iter().map(|table| table.render(None, Paint::new(false))).collect();
        assert!(shown.contains("nothing, it fetches the blocks itself"), "{shown}");
        assert!(shown.contains(&format!("asks it to pin {}", plan.root)), "{shown}");
        assert!(!shown.contains("has everything"), "{shown}");
        assert!(summary(&plan).ends_with("; 1 service is asked to pin it."), "{}", summary(&plan));
        plan.targets[0].pinned = true;
        assert!(!summary(&plan).contains("asked"), "{}", summary(&plan));
    }

    #[test]
    fn what_a_person_sees() {
        let plan = sample();
        let shown: String = tables(&plan).iter().map(|table| table.render(None, Paint::new(false))).collect();
        insta::assert_snapshot!("plan", format!("{shown}{}\n", summary(&plan)));
    }
}

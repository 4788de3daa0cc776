//! What `restore` and `import` share: showing what becomes here of a registry elsewhere.

use std::collections::BTreeMap;

use serde::Serialize;

use super::report::would;
use super::report::{FailedReport, shown};
use super::style::Tone;
use super::table::{Cell, Column, Table};
use crate::engine::plan::{Change, FailedRequest};
use crate::engine::restore::{Left, Purpose, ReturnPlan, Returned};
use crate::text::{bytes, count, printable_within};

/// What `restore` or `import` did, or would do.
#[derive(Debug, Clone, Serialize)]
pub(super) struct ReturnReport {
    /// Whether it was only planned.
    pub(super) dry_run: bool,
    /// Where the registry is read from.
    pub(super) place: String,
    /// Root that is read; none where a directory does not say it.
    pub(super) source_root: Option<String>,
    /// Who said which root a domain means: `DNS`, or whoever was asked. Nothing proves it.
    pub(super) root_said_by: Option<String>,
    /// How files and directories become blocks there.
    pub(super) profile: String,
    pub(super) repositories: Vec<RepositoryReport>,
    /// What is not taken or failed, and why.
    pub(super) failed: Vec<FailedReport>,
    /// Blobs that were not here.
    pub(super) new_blobs: u64,
    /// About how many bytes they have.
    pub(super) new_bytes: u64,
    /// About how many bytes of it were here already.
    pub(super) known_bytes: u64,
    /// Bytes that came; none in a dry run.
    pub(super) fetched_bytes: u64,
    /// Blobs that come when they are first needed.
    pub(super) left: Left,
    /// The root now; nothing in a dry run.
    pub(super) root: Option<String>,
}

/// One repository of a [`ReturnReport`].
#[derive(Debug, Clone, Serialize)]
pub(super) struct RepositoryReport {
    pub(super) name: String,
    pub(super) alias: Option<String>,
    pub(super) upstream: Option<String>,
    pub(super) private: bool,
    /// It is part of what is published.
    pub(super) published: bool,
    /// It was mirrored over plain HTTP there, which is not taken over.
    pub(super) plain_http_there: bool,
    /// The well-known upstream that its name, new here, will be taken for.
    pub(super) claims: Option<String>,
    /// How many of its images are `added`, `moved`, `extended`, `unchanged`.
    pub(super) images: BTreeMap<&'static str, u64>,
    /// Images that move: what they had, and what they will have.
    pub(super) moved: Vec<MovedReport>,
}

/// An image that has another digest here.
#[derive(Debug, Clone, Serialize)]
pub(super) struct MovedReport {
    /// `name:tag`.
    pub(super) image: String,
    /// The digest it has here.
    pub(super) from: String,
    /// The digest it gets.
    pub(super) to: String,
}

impl ReturnReport {
    /// What came of the plan, or what it will do.
    pub(super) fn of(plan: &ReturnPlan, said_by: Option<&String>, outcome: Option<&Returned>, dry_run: bool) -> Self {
        let report = Self { dry_run, ..Self::planned(plan, said_by.cloned()) };
        match outcome {
            Some(returned) => report.applied(returned),
            None => report,
        }
    }

    fn planned(plan: &ReturnPlan, root_said_by: Option<String>) -> Self {
        Self {
            dry_run: true,
            place: plan.place.clone(),
            source_root: plan.root.map(shown),
            root_said_by,
            profile: plan.profile().to_string(),
            repositories: plan.repositories.iter().map(RepositoryReport::of).collect(),
            failed: plan.refused.iter().map(FailedReport::of).collect(),
            new_blobs: plan.blobs,
            new_bytes: plan.bytes,
            known_bytes: plan.known_bytes,
            fetched_bytes: 0,
            left: Left::default(),
            root: None,
        }
    }

    fn applied(mut self, returned: &Returned) -> Self {
        self.dry_run = false;
        self.failed.extend(returned.added.failed.iter().map(FailedReport::of));
        self.fetched_bytes = returned.added.fetched;
        self.left = returned.left;
        self.root = returned.added.root.map(shown);
        self
    }

    pub(super) fn count(&self, change: &str) -> u64 {
        self.repositories.iter().filter_map(|repository| repository.images.get(change)).sum()
    }

    fn changed(&self) -> u64 {
        ["added", "moved", "extended"].into_iter().map(|change| self.count(change)).sum()
    }
}

impl RepositoryReport {
    fn of(repository: &crate::engine::restore::ReturningRepository) -> Self {
        let mut images = BTreeMap::new();
        let mut moved = Vec::new();
        for image in &repository.images {
            let word = match image.change {
                Change::Added => "added",
                Change::Moved { from } => {
                    moved.push(MovedReport {
                        image: repository.shown(image),
                        from: from.to_string(),
                        to: image.digest.to_string(),
                    });
                    "moved"
                }
                Change::Extended => "extended",
                Change::Unchanged => "unchanged",
            };
            *images.entry(word).or_default() += 1;
        }
        Self {
            name: repository.name.to_string(),
            alias: repository.alias.as_ref().map(ToString::to_string),
            upstream: repository.upstream.as_ref().map(ToString::to_string),
            private: repository.private,
            published: repository.published,
            plain_http_there: repository.plain_http_there,
            claims: repository.claims.as_ref().map(ToString::to_string),
            images,
            moved,
        }
    }
}

/// A row for each repository, and one for each image that moves.
pub(super) fn table(report: &ReturnReport) -> Table {
    let mut table = Table::new(&[
        ("REPOSITORY", Column::Text),
        ("CHANGES", Column::Text),
        ("UPSTREAM", Column::Text),
        ("STATE", Column::Fixed),
    ]);
    for repository in &report.repositories {
        let counts: Vec<String> = ["added", "moved", "extended", "unchanged"]
            .into_iter()
            .filter_map(|word| repository.images.get(word).map(|number| (number, word)))
            .map(|(number, word)| match would(word) {
                planned if report.dry_run && planned != word => format!("{planned} {number}"),
                _ => format!("{number} {word}"),
            })
            .collect();
        table.row([
            Cell::toned(Tone::Name, &repository.name),
            counts.join(", ").into(),
            Cell::toned(Tone::Dim, repository.upstream.as_deref().unwrap_or("from files")),
            Cell::toned(Tone::Dim, note(repository)),
        ]);
        for moved in &repository.moved {
            table.row([
                Cell::toned(Tone::Name, format!("  {}", moved.image)),
                format!(
                    "{} {} {}",
                    short(&moved.from),
                    if report.dry_run { "would become" } else { "becomes" },
                    short(&moved.to)
                )
                .into(),
                "".into(),
                "".into(),
            ]);
        }
    }
    table
}

fn note(repository: &RepositoryReport) -> String {
    let mut notes = Vec::new();
    match (repository.private, repository.published) {
        (true, false) => notes.push("private, not published".to_owned()),
        (true, true) => notes.push("private, published".to_owned()),
        _ => {}
    }
    if let Some(claimed) = &repository.claims {
        notes.push(match &repository.upstream {
            Some(upstream) if upstream == claimed => "new, not checked upstream".to_owned(),
            _ => format!("new, under the name of {claimed}"),
        });
    }
    notes.join(", ")
}

fn short(digest: &str) -> &str {
    digest.get(..19).unwrap_or(digest)
}

/// The line that says what was or would be done, and the root.
pub(super) fn summary(report: &ReturnReport, done: &str) -> Vec<String> {
    let mut lines = outcome(report, done);
    let claiming = report.repositories.iter().filter(|repository| repository.claims.is_some()).count() as u64;
    if claiming > 0 {
        let have = if claiming == 1 { "name has or claims" } else { "names have or claim" };
        lines.push(format!(
            "{claiming} new {have} a well-known upstream, on the word of {} alone: `roadstead outdated` checks with \
             upstream.",
            printable_within(&report.place, 200)
        ));
    }
    let in_clear = report.repositories.iter().filter(|repository| repository.plain_http_there).count() as u64;
    if in_clear > 0 {
        lines.push(format!(
            "{} mirrored over plain HTTP there. That setting is not carried over; `roadstead add --insecure REF` \
             uses plain HTTP here.",
            if in_clear == 1 { "1 repository was".to_owned() } else { format!("{in_clear} repositories were") }
        ));
    }
    lines
}

fn outcome(report: &ReturnReport, done: &str) -> Vec<String> {
    let images = count(report.changed(), "image", "images");
    let known =
        if report.known_bytes == 0 { String::new() } else { format!("; {} already here", bytes(report.known_bytes)) };
    if report.dry_run {
        if report.changed() == 0 {
            return vec!["Nothing to do. Nothing was changed.".to_owned()];
        }
        return vec![format!(
            "{images} would be {done}, with {} to fetch, {}{known}. Nothing was changed.",
            count(report.new_blobs, "blob", "blobs"),
            bytes(report.new_bytes),
        )];
    }
    let mut lines = if report.changed() == 0 {
        vec!["Nothing to do: everything is already mirrored.".to_owned()]
    } else {
        vec![format!("{images} {done}: {} fetched{known}.", bytes(report.fetched_bytes))]
    };
    if report.left.blobs > 0 {
        lines.push(format!(
            "{} with {} stay at {} until they are first needed.",
            count(report.left.blobs, "blob", "blobs"),
            bytes(report.left.bytes),
            printable_within(&report.place, 200),
        ));
    }
    lines.extend(report.root.as_ref().map(|root| format!("The root is {root}")));
    lines
}

/// What a root does not carry: said after every restore.
pub(super) fn not_carried(purpose: Purpose) -> Option<&'static str> {
    match purpose {
        Purpose::Restore => Some(
            "A root carries neither targets nor history, nor private repositories that were not published: \
             add those again. Private repositories that were published stay so.",
        ),
        Purpose::Import { .. } => None,
    }
}

/// Failures in the plan and while it was applied, together.
pub(super) fn all_failed(plan: ReturnPlan, returned: Option<Returned>) -> Vec<FailedRequest> {
    let mut failed = plan.refused;
    failed.extend(returned.into_iter().flat_map(|returned| returned.added.failed));
    failed
}

#[cfg(test)]
mod tests {
    use super::super::style::Paint;
    use super::*;

    fn sample() -> ReturnReport {
        let repository = |name: &str, private: bool, published: bool| RepositoryReport {
            name: name.to_owned(),
            alias: None,
            upstream: (!private).then(|| format!("docker.io/{name}")),
            private,
            published,
            plain_http_there: private,
            claims: (!private).then(|| format!("docker.io/{name}")),
            images: BTreeMap::from([("added", 2), ("unchanged", 1)]),
            moved: Vec::new(),
        };
        let mut nginx = repository("library/nginx", false, true);
        nginx.images.insert("moved", 1);
        nginx.moved.push(MovedReport {
            image: "library/nginx:alpine".to_owned(),
            from: "sha256:6b0577bfa961af964eba99c023e9f4b79c0546b1e6db0988d12cdf98e801b01e".to_owned(),
            to: "sha256:a3ed95caeb02ffe68cdd9fd84406680ae93d633cb16422d00e8a7c22955b46d4".to_owned(),
        });
        ReturnReport {
            dry_run: true,
            place: "https://ipfs.io".to_owned(),
            source_root: Some("bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi".to_owned()),
            root_said_by: Some("DNS".to_owned()),
            profile: "unixfs-v1-2025".to_owned(),
            repositories: vec![nginx, repository("secret/app", true, false)],
            failed: Vec::new(),
            new_blobs: 3,
            new_bytes: 12 << 20,
            known_bytes: 0,
            fetched_bytes: 0,
            left: Left::default(),
            root: None,
        }
    }

    #[test]
    fn what_a_person_reads() {
        let planned = sample();
        let done = ReturnReport {
            dry_run: false,
            fetched_bytes: 12 << 20,
            left: Left { blobs: 7, bytes: 1 << 30 },
            root: planned.source_root.clone(),
            ..sample()
        };
        let text = format!(
            "{}\n{}\n\n{}",
            table(&planned).render(None, Paint::new(false)),
            summary(&planned, "imported").join("\n"),
            summary(&done, "restored").join("\n"),
        );
        insta::assert_snapshot!("returning", text);
    }

    #[test]
    fn the_shape_in_json() {
        insta::assert_snapshot!("returning_json", serde_json::to_string_pretty(&sample()).unwrap());
    }
}

//! The JSON documents of verbs whose answers are not values of `engine::view` or `engine::plan` as they are.
//!
//! Each verb answers with one document:
//!
//! | verb | document |
//! |---|---|
//! | `add`, `update` | [`AddReport`] |
//! | `remove` | [`ChangeReport`] of a [`RemovePlan`](crate::engine::plan::RemovePlan) |
//! | `undo`, `redo` | [`ChangeReport`] of an [`UndoPlan`](crate::engine::change::undo::UndoPlan) |
//! | `gc` | [`PlanReport`] of a [`GcPlan`](crate::engine::plan::GcPlan) |
//! | `allow` | [`AllowReport`] |
//! | `outdated` | an array of `engine::query::view::Currency` |
//! | `list` | an array of `engine::query::view::RepositoryRow`; `list REPO` of `ImageRow` |
//! | `show` | `engine::query::view::ImageDetails` |
//! | `stats` | `engine::query::view::Statistics` |
//! | `root` | [`RootReport`] |
//! | `export` | `engine::Exported` |
//! | `restore`, `import` | `returning::ReturnReport` |
//! | `verify` | `engine::query::view::Verified` |
//! | `publish`, `rollback` | [`super::publish_report::PublishReport`] |
//! | `target add`, `set`, `show` | [`TargetReport`]; `target list` an array of `engine::targets::TargetView` |
//! | `target remove` | [`PlanReport`] of a [`RemoveTargetPlan`](crate::engine::targets::RemoveTargetPlan) |
//! | `target test` | `engine::targets::Trial` |
//! | `target verify` | `engine::targets::Walked` |
//! | `history` | an array of `engine::query::history::PublicationView`; `history --forget` [`PlanReport`] of a [`ForgetPlan`](crate::engine::query::history::ForgetPlan) |
//! | `diff` | `engine::query::diff::Difference` |
//! | `serve` | `{"serving": URL}`, as soon as it does |
//! | `config show`, `config init` | see `config.rs` |

use cid::Cid;
use serde::Serialize;
use serde_json::Value;

use super::output::error_document;
use crate::catalog::settings::Settings;
use crate::engine::plan::{AddPlan, Added, Change, FailedRequest, LeftOut, PlannedImage};
use crate::engine::rules::plan::{RulePart, RulePlan};
use crate::engine::targets::{TargetKey, TargetView};
use crate::error::{Error, Kind};
use crate::image::Digest;

/// What `add` or `update` did, or would do.
#[derive(Debug, Clone, Serialize)]
pub(super) struct AddReport {
    /// Whether it was only planned.
    pub(super) dry_run: bool,
    /// The images that are in the catalog now, or would be.
    pub(super) images: Vec<ImageReport>,
    /// What failed, and why.
    pub(super) failed: Vec<FailedReport>,
    /// Images that upstream does not have any more; they stay as they are.
    pub(super) gone: Vec<String>,
    pub(super) new_blobs: u64,
    pub(super) new_bytes: u64,
    /// Bytes that were here already.
    pub(super) known_bytes: u64,
    /// Manifests that were fetched of each registry to know all that: what it took of a quota.
    pub(super) pulls: std::collections::BTreeMap<String, u64>,
    /// Bytes that came over the network; none in a dry run.
    pub(super) fetched_bytes: u64,
    /// What each rule says; empty where no rules were run.
    pub(super) rules: Vec<RulePart>,
    /// Images that no rule selects any more and that went, or would go.
    pub(super) removed: Vec<String>,
    /// The root now; nothing in a dry run.
    pub(super) root: Option<String>,
}

/// One image of an [`AddReport`].
#[derive(Debug, Clone, Serialize)]
pub(super) struct ImageReport {
    /// `name:tag` or `name@digest`.
    pub(super) image: String,
    /// Reference as it was written.
    pub(super) request: String,
    pub(super) alias: Option<String>,
    pub(super) upstream: Option<String>,
    /// Digest of its top manifest.
    pub(super) digest: Digest,
    /// `added`, `moved`, `extended` or `unchanged`.
    pub(super) change: &'static str,
    /// The digest it had before it moved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) moved_from: Option<Digest>,
    /// The platforms that are here.
    pub(super) platforms: Vec<String>,
    /// Upstream gives it only to those who log in, so it is not published unless allowed.
    pub(super) private: bool,
    /// Whether the registry is asked over plain HTTP.
    pub(super) plain_http: bool,
    /// Bytes of everything it consists of.
    pub(super) logical: u64,
    /// Bytes of it that had to be fetched.
    pub(super) new_bytes: u64,
    /// Signatures, SBOMs and the like that came along.
    pub(super) attached: Vec<AttachedReport>,
    /// What upstream has of it and the catalog has not.
    pub(super) left_out: Vec<LeftOut>,
}

/// What came along with an image.
#[derive(Debug, Clone, Serialize)]
pub(super) struct AttachedReport {
    /// The manifest it belongs to.
    pub(super) subject: Digest,
    /// Tag, if it is attached by tag.
    pub(super) tag: Option<String>,
    pub(super) digest: Digest,
    /// Type of the artifact, if the manifest says it.
    pub(super) artifact_type: Option<String>,
}

/// A request that failed.
#[derive(Debug, Clone, Serialize)]
pub(super) struct FailedReport {
    /// Reference as it was written.
    pub(super) request: String,
    /// Why it failed: `kind`, `message`, `hints`, `exit_code`.
    pub(super) error: Value,
}

/// A plan that was carried out, or only made: `gc`, `target remove`, `history --forget`.
#[derive(Debug, Clone, Serialize)]
pub(super) struct PlanReport<'a, P> {
    /// Whether it was only planned.
    pub(super) dry_run: bool,
    #[serde(flatten)]
    pub(super) plan: &'a P,
}

/// A plan that changes the root, carried out or only made: `remove`, `undo`, `redo`.
#[derive(Debug, Clone, Serialize)]
pub(super) struct ChangeReport<'a, P> {
    /// Whether it was only planned.
    pub(super) dry_run: bool,
    #[serde(flatten)]
    pub(super) plan: &'a P,
    /// The root now; nothing in a dry run.
    pub(super) root: Option<String>,
}

/// A target as it is, or as it is now.
#[derive(Debug, Clone, Serialize)]
pub(super) struct TargetReport<'a> {
    /// `name`, `node`, `keep`, `ipns`, `dnslink`, `gateways`, `added`, `root`, `published`, `behind`, `running`, `pinned`.
    #[serde(flatten)]
    pub(super) target: &'a TargetView,
    /// The key that was to be made: `name`, `id`, `made`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) key: Option<&'a TargetKey>,
}

/// What `allow` did, or would do.
#[derive(Debug, Clone, Serialize)]
pub(super) struct AllowReport {
    /// Whether it was only planned.
    pub(super) dry_run: bool,
    /// Whether they may be published now.
    pub(super) allowed: bool,
    /// The repositories for which that is new.
    pub(super) changed: Vec<String>,
    /// The root now; in a dry run the one that stays.
    pub(super) root: Option<String>,
}

/// What the catalog stands for.
#[derive(Debug, Clone, Serialize)]
pub(super) struct RootReport {
    pub(super) root: String,
    /// How files and directories become blocks.
    pub(super) profile: String,
    /// Which bytes the site's pages consist of.
    pub(super) site_version: u32,
    /// The platform that has the plain tag in the gateway view.
    pub(super) default_platform: String,
    /// The host name that the pull commands on the pages show.
    pub(super) name: Option<String>,
    /// What the front page says of the registry.
    pub(super) description: Option<String>,
}

impl AddReport {
    /// What the plan will do.
    pub(super) fn planned(plan: &AddPlan) -> Self {
        Self {
            dry_run: true,
            images: plan.images.iter().map(ImageReport::of).collect(),
            failed: plan.failed.iter().map(FailedReport::of).collect(),
            gone: plan.gone.clone(),
            new_blobs: plan.fetch.len() as u64,
            new_bytes: plan.new_bytes,
            known_bytes: plan.known_bytes,
            pulls: plan.pulls.clone(),
            fetched_bytes: 0,
            rules: Vec::new(),
            removed: Vec::new(),
            root: None,
        }
    }

    /// With what a run of the rules will do.
    pub(super) fn with_rules(mut self, plan: &RulePlan) -> Self {
        let Self { images, failed, gone, new_blobs, new_bytes, known_bytes, pulls, .. } = Self::planned(&plan.add);
        self.images.splice(0..0, images);
        self.failed.splice(0..0, failed);
        self.gone.splice(0..0, gone);
        self.new_blobs += new_blobs;
        self.new_bytes += new_bytes;
        self.known_bytes += known_bytes;
        for (registry, taken) in pulls {
            *self.pulls.entry(registry).or_default() += taken;
        }
        self.rules.clone_from(&plan.rules);
        self.removed = plan.remove.images.iter().map(|image| image.image.clone()).collect();
        self
    }

    /// With the images that went.
    pub(super) fn removed(mut self, removed: &[String]) -> Self {
        self.removed = removed.to_vec();
        self
    }

    /// What became of the plan.
    #[must_use]
    pub(super) fn applied(mut self, added: &Added) -> Self {
        let failed: std::collections::BTreeSet<&str> =
            added.failed.iter().map(|failed| failed.request.as_str()).collect();
        self.images.retain(|image| !failed.contains(image.request.as_str()) && !failed.contains(image.image.as_str()));
        self.failed.extend(added.failed.iter().map(FailedReport::of));
        self.dry_run = false;
        self.fetched_bytes += added.fetched;
        self.root = added.root.map(shown);
        self
    }

    /// Whether nothing changed, and nothing failed.
    pub(super) fn is_unchanged(&self) -> bool {
        self.failed.is_empty() && self.removed.is_empty() && self.images.iter().all(|image| image.change == "unchanged")
    }
}

impl ImageReport {
    fn of(image: &PlannedImage) -> Self {
        let (change, moved_from) = match image.change {
            Change::Added => ("added", None),
            Change::Moved { from } => ("moved", Some(from)),
            Change::Extended => ("extended", None),
            Change::Unchanged => ("unchanged", None),
        };
        let attached = image.attached.iter().map(|attached| AttachedReport {
            subject: attached.subject,
            tag: attached.tag.as_ref().map(ToString::to_string),
            digest: attached.digest,
            artifact_type: attached.artifact_type.clone(),
        });
        Self {
            image: image.shown(),
            request: image.request.clone(),
            alias: image.alias.as_ref().map(ToString::to_string),
            upstream: image.upstream.as_ref().map(|upstream| format!("{}/{}", upstream.registry, upstream.repository)),
            digest: image.digest,
            change,
            moved_from,
            platforms: image.platforms.clone(),
            private: image.private,
            plain_http: image.plain_http,
            logical: image.logical,
            new_bytes: image.new_bytes,
            attached: attached.collect(),
            left_out: image.left_out.clone(),
        }
    }
}

impl FailedReport {
    pub(super) fn of(failed: &FailedRequest) -> Self {
        Self { request: failed.request.clone(), error: error_document(&failed.error) }
    }
}

impl RootReport {
    /// This root under these settings.
    pub(super) fn of(root: Cid, settings: &Settings) -> Self {
        Self {
            root: shown(root),
            profile: settings.profile.to_string(),
            site_version: settings.site_version,
            default_platform: settings.default_platform.to_string(),
            name: settings.name.clone(),
            description: settings.description.clone(),
        }
    }
}

/// A CID as text.
pub(super) fn shown(cid: Cid) -> String {
    cid.to_string()
}

/// One error for requests that failed, of which `done` others succeeded. Alone it is the failure itself; if nothing
/// succeeded it is of the first failure's kind; else part was done.
pub(super) fn failure(mut failed: Vec<FailedRequest>, done: usize) -> Option<Error> {
    let first = failed.first()?.error.kind();
    if failed.len() == 1 && done == 0 {
        return failed.pop().map(FailedRequest::into_error);
    }
    let kind = if done > 0 { Kind::Partial } else { first };
    let lines = failed.iter().map(|failed| format!("\n  {}", failed.words()));
    let message = format!("{} of {} images failed:{}", failed.len(), failed.len() + done, lines.collect::<String>());
    let mut error = Error::new(kind, message);
    let mut hints: Vec<&str> = Vec::new();
    for hint in failed.iter().flat_map(|failed| failed.error.hints()) {
        if !hints.contains(&hint.as_str()) {
            hints.push(hint);
        }
    }
    for hint in hints.into_iter().take(3) {
        error = error.hint(hint);
    }
    Some(error)
}

/// What a dry run calls a change that it only planned.
pub(super) fn would(change: &'static str) -> &'static str {
    match change {
        "added" => "would add",
        "moved" => "would move",
        "extended" => "would extend",
        unchanged => unchanged,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A report with everything in it.
    pub(in crate::cli) fn sample() -> AddReport {
        let (one, two) = (Digest::of(b"1"), Digest::of(b"2"));
        let image = ImageReport {
            image: "library/nginx:alpine".into(),
            request: "docker.io/library/nginx:alpine".into(),
            alias: Some("nginx".into()),
            upstream: Some("docker.io/library/nginx".into()),
            digest: one,
            change: "moved",
            moved_from: Some(two),
            platforms: vec!["linux/amd64".into(), "linux/arm64".into()],
            private: false,
            plain_http: false,
            logical: 43 << 20,
            new_bytes: 12 << 20,
            attached: vec![AttachedReport {
                subject: one,
                tag: Some("sha256-6b86.sig".into()),
                digest: two,
                artifact_type: Some("application/vnd.dev.cosign".into()),
            }],
            left_out: vec![LeftOut {
                digest: two,
                platform: Some("windows/amd64".into()),
                reason: crate::engine::plan::LeftOutReason::Other("foreign layers".into()),
            }],
        };
        let other = ImageReport {
            image: "ghcr.io/org/app:v1".into(),
            request: "ghcr.io/org/app:v1".into(),
            alias: None,
            upstream: Some("ghcr.io/org/app".into()),
            change: "unchanged",
            moved_from: None,
            platforms: vec!["linux/amd64".into()],
            private: true,
            logical: 612 << 20,
            new_bytes: 0,
            attached: vec![],
            left_out: vec![],
            ..image.clone()
        };
        let failed = FailedRequest {
            request: "quay.io/a/b:1".into(),
            error: Error::new(Kind::Auth, "quay.io/a/b:1: wants a login").hint("Run `podman login quay.io`."),
        };
        AddReport {
            dry_run: false,
            images: vec![image, other],
            failed: vec![FailedReport::of(&failed)],
            gone: vec!["library/old:1".into()],
            new_blobs: 3,
            new_bytes: 12 << 20,
            known_bytes: 643 << 20,
            pulls: [("docker.io".to_owned(), 4)].into(),
            fetched_bytes: 12 << 20,
            rules: Vec::new(),
            removed: Vec::new(),
            root: Some("bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi".into()),
        }
    }

    #[test]
    fn the_shape_of_add_and_update() {
        insta::assert_snapshot!("add", serde_json::to_string_pretty(&sample()).unwrap());
    }

    #[test]
    fn the_shapes_of_other_reports() {
        let root: Cid = "bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi".parse().unwrap();
        let settings = Settings {
            profile: crate::unixfs::Profile::V1_2025,
            site_version: 1,
            default_platform: "linux/amd64".parse().unwrap(),
            name: Some("registry.example.com".into()),
            description: None,
        };
        let allow = AllowReport {
            dry_run: false,
            allowed: true,
            changed: vec!["ghcr.io/org/app".into()],
            root: Some(shown(root)),
        };
        let mut gc = crate::engine::plan::GcPlan::default();
        (gc.blob_bytes, gc.partial_files, gc.partial_bytes) = (9, 1, 2);
        (gc.nodes, gc.node_bytes) = (3, 4);
        let documents = [
            serde_json::to_value(RootReport::of(root, &settings)).unwrap(),
            serde_json::to_value(allow).unwrap(),
            serde_json::to_value(PlanReport { dry_run: true, plan: &gc }).unwrap(),
        ];
        insta::assert_snapshot!("others", serde_json::to_string_pretty(&documents).unwrap());
    }

    #[test]
    fn failures_keep_their_kind_and_partly_done_is_said() {
        let fail = |request: &str, kind| FailedRequest {
            request: request.into(),
            error: Error::new(kind, "no").hint("Try again."),
        };
        let of = |failed: Vec<FailedRequest>, done| failure(failed, done).unwrap();
        assert!(failure(vec![], 3).is_none());
        let error = of(vec![fail("a", Kind::Auth)], 0);
        assert_eq!((error.kind(), error.to_string().as_str()), (Kind::Auth, "a: no"));
        let error = of(vec![fail("a", Kind::Auth), fail("b", Kind::Network)], 2);
        assert_eq!(
            (error.kind(), error.to_string().as_str()),
            (Kind::Partial, "2 of 4 images failed:\n  a: no\n  b: no")
        );
        assert_eq!(error.hints(), ["Try again."]);
        assert_eq!(of(vec![fail("a", Kind::NotFound), fail("b", Kind::NotFound)], 0).kind(), Kind::NotFound);
        assert_eq!(of(vec![fail("a", Kind::NotFound), fail("b", Kind::Auth)], 0).kind(), Kind::NotFound);
    }
}

//! What coming back will do: a value that both faces show before exactly it is run.

use std::collections::{BTreeSet, HashSet};
use std::sync::{Arc, Mutex};

use cid::Cid;
use futures::{StreamExt as _, TryStreamExt as _, stream};

use super::records::Records;
use super::registry::TreeRegistry;
use super::tree::Tree;
use crate::catalog::follows::Follows;
use crate::catalog::images::Image;
use crate::catalog::repositories::Transport;
use crate::catalog::{blobs, repositories};
use crate::engine::Engine;
use crate::engine::add::placed::Placed;
use crate::engine::blocking::in_place;
use crate::engine::job::Job;
use crate::engine::plan::{Change, FailedRequest};
use crate::engine::request::{AddRequest, PublishedAs, Source};
use crate::error::{Error, Kind, Result};
use crate::image::{Digest, RepositoryName, Tag, Target, Upstream};
use crate::site::paths;
use crate::site::records::{RepositoryRecord, TagRecord};

/// Directories of blobs that are looked at at the same time.
const MAX_CONCURRENT_DIRECTORIES: usize = 8;

/// What is to become of a registry that is read elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// It becomes the catalog, which is empty: everything as it was.
    Restore,
    /// It is merged into the catalog.
    Import {
        /// What has another digest here is replaced.
        replace: bool,
    },
}

/// A registry that comes back, or is merged into the catalog.
#[derive(Debug)]
pub struct ReturnPlan {
    /// What is to become of it.
    pub purpose: Purpose,
    /// Gateway, node, file or directory, without its secret.
    pub place: String,
    /// Root that is read; none where a directory does not say it.
    pub root: Option<Cid>,
    /// Repositories that come back, by their published names.
    pub repositories: Vec<ReturningRepository>,
    /// What is not taken, and why; the rest goes on.
    pub refused: Vec<FailedRequest>,
    /// Blobs that are not here.
    pub blobs: u64,
    /// About how many bytes they have: by a few bytes a block more, where they come as blocks.
    pub bytes: u64,
    /// About how many bytes of blobs are here already.
    pub known_bytes: u64,
    pub(super) records: Records,
}

/// One repository of a [`ReturnPlan`].
#[derive(Debug)]
pub struct ReturningRepository {
    /// Name that it will be published under.
    pub name: RepositoryName,
    /// Second name that it will be published under.
    pub alias: Option<RepositoryName>,
    /// Registry and repository it was mirrored from; none if it came from files.
    pub upstream: Option<Upstream>,
    /// Upstream gives it only to those who log in.
    pub private: bool,
    /// It will be part of what is published.
    pub published: bool,
    /// Images that come back, without those that are attached to them.
    pub images: Vec<ReturningImage>,
    /// It was mirrored over plain HTTP where it comes from, which is not taken over.
    pub plain_http_there: bool,
    /// The well-known upstream that people will take it for: its name is new here, and only the tree says what it holds.
    pub claims: Option<Upstream>,
    pub(super) transport: Transport,
    pub(super) registry: Arc<TreeRegistry>,
}

/// One image of a [`ReturningRepository`].
#[derive(Debug, Clone)]
pub struct ReturningImage {
    /// Tag; none if the image is pinned by digest.
    pub tag: Option<Tag>,
    /// Digest of the top manifest.
    pub digest: Digest,
    /// Difference to what the catalog has under this name.
    pub change: Change,
    pub(super) record: TagRecord,
}

impl ReturnPlan {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.images().all(|(_, image)| image.change == Change::Unchanged)
    }

    /// What it was made of.
    pub fn records(&self) -> &Records {
        &self.records
    }

    /// How files and directories become blocks where it is read from.
    pub fn profile(&self) -> crate::unixfs::Profile {
        self.records.profile
    }

    /// Every image with its repository.
    pub fn images(&self) -> impl Iterator<Item = (&ReturningRepository, &ReturningImage)> {
        self.repositories.iter().flat_map(|repository| repository.images.iter().map(move |image| (repository, image)))
    }

    /// Images that have this fate.
    pub fn count(&self, of: impl Fn(Change) -> bool) -> u64 {
        self.images().filter(|(_, image)| of(image.change)).count() as u64
    }
}

impl ReturningRepository {
    /// `name:tag` or `name@digest`.
    pub fn shown(&self, image: &ReturningImage) -> String {
        match &image.tag {
            Some(tag) => format!("{}:{tag}", self.name),
            None => format!("{}@{}", self.name, image.digest),
        }
    }

    /// One that is published elsewhere, as its record says it, with these images.
    pub(in crate::engine) fn published(record: &RepositoryRecord, tree: Tree) -> Self {
        let images = record.tags.iter().map(|tag| ReturningImage {
            tag: tag.tag.clone(),
            digest: tag.digest,
            change: Change::Added,
            record: tag.clone(),
        });
        Self {
            name: record.name.clone(),
            alias: record.alias.clone(),
            upstream: record.upstream.clone(),
            private: record.private,
            published: true,
            images: images.collect(),
            plain_http_there: false,
            claims: None,
            transport: Transport::of_tree(record.insecure),
            registry: Arc::new(TreeRegistry::new(tree, record, record.private, false)),
        }
    }

    /// What is asked for to get one image.
    pub(in crate::engine) fn placed(&self, image: &ReturningImage) -> Placed {
        let record = &image.record;
        let follows = match record.upstream_tag.as_deref() {
            None => Follows::Own,
            Some("") => Follows::Nothing,
            Some(text) => text.parse().map_or(Follows::Nothing, Follows::Tag),
        };
        let subject_of = |tag: &Tag| {
            let hex = tag.as_str().strip_prefix("sha256-")?.split_once('.')?.0;
            format!("sha256:{hex}").parse::<Digest>().ok()
        };
        let companions =
            record.companions.iter().filter_map(|its| Some((subject_of(&its.tag)?, Some(its.tag.clone()), its.digest)));
        let referrers = record.referrers.iter().map(|its| (its.subject, None, its.digest));
        let mut recorded = crate::engine::add::placed::RecordedAttachments::new();
        for (subject, tag, digest) in companions.chain(referrers) {
            recorded.entry(subject).or_default().push((tag, digest));
        }
        Placed {
            request: AddRequest {
                source: Source::Tree(self.shown(image)),
                selection: Some(record.selection.clone()),
                all_manifests: record.all_manifests,
                name: Some(PublishedAs { name: self.name.clone(), tag: image.tag.clone() }),
                insecure: None,
                rule: None,
            },
            registry: Arc::clone(&self.registry) as Arc<dyn crate::registry::Registry>,
            repository: self.name.clone(),
            target: Target::Digest(image.digest),
            upstream: self.upstream.clone(),
            name: self.name.clone(),
            alias: self.alias.clone(),
            tag: image.tag.clone(),
            follows,
            transport: self.transport,
            recorded: Some(recorded),
            exact: false,
            asked: crate::engine::add::asked::Asked::default(),
        }
    }
}

impl Engine {
    /// Compares a registry elsewhere with the catalog.
    pub async fn plan_return(&self, records: &Records, purpose: Purpose, job: &Job) -> Result<ReturnPlan> {
        let mut plan = ReturnPlan {
            purpose,
            place: records.tree.place(),
            root: records.root,
            repositories: Vec::with_capacity(records.repositories.len()),
            refused: Vec::new(),
            blobs: 0,
            bytes: 0,
            known_bytes: 0,
            records: Records { repositories: Vec::new(), ..records.clone() },
        };
        for record in &records.repositories {
            job.check()?;
            let repository = in_place(|| self.plan_repository(record, records, purpose, &mut plan.refused))?;
            if !repository.images.is_empty() {
                plan.repositories.push(repository);
            }
        }
        self.count_blobs(&mut plan, job).await?;
        Ok(plan)
    }

    fn plan_repository(
        &self,
        record: &RepositoryRecord,
        records: &Records,
        purpose: Purpose,
        refused: &mut Vec<FailedRequest>,
    ) -> Result<ReturningRepository> {
        let mut claims = None;
        let (private, transport, published) = match purpose {
            // That it was published is its curator's consent, who comes back.
            Purpose::Restore => (record.private, Transport::of_tree(record.insecure), true),
            Purpose::Import { .. } => {
                let reader = self.catalog.read()?;
                match repositories::by_name(&reader, record.name.as_str())? {
                    // What is known here of a repository is not changed by what others say of it.
                    Some(known) => (known.private, known.transport, known.is_published()),
                    None => {
                        let of_private = match &record.upstream {
                            Some(upstream) => repositories::any_private(&reader, upstream)?,
                            None => false,
                        };
                        let private = record.private || of_private;
                        claims = super::fields::claims(record);
                        (private, Transport::of_tree(record.insecure), !private)
                    }
                }
            }
        };
        let mut repository = ReturningRepository {
            name: record.name.clone(),
            alias: record.alias.clone(),
            upstream: record.upstream.clone(),
            private,
            published,
            images: Vec::new(),
            plain_http_there: record.insecure && transport.choice().is_none(),
            claims,
            transport,
            registry: Arc::new(TreeRegistry::new(records.tree.clone(), record, private, records.partial)),
        };
        if let Some(upstream) = &record.upstream
            && matches!(purpose, Purpose::Import { .. })
            && !super::fields::can_be_named(upstream)
        {
            let words = format!("it claims to be mirrored from `{upstream}`, which no reference means");
            let error = Error::new(Kind::Verification, words);
            refused.push(FailedRequest { request: record.name.to_string(), error });
            return Ok(repository);
        }
        for tag in &record.tags {
            let mut image =
                ReturningImage { tag: tag.tag.clone(), digest: tag.digest, change: Change::Added, record: tag.clone() };
            match self.change_of(&repository, &image, purpose) {
                Ok(change) => {
                    image.change = change;
                    repository.images.push(image);
                }
                Err(error) => refused.push(FailedRequest { request: repository.shown(&image), error }),
            }
        }
        Ok(repository)
    }

    /// What becomes of an image, or why it can't be taken.
    fn change_of(&self, repository: &ReturningRepository, image: &ReturningImage, purpose: Purpose) -> Result<Change> {
        let placed = repository.placed(image);
        let (existing, _) = self.look_up(&placed)?;
        let Some(existing) = existing.filter(|existing| existing.attached_to.is_none()) else {
            return Ok(Change::Added);
        };
        if existing.digest != image.digest {
            return match purpose {
                Purpose::Import { replace: false } => Err(Error::new(
                    Kind::Usage,
                    format!("{} is here with another digest, {}", repository.shown(image), existing.digest),
                )
                .hint("`--replace` takes the imported one; without it, the one here stays.")),
                _ => Ok(Change::Moved { from: existing.digest }),
            };
        }
        let same = same_choice(&existing, image, &placed, purpose);
        Ok(if same { Change::Unchanged } else { Change::Extended })
    }

    /// Which blobs are not here, by the tree's own lists of them.
    async fn count_blobs(&self, plan: &mut ReturnPlan, job: &Job) -> Result<()> {
        let changing: BTreeSet<&RepositoryName> = plan
            .images()
            .filter(|(_, image)| image.change != Change::Unchanged)
            .map(|(repository, _)| &repository.name)
            .collect();
        let (tree, partial) = (&plan.records.tree, plan.records.partial);
        let listed = &Mutex::default();
        let mut listing = stream::iter(changing.into_iter().cloned())
            .map(|name| async move {
                let path = format!("{}/{name}/{}", paths::NATIVE, paths::BLOBS);
                match job.or_cancelled(tree.list_once(&path, listed)).await {
                    // None of them changed, or not all of the list is there.
                    Err(error) if partial && error.kind() == Kind::NotFound => Ok(Vec::new()),
                    listed => listed,
                }
            })
            .buffer_unordered(MAX_CONCURRENT_DIRECTORIES);
        let mut seen: HashSet<Digest> = HashSet::new();
        let (mut blobs_missing, mut bytes, mut known) = (0, 0_u64, 0_u64);
        while let Some(list) = listing.try_next().await? {
            in_place(|| {
                let reader = self.catalog.read()?;
                for (name, size) in list {
                    let Ok(digest) = name.parse::<Digest>() else { continue };
                    if !seen.insert(digest) {
                        continue;
                    }
                    match blobs::by_digest(&reader, &digest)? {
                        Some(_) => known = known.saturating_add(size),
                        None => {
                            blobs_missing += 1;
                            bytes = bytes.saturating_add(size);
                        }
                    }
                }
                Ok::<_, Error>(())
            })?;
        }
        drop(listing);
        (plan.blobs, plan.bytes, plan.known_bytes) = (blobs_missing, bytes, known);
        Ok(())
    }
}

/// Whether an image is here just as it comes.
fn same_choice(existing: &Image, image: &ReturningImage, placed: &Placed, purpose: Purpose) -> bool {
    let record = &image.record;
    match purpose {
        Purpose::Restore => {
            existing.selection == record.selection
                && existing.all_manifests == record.all_manifests
                && existing.follows == placed.follows
        }
        // More is taken, never less; what it follows is chosen here.
        Purpose::Import { .. } => {
            record.selection.clone().union(existing.selection.clone()) == existing.selection
                && (existing.all_manifests || !record.all_manifests)
        }
    }
}

/// Images by their repositories' place in the plan, those that change alone.
pub(super) fn changing(plan: &ReturnPlan) -> Vec<(usize, usize)> {
    let mut all = Vec::new();
    for (of, repository) in plan.repositories.iter().enumerate() {
        let images = repository.images.iter().enumerate().filter(|(_, image)| image.change != Change::Unchanged);
        all.extend(images.map(|(at, _)| (of, at)));
    }
    all
}

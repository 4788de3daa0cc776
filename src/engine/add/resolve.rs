//! Planning what to add: asks registries what an image consists of, compares with the catalog, fetches no layer.
//!
//! Manifests that are fetched for a plan are part of it and not fetched again; those the catalog has are not fetched at all.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use futures::StreamExt as _;
use futures::stream;

use super::asked::Asked;
use super::closure::Closure;
use crate::catalog::blobs::{self, Blob};
use crate::catalog::follows::Follows;
use crate::catalog::images::{self, Image, Role};
use crate::catalog::repositories::{self, Transport};
use crate::engine::Engine;
use crate::engine::add::placed::{MAX_CONCURRENT_REQUESTS, Placed};
use crate::engine::blocking::in_place;
use crate::engine::gating;
use crate::engine::job::{Event, Job};
use crate::engine::plan::{
    AddPlan, Change, Expected, FailedRequest, PlannedBlob, PlannedImage, PlannedManifest, WantedBlob,
};
use crate::engine::request::{AddRequest, Source};
use crate::engine::turn::check_own;
use crate::error::{Context as _, Error, Kind, Result};
use crate::image::{Digest, Reference, RepositoryName, Selection, Tag, Target};
use crate::registry::{Layout, Registry};

/// An image, and the registry and the repository there that its blobs are fetched from.
pub(in crate::engine) type Found = (PlannedImage, (Arc<dyn Registry>, RepositoryName));

/// A request, and what came of asking for it.
pub(in crate::engine) struct Resolved {
    /// Place among the requests of the plan.
    pub(in crate::engine) index: usize,
    pub(in crate::engine) request: String,
    pub(in crate::engine) outcome: Result<Found>,
}

impl Engine {
    /// Plans to add these images. What fails is in the plan; the rest of it goes on. The gate of the rules is asked, if there is one.
    pub async fn plan_add(&self, requests: &[AddRequest], job: &Job) -> Result<AddPlan> {
        let _listening = self.notices.listen(job);
        // Before anybody is asked for what could not be added.
        in_place(|| check_own(&*self.catalog.read()?))?;
        let total = requests.len() as u64;
        job.tell(Event::Resolving { done: 0, total });
        let asked = Asked::about(requests);
        let gate = in_place(|| self.gate())?;
        // In a list, since a stream that holds a closure over references can't be sent.
        let each = requests.iter().enumerate().map(|(index, request)| {
            let (asked, gate) = (&asked, gate.as_ref());
            async move {
                let mut outcome = job.or_cancelled(self.resolve(request, asked, job)).await;
                if let Ok((image, _)) = &outcome
                    && let Err(error) = job.or_cancelled(gating::admit(gate, image)).await
                {
                    outcome = Err(error);
                }
                Resolved { index, request: request.source.to_string(), outcome }
            }
        });
        let mut resolved = stream::iter(each.collect::<Vec<_>>()).buffer_unordered(MAX_CONCURRENT_REQUESTS);
        let mut outcomes = Vec::with_capacity(requests.len());
        while let Some(outcome) = resolved.next().await {
            outcomes.push(outcome);
            job.tell(Event::Resolving { done: outcomes.len() as u64, total });
        }
        job.check()?;
        let plan = in_place(|| {
            let plan = self.plan_of(outcomes)?;
            self.note_back(&plan)?;
            Ok::<_, Error>(plan)
        })?;
        // Asked for together with others it is by hand as well: that removes nothing.
        let rule = requests.first().and_then(|request| request.rule.clone());
        let rule = rule.filter(|rule| requests.iter().all(|request| request.rule.as_ref() == Some(rule)));
        Ok(AddPlan { pulls: asked.pulls(), rule, ..plan })
    }

    /// Makes a plan of requests that were resolved.
    pub(in crate::engine) fn plan_of(&self, mut outcomes: Vec<Resolved>) -> Result<AddPlan> {
        outcomes.sort_by_key(|resolved| resolved.index);
        let mut plan = AddPlan::default();
        let mut places: BTreeMap<(String, String), Digest> = BTreeMap::new();
        let mut sources = Vec::new();
        for Resolved { request, outcome, .. } in outcomes {
            match outcome {
                Err(error) => plan.failed.push(FailedRequest { request, error }),
                Ok((image, source)) => {
                    let tag = image.tag.as_ref().map_or_else(|| image.digest.to_string(), Tag::to_string);
                    let place = (image.name.to_string(), tag);
                    match places.get(&place) {
                        // Asked for twice: `kubeadm config images list` does so.
                        Some(same) if *same == image.digest => {}
                        Some(_) => {
                            plan.failed.push(FailedRequest {
                                request,
                                error: Error::new(
                                    Kind::Usage,
                                    format!("{} is given twice, with different contents", image.shown()),
                                ),
                            });
                        }
                        None => {
                            // What is there already was checked when it came.
                            if image.change == Change::Added
                                && let Err(error) = super::names::check_beside(&plan.images, &image)
                            {
                                plan.failed.push(FailedRequest { request, error });
                                continue;
                            }
                            places.insert(place, image.digest);
                            plan.images.push(image);
                            sources.push(source);
                        }
                    }
                }
            }
        }
        self.count_bytes(&mut plan, &sources)?;
        Ok(plan)
    }

    /// Fills in what must be fetched, each digest once.
    fn count_bytes(&self, plan: &mut AddPlan, sources: &[(Arc<dyn Registry>, RepositoryName)]) -> Result<()> {
        let reader = self.catalog.read()?;
        let mut seen: HashMap<Digest, Option<Blob>> = HashMap::new();
        let mut counted = BTreeSet::new();
        for (image, (registry, repository)) in plan.images.iter_mut().zip(sources) {
            let shown = image.shown();
            let mut new_bytes = 0;
            let allowed = repositories::by_name(&reader, image.name.as_str())?.is_some_and(|known| known.allowed);
            let published = !image.private || allowed || image.allowed;
            let attached = image.attached.iter().flat_map(|attached| attached.blobs.iter());
            let mut of_this = BTreeSet::new();
            for wanted in image.blobs.iter().chain(attached) {
                if !of_this.insert(wanted.digest) {
                    continue;
                }
                let here = match seen.entry(wanted.digest) {
                    Entry::Occupied(known) => known.into_mut(),
                    Entry::Vacant(unknown) => {
                        let known = blobs::by_digest(&reader, &wanted.digest)?;
                        unknown.insert(known.filter(|blob| self.is_here(&reader, blob).unwrap_or(false)))
                    }
                };
                // What only private repositories have is published elsewhere only if it is there, too: a digest is no
                // secret, and naming it must not be enough to give out what it stands for.
                let anew = match here {
                    Some(blob) => published && !repositories::may_name(&reader, blob.id, image.upstream.as_ref())?,
                    None => false,
                };
                let is_new = here.is_none() || anew;
                if is_new {
                    new_bytes += wanted.size;
                }
                // What stays as it is says nothing of what is left to fetch.
                let counts = is_new || image.change != Change::Unchanged;
                match (is_new, counts && counted.insert((wanted.digest, is_new))) {
                    (true, true) => {
                        plan.new_bytes += wanted.size;
                        plan.fetch.push(PlannedBlob {
                            digest: wanted.digest,
                            size: wanted.size,
                            anew,
                            image: shown.clone(),
                            registry: Arc::clone(registry),
                            repository: repository.clone(),
                            // What was read here proves nothing of what is there.
                            bytes: std::iter::once(&image.read)
                                .chain(image.attached.iter().map(|attached| &attached.read))
                                .find_map(|read| read.get(&wanted.digest).cloned())
                                .filter(|_| !anew),
                        });
                    }
                    (false, true) => plan.known_bytes += wanted.size,
                    _ => {}
                }
            }
            image.new_bytes = new_bytes;
            if image.change == Change::Unchanged && new_bytes > 0 {
                // A blob that the catalog lists is missing on disk: adding it again brings it back.
                image.change = Change::Extended;
                image.changes.push("files that are missing here come back".to_owned());
            }
        }
        Ok(())
    }

    /// Works out where a request goes.
    pub(in crate::engine) async fn place(&self, request: &AddRequest) -> Result<Placed> {
        match &request.source {
            Source::Registry(reference) => {
                let Reference { upstream, tag, digest } = reference;
                let chosen = request.name.clone();
                let name = match &chosen {
                    Some(chosen) => chosen.name.clone(),
                    None => upstream.published_name()?,
                };
                let (insecure, transport) = in_place(|| self.transport(request, upstream, &name))?;
                let registry = self.registries.open(&upstream.registry, insecure)?;
                // By its name alone, not by how the name was said: the root must not depend on that.
                let alias = upstream.alias().filter(|_| upstream.published_name().is_ok_and(|usual| usual == name));
                let given = chosen.and_then(|chosen| chosen.tag);
                let follows = match (&given, tag) {
                    (Some(given), Some(tag)) if given != tag => Follows::Tag(tag.clone()),
                    (Some(_), None) => Follows::Nothing,
                    _ => Follows::Own,
                };
                let tag = given.or_else(|| tag.clone());
                let target = digest.map_or_else(|| reference.target(), Target::Digest);
                Ok(Placed {
                    request: AddRequest { insecure: Some(insecure), ..request.clone() },
                    registry,
                    repository: upstream.repository.clone(),
                    target,
                    upstream: Some(upstream.clone()),
                    name,
                    alias,
                    tag,
                    follows,
                    transport,
                    recorded: None,
                    exact: false,
                    asked: Asked::default(),
                })
            }
            Source::Local(source) => {
                let layout = Layout::open(source).await?;
                let suggested = layout.suggested_name().cloned();
                let (name, tag) = match (&request.name, suggested) {
                    (Some(chosen), suggested) => {
                        let tag = suggested.and_then(|suggested| suggested.tag).or_else(|| layout.suggested_tag());
                        (chosen.name.clone(), chosen.tag.clone().or(tag))
                    }
                    (None, Some(suggested)) => (suggested.upstream.published_name()?, suggested.tag),
                    (None, None) => {
                        return Err(Error::new(Kind::Usage, format!("`{source}` contains no name"))
                            .hint("Give it one with `--as NAME[:TAG]`."));
                    }
                };
                let target = Target::Digest(layout.root().digest);
                Ok(Placed {
                    request: request.clone(),
                    registry: Arc::new(layout),
                    repository: name.clone(),
                    target,
                    upstream: None,
                    name,
                    alias: None,
                    tag: Some(tag.unwrap_or_else(Tag::latest)),
                    follows: Follows::Own,
                    transport: Transport::chosen(request.insecure == Some(true)),
                    recorded: None,
                    exact: false,
                    asked: Asked::default(),
                })
            }
            Source::Tree(name) => {
                Err(Error::new(Kind::Unexpected, format!("{name} is in a published tree, which is not a registry")))
            }
        }
    }

    /// Asks what a request consists of, in a plan that has `asked` already.
    pub(in crate::engine) async fn resolve(&self, request: &AddRequest, asked: &Asked, job: &Job) -> Result<Found> {
        let placed = Placed { asked: asked.clone(), ..self.place(request).await? };
        // A registry that is asked and gives nothing is counted, too.
        asked.count_pulls(placed.upstream.as_ref(), 0);
        self.resolve_placed(placed, job).await
    }

    /// Asks what a request whose place is worked out consists of.
    pub(in crate::engine) async fn resolve_placed(&self, placed: Placed, job: &Job) -> Result<Found> {
        let request = &placed.request;
        let (existing, expected) = if placed.exact { (None, None) } else { in_place(|| self.look_up(&placed))? };
        // What came along was chosen by nobody.
        let asked_for = existing.as_ref().filter(|image| image.attached_to.is_none());
        let selection = match (&request.selection, asked_for) {
            (Some(asked), Some(image)) => asked.clone().union(image.selection.clone()),
            (Some(asked), None) => asked.clone(),
            (None, Some(image)) => image.selection.clone(),
            (None, None) => Selection::host(),
        };
        let all_manifests = request.all_manifests || asked_for.is_some_and(|image| image.all_manifests);

        let top = self.top_manifest(&placed, existing.as_ref()).await?;
        let digest = top.digest;
        let mut closure = Closure::new(self, &placed, selection.clone(), all_manifests);
        closure.walk_top(Arc::clone(&top)).await?;
        // What records choose was there when it was chosen, which upstream may have changed since.
        let explicit = request.selection.is_some() && placed.recorded.is_none();
        closure.require(request.selection.as_ref().unwrap_or(&selection), explicit)?;
        let new = existing.as_ref().is_none_or(|image| image.digest != digest);
        let mut attached = self.resolve_attached(&placed, closure.subjects(), new, job).await?;
        if !placed.exact {
            in_place(|| self.leave_out_asked_for(&placed, &mut attached))?;
        }
        let private = {
            let target = Target::Digest(digest);
            let ask = placed.registry.is_private(&placed.repository, &target);
            match &placed.upstream {
                Some(_) if new => ask.await?,
                Some(upstream) => placed.asked.is_private(upstream, ask).await?,
                None => false,
            }
        };
        let Closure { manifests, blobs: wanted, left_out, platforms, read, .. } = closure;
        let mut image = PlannedImage {
            request: request.source.to_string(),
            name: placed.name.clone(),
            alias: placed.alias.clone(),
            upstream: placed.upstream.clone(),
            tag: placed.tag.clone(),
            follows: placed.follows.clone(),
            digest,
            change: Change::Added,
            changes: Vec::new(),
            selection,
            all_manifests,
            platforms: platforms.into_iter().map(|platform| platform.to_string()).collect(),
            private,
            allowed: false,
            insecure: placed.request.insecure == Some(true),
            plain_http: placed.registry.is_plain_http(),
            transport: placed.transport,
            logical: 0,
            new_bytes: 0,
            left_out,
            manifests,
            blobs: wanted,
            read,
            attached,
            expected,
        };
        image.logical = logical(&image.manifests, &image.blobs)
            + image.attached.iter().map(|attached| logical(&attached.manifests, &attached.blobs)).sum::<u64>();
        if let Some(existing) = existing {
            (image.change, image.changes) = in_place(|| self.compare(&image, &existing))?;
        }
        Ok((image, (placed.registry, placed.repository)))
    }

    /// The image that the catalog has under this name, after checking that the name is free for this upstream.
    pub(in crate::engine) fn look_up(&self, placed: &Placed) -> Result<(Option<Image>, Option<Expected>)> {
        let reader = self.catalog.read()?;
        let Some(repository) = repositories::by_name(&reader, placed.name.as_str())? else {
            super::names::check_new(&reader, placed)?;
            return Ok((None, None));
        };
        super::names::check_same_upstream(&repository, placed)?;
        let image = match (&placed.tag, &placed.target) {
            (Some(tag), _) => {
                super::names::check_tag(&reader, &repository, tag)?;
                images::by_tag(&reader, repository.id, tag.as_str())?
            }
            (None, Target::Digest(digest)) => images::by_digest(&reader, repository.id, digest)?,
            (None, Target::Tag(_)) => None,
        };
        let expected = image.as_ref().filter(|image| image.attached_to.is_none()).map(|image| Expected {
            digest: image.digest,
            selection: image.selection.clone(),
            all_manifests: image.all_manifests,
        });
        Ok((image, expected))
    }

    /// The top manifest. An unchanged one costs a HEAD only.
    async fn top_manifest(&self, placed: &Placed, existing: Option<&Image>) -> Result<Arc<PlannedManifest>> {
        if let (Target::Tag(_), Some(image)) = (&placed.target, existing) {
            let head = placed.registry.head(&placed.repository, &placed.target).await?;
            if head.digest == Some(image.digest)
                && let Some(known) = in_place(|| self.known_manifest(&image.digest, placed))?
            {
                return Ok(known);
            }
        }
        if let Target::Digest(digest) = &placed.target
            && let Some(known) = in_place(|| self.known_manifest(digest, placed))?
        {
            return Ok(known);
        }
        // A plan that is made again: what the tag means may have changed, what a digest means has not.
        if matches!(placed.target, Target::Tag(_))
            && self.kept_manifests.has_any(placed.upstream.as_ref())
            && let Some(digest) = placed.registry.head(&placed.repository, &placed.target).await?.digest
            && let Some(kept) = self.kept_manifests.get(placed.upstream.as_ref(), &digest)
        {
            return Ok(kept);
        }
        self.fetch_manifest(placed, &placed.target).await
    }

    /// A manifest that the catalog has, and that an image from there may consist of without having shown it.
    pub(in crate::engine) fn known_manifest(
        &self,
        digest: &Digest,
        placed: &Placed,
    ) -> Result<Option<Arc<PlannedManifest>>> {
        let reader = self.catalog.read()?;
        let Some(blob) = blobs::by_digest(&reader, digest)?.filter(|blob| blob.inline) else { return Ok(None) };
        if !repositories::may_name(&reader, blob.id, placed.upstream.as_ref())? {
            return Ok(None);
        }
        let Some(row) = blobs::manifest(&reader, blob.id)? else { return Ok(None) };
        let bytes = blobs::bytes(&reader, blob.id)?;
        let manifest = crate::image::Manifest::parse(&bytes, Some(&row.media_type))?;
        Ok(Some(Arc::new(PlannedManifest { digest: *digest, bytes, manifest })))
    }

    pub(in crate::engine) async fn fetch_manifest(
        &self,
        placed: &Placed,
        target: &Target,
    ) -> Result<Arc<PlannedManifest>> {
        if let Target::Digest(digest) = target
            && let Some(kept) = self.kept_manifests.get(placed.upstream.as_ref(), digest)
        {
            return Ok(kept);
        }
        let fetched = placed.registry.manifest(&placed.repository, target).await?;
        placed.asked.count_pulls(placed.upstream.as_ref(), 1);
        let manifest = crate::image::Manifest::parse(&fetched.bytes, fetched.content_type.as_deref())
            .context(|| format!("{} of {}", target, placed.request.source))?;
        let planned = Arc::new(PlannedManifest { digest: fetched.digest, bytes: fetched.bytes, manifest });
        self.kept_manifests.put(placed.upstream.as_ref(), &planned);
        Ok(planned)
    }

    /// What a plan changes about an image that is there, and in words where it is more than its tag.
    fn compare(&self, planned: &PlannedImage, existing: &Image) -> Result<(Change, Vec<String>)> {
        if planned.digest != existing.digest {
            return Ok((Change::Moved { from: existing.digest }, Vec::new()));
        }
        let reader = self.catalog.read()?;
        let mut have = BTreeSet::new();
        for content in images::contents(&reader, existing.id)? {
            if content.role != Role::Gateway {
                have.insert(blobs::by_id(&reader, content.blob)?.digest);
            }
        }
        let manifests = planned.manifests.iter().map(|manifest| manifest.digest);
        let complete =
            manifests.chain(planned.blobs.iter().map(|blob| blob.digest)).all(|digest| have.contains(&digest));
        let mut attached_here = true;
        for attached in &planned.attached {
            let here = match &attached.tag {
                Some(tag) => images::by_tag(&reader, existing.repository, tag.as_str())?,
                None => images::by_digest(&reader, existing.repository, &attached.digest)?,
            };
            attached_here &= here.is_some_and(|image| image.digest == attached.digest);
        }
        let repository = repositories::by_id(&reader, existing.repository)?;
        let asked = if planned.insecure { "plain HTTP" } else { "TLS" };
        let upstream = if planned.private { "private" } else { "public" };
        let differences = [
            (!complete, "missing parts are added".to_owned()),
            (!attached_here, "attached artifacts are added".to_owned()),
            (planned.selection != existing.selection, format!("the chosen platforms become {}", planned.selection)),
            (planned.all_manifests != existing.all_manifests, "all manifests are kept".to_owned()),
            (planned.follows != existing.follows, "it follows another tag upstream".to_owned()),
            (planned.private != repository.private, format!("its upstream is now {upstream}")),
            (planned.transport != repository.transport, format!("its registry uses {asked} from now on")),
            (existing.attached_to.is_some(), "it stays when its subject is removed".to_owned()),
        ];
        let changes: Vec<String> =
            differences.into_iter().filter(|(differs, _)| *differs).map(|(_, words)| words).collect();
        Ok((if changes.is_empty() { Change::Unchanged } else { Change::Extended }, changes))
    }
}

fn logical(manifests: &[Arc<PlannedManifest>], blobs: &[WantedBlob]) -> u64 {
    let mut sizes: BTreeMap<Digest, u64> =
        manifests.iter().map(|manifest| (manifest.digest, manifest.bytes.len() as u64)).collect();
    sizes.extend(blobs.iter().map(|blob| (blob.digest, blob.size)));
    sizes.values().sum()
}

//! Whether images are what their upstream has. HEADs only: an unchanged tag costs no download quota.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::StreamExt as _;
use futures::stream;

use crate::catalog::checked;
use crate::catalog::images::{self, Image};
use crate::catalog::repositories::{self, Repository};
use crate::catalog::rule_images;
use crate::engine::Engine;
use crate::engine::blocking::in_place;
use crate::engine::find::{find, shown};
use crate::engine::job::{Event, Job};
use crate::engine::plan::AddPlan;
use crate::engine::query::view::{Currency, UpstreamState};
use crate::engine::request::{AddRequest, Pick, PublishedAs, Source};
use crate::error::{Error, Kind, Result};
use crate::image::{Digest, Reference, Target, Upstream};

/// HEADs at the same time.
const MAX_CONCURRENT_HEADS: usize = 8;

impl Engine {
    /// The tags that have an upstream; all of them if none is picked.
    fn followed(&self, picks: &[Pick]) -> Result<Vec<(Repository, Image, Upstream)>> {
        let reader = self.catalog.read()?;
        let mut all = Vec::new();
        if picks.is_empty() {
            for repository in repositories::list(&reader, None, None)? {
                let of_it = images::of_repository(&reader, repository.id, false)?;
                all.extend(of_it.into_iter().map(|image| (repository.clone(), image)));
            }
        }
        for pick in picks {
            let (repository, found) = find(&reader, pick)?;
            all.extend(found.into_iter().map(|image| (repository.clone(), image)));
        }
        let followed = all.into_iter().filter_map(|(repository, image)| {
            let upstream = repository.upstream.clone()?;
            image.followed()?;
            Some((repository, image, upstream))
        });
        Ok(followed.collect())
    }

    /// What is followed, and no rule selects or brought.
    fn followed_beside_rules(&self) -> Result<Vec<(Repository, Image, Upstream)>> {
        let rows = rule_images::all(&*self.catalog.read()?)?;
        let ruled: BTreeSet<(String, String)> = rows.into_iter().map(|row| (row.repository, row.tag)).collect();
        let mut followed = self.followed(&[])?;
        followed.retain(|(repository, image, _)| {
            let tag = image.tag.as_ref().map(ToString::to_string).unwrap_or_default();
            !ruled.contains(&(repository.name.to_string(), tag))
        });
        Ok(followed)
    }

    /// Asks upstream how these images stand; all of them if none is picked.
    pub async fn outdated(self: &Arc<Self>, picks: &[Pick], job: &Job) -> Result<Vec<Currency>> {
        let followed = in_place(|| self.followed(picks))?;
        self.outdated_of(followed, job).await
    }

    /// The same for what no rule selects or brought.
    pub async fn outdated_beside_rules(self: &Arc<Self>, job: &Job) -> Result<Vec<Currency>> {
        let followed = in_place(|| self.followed_beside_rules())?;
        self.outdated_of(followed, job).await
    }

    async fn outdated_of(
        self: &Arc<Self>,
        followed: Vec<(Repository, Image, Upstream)>,
        job: &Job,
    ) -> Result<Vec<Currency>> {
        let _listening = self.notices.listen(job);
        let total = followed.len() as u64;
        let mut asked = stream::iter(followed.into_iter().enumerate())
            .map(async |(index, (repository, image, upstream))| {
                let said = job.or_cancelled(self.upstream_digest(&repository, &image, &upstream)).await;
                (index, repository, image, upstream, said)
            })
            .buffer_unordered(MAX_CONCURRENT_HEADS);
        let mut all = Vec::new();
        let mut said: Vec<(i64, Option<Digest>)> = Vec::new();
        while let Some((index, repository, image, upstream, answer)) = asked.next().await {
            job.check()?;
            let state = match answer {
                Ok(digest) if digest == image.digest => UpstreamState::Current,
                Ok(digest) => UpstreamState::Outdated { upstream_digest: digest },
                Err(error) if error.kind() == Kind::NotFound => UpstreamState::Gone,
                Err(error) => UpstreamState::Unknown { reason: error.to_string(), kind: error.kind() },
            };
            match &state {
                UpstreamState::Current => said.push((image.id, Some(image.digest))),
                UpstreamState::Outdated { upstream_digest } => said.push((image.id, Some(*upstream_digest))),
                UpstreamState::Gone => said.push((image.id, None)),
                UpstreamState::Unknown { .. } => {}
            }
            let row = Currency {
                image: shown(&repository, &image),
                upstream: upstream.to_string(),
                digest: image.digest,
                state,
            };
            all.push((index, row));
            job.tell(Event::Resolving { done: all.len() as u64, total });
        }
        all.sort_by_key(|(index, _)| *index);
        if !self.catalog.is_read_only() {
            let now = crate::engine::now();
            in_place(|| {
                self.catalog.write(|writer| {
                    said.iter().try_for_each(|(image, digest)| checked::set(writer, *image, digest.as_ref(), now))
                })
            })?;
        }
        Ok(all.into_iter().map(|(_, row)| row).collect())
    }

    async fn upstream_digest(&self, repository: &Repository, image: &Image, upstream: &Upstream) -> Result<Digest> {
        let registry =
            self.registries.open(&upstream.registry, in_place(|| self.asks_plain_http(repository, upstream))?)?;
        let tag =
            image.followed().ok_or_else(|| Error::new(Kind::Unexpected, "an image without a tag is not followed"))?;
        let target = Target::Tag(tag.clone());
        match registry.head(&upstream.repository, &target).await?.digest {
            Some(digest) => Ok(digest),
            // A registry that doesn't say the digest in a HEAD has to be asked for the manifest.
            None => Ok(registry.manifest(&upstream.repository, &target).await?.digest),
        }
    }

    /// Plans to bring these images up to date; all of them if none is picked. What upstream does not have any more stays as it is
    /// here: that is no failure, and is noted.
    pub async fn plan_update(self: &Arc<Self>, picks: &[Pick], job: &Job) -> Result<AddPlan> {
        let followed = in_place(|| self.followed(picks))?;
        self.plan_update_of(followed, job).await
    }

    /// The same for what no rule selects or brought.
    pub async fn plan_update_beside_rules(self: &Arc<Self>, job: &Job) -> Result<AddPlan> {
        let followed = in_place(|| self.followed_beside_rules())?;
        self.plan_update_of(followed, job).await
    }

    async fn plan_update_of(
        self: &Arc<Self>,
        followed: Vec<(Repository, Image, Upstream)>,
        job: &Job,
    ) -> Result<AddPlan> {
        let requests: Vec<AddRequest> = followed
            .iter()
            .map(|(repository, image, upstream)| {
                let usual = upstream.published_name().is_ok_and(|name| name == repository.name)
                    && image.followed() == image.tag.as_ref();
                let reference = Reference { upstream: upstream.clone(), tag: image.followed().cloned(), digest: None };
                AddRequest {
                    name: (!usual).then(|| PublishedAs { name: repository.name.clone(), tag: image.tag.clone() }),
                    insecure: repository.transport.choice(),
                    ..AddRequest::new(Source::Registry(reference))
                }
            })
            .collect();
        let mut plan = self.plan_add(&requests, job).await?;
        let missing: Vec<String> = plan
            .failed
            .iter()
            .filter(|failed| failed.error.kind() == Kind::NotFound)
            .map(|failed| failed.request.clone())
            .collect();
        if missing.is_empty() {
            return Ok(plan);
        }
        // A platform or a layer may be missing, too: what is gone, the tag alone says.
        let asked = followed.iter().zip(&requests).filter_map(|((repository, image, upstream), request)| {
            let source = request.source.to_string();
            missing.contains(&source).then_some(async move {
                let answer = job.or_cancelled(self.upstream_digest(repository, image, upstream)).await;
                (shown(repository, image), image.id, source, answer)
            })
        });
        let mut asked = stream::iter(asked.collect::<Vec<_>>()).buffered(MAX_CONCURRENT_HEADS);
        let mut gone = Vec::new();
        while let Some((name, id, source, answer)) = asked.next().await {
            if answer.is_err_and(|error| error.kind() == Kind::NotFound) {
                plan.failed.retain(|failed| failed.request != source);
                plan.gone.push(name);
                gone.push(id);
            }
        }
        job.check()?;
        if !self.catalog.is_read_only() && !gone.is_empty() {
            let now = crate::engine::now();
            in_place(|| {
                self.catalog.write(|writer| gone.iter().try_for_each(|id| checked::set(writer, *id, None, now)))
            })?;
        }
        Ok(plan)
    }

    /// Notes of tags that a plan has found upstream that they are not gone any more.
    pub(in crate::engine) fn note_back(&self, plan: &AddPlan) -> Result<()> {
        if self.catalog.is_read_only() {
            return Ok(());
        }
        let mut back = Vec::new();
        {
            let reader = self.catalog.read()?;
            // Where a digest was asked for, nothing is known of the tag.
            for image in plan.images.iter().filter(|image| image.expected.is_some() && !image.request.contains('@')) {
                let (Some(tag), Some(repository)) = (&image.tag, repositories::by_name(&reader, image.name.as_str())?)
                else {
                    continue;
                };
                let known = images::by_tag(&reader, repository.id, tag.as_str())?;
                back.extend(known.filter(|known| known.gone_at.is_some()).map(|known| (known.id, image.digest)));
            }
        }
        if back.is_empty() {
            return Ok(());
        }
        let now = crate::engine::now();
        self.catalog
            .write(|writer| back.iter().try_for_each(|(id, digest)| checked::set(writer, *id, Some(digest), now)))
    }
}

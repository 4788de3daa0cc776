//! Whether images are what their upstream has. HEADs only: an unchanged tag costs no download quota.

use std::sync::Arc;

use futures::StreamExt as _;
use futures::stream;

use super::Engine;
use super::job::{Event, Job};
use super::plan::AddPlan;
use super::remove::{find, shown};
use super::request::{AddRequest, Pick, PublishedAs, Source};
use super::view::{Currency, Standing};
use crate::catalog::images::{self, Image};
use crate::catalog::repositories::{self, Repository};
use crate::error::{Error, Kind, Result};
use crate::image::{Digest, Reference, Target, Upstream};

/// HEADs at the same time.
const AT_ONCE: usize = 8;

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

    /// Asks upstream how these images stand; all of them if none is picked.
    pub async fn outdated(self: &Arc<Self>, picks: &[Pick], job: &Job) -> Result<Vec<Currency>> {
        let _listening = self.notices.listen(job);
        let followed = self.followed(picks)?;
        let total = followed.len() as u64;
        let mut asked = stream::iter(followed.into_iter().enumerate())
            .map(async |(index, (repository, image, upstream))| {
                let said = job.or_cancelled(self.upstream_digest(&repository, &image, &upstream)).await;
                (index, repository, image, upstream, said)
            })
            .buffer_unordered(AT_ONCE);
        let mut all = Vec::new();
        let mut checked: Vec<(i64, Option<Digest>)> = Vec::new();
        while let Some((index, repository, image, upstream, said)) = asked.next().await {
            job.check()?;
            let standing = match said {
                Ok(digest) if digest == image.digest => Standing::Current,
                Ok(digest) => Standing::Outdated { upstream_digest: digest },
                Err(error) if error.kind() == Kind::NotFound => Standing::Gone,
                Err(error) => Standing::Unknown { reason: error.to_string(), kind: error.kind() },
            };
            match &standing {
                Standing::Current => checked.push((image.id, Some(image.digest))),
                Standing::Outdated { upstream_digest } => checked.push((image.id, Some(*upstream_digest))),
                Standing::Gone => checked.push((image.id, None)),
                Standing::Unknown { .. } => {}
            }
            let row = Currency {
                image: shown(&repository, &image),
                upstream: upstream.to_string(),
                digest: image.digest,
                standing,
            };
            all.push((index, row));
            job.tell(Event::Resolving { done: all.len() as u64, total });
        }
        all.sort_by_key(|(index, _)| *index);
        if !self.catalog.is_read_only() {
            let now = super::now();
            self.catalog.write(|writer| {
                checked.iter().try_for_each(|(image, digest)| images::set_checked(writer, *image, digest.as_ref(), now))
            })?;
        }
        Ok(all.into_iter().map(|(_, row)| row).collect())
    }

    async fn upstream_digest(&self, repository: &Repository, image: &Image, upstream: &Upstream) -> Result<Digest> {
        let registry = self.registries.open(&upstream.registry, self.asks_plain_http(repository, upstream)?)?;
        let tag =
            image.followed().ok_or_else(|| Error::new(Kind::Unexpected, "an image without tag is not followed"))?;
        let target = Target::Tag(tag.clone());
        match registry.head(&upstream.repository, &target).await?.digest {
            Some(digest) => Ok(digest),
            // A registry that doesn't say the digest in a HEAD has to be asked for the manifest.
            None => Ok(registry.manifest(&upstream.repository, &target).await?.digest),
        }
    }

    /// Plans to bring these images up to date; all of them if none is picked.
    pub async fn plan_update(self: &Arc<Self>, picks: &[Pick], job: &Job) -> Result<AddPlan> {
        let requests: Vec<AddRequest> = self
            .followed(picks)?
            .into_iter()
            .map(|(repository, image, upstream)| {
                let usual = upstream.published_name().is_ok_and(|name| name == repository.name)
                    && image.followed() == image.tag.as_ref();
                let reference = Reference { upstream, tag: image.followed().cloned(), digest: None };
                AddRequest {
                    name: (!usual).then(|| PublishedAs { name: repository.name.clone(), tag: image.tag.clone() }),
                    insecure: repository.transport.choice(),
                    ..AddRequest::new(Source::Registry(reference))
                }
            })
            .collect();
        self.plan_add(&requests, job).await
    }
}

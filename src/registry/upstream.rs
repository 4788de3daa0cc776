//! A registry as it is asked: by way of its mirror if it has one, else itself.
//!
//! Knows manifests' headers and digests; blobs are `transfer`'s and lists are `listing`'s.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures::future::BoxFuture;
use reqwest::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Method, StatusCode};
use tokio::sync::Semaphore;

use super::authorization::Identity;
use super::endpoint::{Ask, Endpoint};
use super::retry::Patience;
use super::transfer::Transfer;
use super::{BlobBody, Fetched, Head, MAX_MANIFEST_BYTES, Registry, Wanted};
use crate::error::{Context as _, Error, Kind, Result};
use crate::image::{Descriptor, Digest, Manifest, RepositoryName, Tag, Target, media};
use crate::text::printable_within;

/// The types that are asked for, best first; schema 1 only so that it can be refused by its name.
const ACCEPTED: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
    application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json, \
    application/vnd.docker.distribution.manifest.v1+prettyjws, application/vnd.docker.distribution.manifest.v1+json";

/// The header that names the digest of a manifest.
const CONTENT_DIGEST: &str = "docker-content-digest";

/// For how long it counts that a request without credentials was answered: as long as a plan takes.
const GIVEN_LIFETIME: Duration = Duration::from_mins(1);

pub(super) struct Upstream {
    /// The mirror, if there is one, and the registry itself, always.
    pub(super) endpoints: Vec<Arc<Endpoint>>,
    /// How many blobs may be under way.
    pub(super) slots: Arc<Semaphore>,
}

/// The digest that an answer claims to have, if it is of a kind that can be checked.
fn claimed_digest(headers: &HeaderMap) -> Option<Digest> {
    headers.get(CONTENT_DIGEST)?.to_str().ok()?.parse().ok()
}

fn content_type(headers: &HeaderMap) -> Option<String> {
    Some(printable_within(headers.get(CONTENT_TYPE)?.to_str().ok()?, 200))
}

impl Endpoint {
    fn manifest_ask(&self, method: Method, repository: &RepositoryName, target: &Target) -> Result<Ask> {
        let mut ask = Ask::get(self.repository_url(repository, &format!("manifests/{target}"))?).about(repository);
        ask.method = method;
        ask.headers.insert(ACCEPT, HeaderValue::from_static(ACCEPTED));
        Ok(ask)
    }

    async fn head(&self, repository: &RepositoryName, target: &Target) -> Result<Head> {
        let ask = self.manifest_ask(Method::HEAD, repository, target)?;
        let read = async {
            let mut patience = self.patience();
            let (answer, grant) = self.exchange(&ask, &mut patience).await?;
            if matches!(answer.response.status().as_u16(), 405 | 501) {
                return Ok::<_, Error>(Head::default());
            }
            let headers = answer.response.headers().clone();
            self.read(answer, 0).await.map_err(|setback| setback.error)?.success(self, &grant)?;
            let digest = claimed_digest(&headers);
            if let Some(digest) = digest.filter(|_| grant.is_anyones()) {
                self.note_given_to_anyone(repository, digest);
            }
            Ok(Head {
                digest,
                media_type: content_type(&headers),
                size: headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok()),
            })
        };
        read.await.context(|| self.image(repository, target))
    }

    pub(super) async fn manifest(&self, repository: &RepositoryName, target: &Target) -> Result<Fetched> {
        let ask = self.manifest_ask(Method::GET, repository, target)?;
        let what = || self.image(repository, target);
        let document = self.document(&ask, MAX_MANIFEST_BYTES, &mut self.patience()).await.context(what)?;
        let content_type = content_type(&document.headers);
        if matches!(
            content_type.as_deref().map(media::essence).as_deref(),
            Some(media::SCHEMA1 | media::SCHEMA1_SIGNED)
        ) {
            // Its digest is not that of its bytes, and it is refused in any case.
            return Err(Manifest::parse(&document.bytes, content_type.as_deref())
                .err()
                .unwrap_or_else(|| Error::new(Kind::Usage, "it is a Docker schema 1 manifest, which is not mirrored"))
                .context(what()));
        }
        let digest = Digest::of(&document.bytes);
        let wrong = |why: String| Err(Error::new(Kind::Verification, format!("{}: {why}", what())));
        if let Target::Digest(asked) = target
            && *asked != digest
        {
            return wrong(format!("{} sent a manifest whose digest is {digest}", self.host));
        }
        if let Some(claimed) = claimed_digest(&document.headers)
            && claimed != digest
        {
            return wrong(format!("{} announced {claimed} and sent a manifest whose digest is {digest}", self.host));
        }
        Ok(Fetched { bytes: document.bytes, digest, content_type })
    }

    fn note_given_to_anyone(&self, repository: &RepositoryName, digest: Digest) {
        let mut given = self.given_to_anyone.lock().unwrap_or_else(PoisonError::into_inner);
        given.put((repository.clone(), digest), Instant::now());
    }

    /// Whether a request without credentials was given this a moment ago. Said once: what was true may change.
    fn was_given_to_anyone(&self, repository: &RepositoryName, digest: &Digest) -> bool {
        let mut given = self.given_to_anyone.lock().unwrap_or_else(PoisonError::into_inner);
        given.pop(&(repository.clone(), *digest)).is_some_and(|when| when.elapsed() < GIVEN_LIFETIME)
    }

    /// Whether someone without credentials is refused; `None` if that someone is told that there is nothing.
    async fn refuses_anonymous(
        &self,
        repository: &RepositoryName,
        target: &Target,
        mut patience: Patience,
    ) -> Result<Option<bool>> {
        if let Target::Digest(digest) = target
            && self.was_given_to_anyone(repository, digest)
        {
            return Ok(Some(false));
        }
        let mut ask = self.manifest_ask(Method::HEAD, repository, target)?;
        ask.identity = Identity::Anonymous;
        let mut asked = self.exchange(&ask, &mut patience).await;
        if let Ok((answer, _)) = &asked
            && matches!(answer.response.status().as_u16(), 405 | 501)
        {
            ask.method = Method::GET;
            asked = self.exchange(&ask, &mut patience).await;
        }
        match asked {
            // The token server already refused.
            Err(error) if error.kind() == Kind::Auth => Ok(Some(true)),
            Err(error) if error.kind() == Kind::NotFound => Ok(None),
            Err(error) => Err(error),
            Ok((answer, grant)) => match answer.response.status() {
                status if status.is_success() => Ok(Some(false)),
                StatusCode::NOT_FOUND => Ok(None),
                StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Ok(Some(true)),
                _ => {
                    let refused = self.read(answer, 0).await.map_err(|setback| setback.error)?;
                    refused.success(self, &grant).map(|_| Some(false))
                }
            },
        }
    }
}

impl Upstream {
    /// Asks the endpoints in their order. The next one is asked when one can't be reached or lacks it; an endpoint that can't be
    /// reached is left alone for a while.
    async fn first<'a, T>(&'a self, ask: impl Fn(&'a Arc<Endpoint>) -> BoxFuture<'a, Result<T>>) -> Result<T> {
        let mut before: Option<Error> = None;
        for (position, endpoint) in self.endpoints.iter().enumerate() {
            let last = position + 1 == self.endpoints.len();
            if !last && endpoint.rests() {
                continue;
            }
            // Where only the mirror can be reached, what it says is the answer.
            if last
                && endpoint.rests()
                && let Some(earlier) = before.take_if(|earlier| earlier.kind() == Kind::NotFound)
            {
                return Err(earlier.hint("The registry behind the mirror could not be reached a moment ago."));
            }
            match ask(endpoint).await {
                Err(error) if !last && matches!(error.kind(), Kind::Network | Kind::NotFound) => {
                    endpoint.instead(&error);
                    before = Some(error);
                }
                Err(error) => {
                    if before.is_some() && error.kind() == Kind::Network {
                        endpoint.rest();
                    }
                    return Err(match before {
                        // Where only the mirror can be reached, what it says is the answer.
                        Some(earlier) if earlier.kind() == Kind::NotFound && error.kind() == Kind::Network => {
                            earlier.hint(format!("The registry behind the mirror can't be reached: {error}."))
                        }
                        Some(earlier) => error.hint(format!("Its mirror failed first: {earlier}.")),
                        None => error,
                    });
                }
                found => return found,
            }
        }
        Err(before.unwrap_or_else(|| Error::new(Kind::Unexpected, "a registry without endpoints")))
    }
}

impl Endpoint {
    /// Says that the next endpoint is asked instead of this one.
    pub(super) fn instead(&self, error: &Error) {
        tracing::info!(mirror = %self.host, registry = %self.registry, %error, "asking the registry itself");
        if error.kind() == Kind::Network {
            self.rest();
            let why = format!("skipping the mirror {}: {error}", self.host);
            self.shared.observer.retrying(&self.registry, std::time::Duration::ZERO, 1, &why);
        }
    }
}

#[async_trait]
impl Registry for Upstream {
    async fn head(&self, repository: &RepositoryName, target: &Target) -> Result<Head> {
        self.first(|endpoint| Box::pin(endpoint.head(repository, target))).await
    }

    async fn manifest(&self, repository: &RepositoryName, target: &Target) -> Result<Fetched> {
        self.first(|endpoint| Box::pin(endpoint.manifest(repository, target))).await
    }

    async fn blob(&self, repository: &RepositoryName, digest: &Digest, size: u64, from: u64) -> Result<BlobBody> {
        let slot = self
            .slots
            .clone()
            .acquire_owned()
            .await
            .map_err(|_| Error::new(Kind::Interrupted, "the registry was closed"))?;
        let endpoints = self.endpoints.iter().cloned().collect();
        Ok(BlobBody::remote(Transfer::open(endpoints, repository.clone(), *digest, size, from, slot).await?))
    }

    async fn tags(&self, repository: &RepositoryName, wanted: Wanted) -> Result<Vec<Tag>> {
        self.first(|endpoint| Box::pin(endpoint.tags(repository, wanted))).await
    }

    async fn referrers(
        &self,
        repository: &RepositoryName,
        subject: &Digest,
        tags: Option<&BTreeSet<Tag>>,
    ) -> Result<Vec<Descriptor>> {
        self.first(|endpoint| Box::pin(endpoint.referrers(repository, subject, tags))).await
    }

    fn is_plain_http(&self) -> bool {
        self.endpoints.iter().any(|endpoint| endpoint.is_plain())
    }

    /// The registry itself is asked before its mirror: a mirror with credentials of its own gives private images to anyone.
    async fn is_private(&self, repository: &RepositoryName, target: &Target) -> Result<bool> {
        let mut unreached: Option<Error> = None;
        for (position, endpoint) in self.endpoints.iter().enumerate().rev() {
            let has_mirror = self.endpoints.len() > 1;
            let is_mirror = position + 1 < self.endpoints.len();
            if !is_mirror && has_mirror && endpoint.rests() {
                continue;
            }
            // Where there is someone else to ask, a host that can't be reached is not waited for.
            let patience = if has_mirror { endpoint.impatience() } else { endpoint.patience() };
            match endpoint.refuses_anonymous(repository, target, patience).await {
                Ok(Some(refused)) => return Ok(refused),
                // What only a mirror has, or only the user may see, is not public.
                Ok(None) if !is_mirror && has_mirror => return Ok(true),
                Ok(None) => {
                    return Ok(endpoint.has_credential(repository.as_str()).await?
                        && endpoint.head(repository, target).await.is_ok());
                }
                Err(error) if !is_mirror && has_mirror && error.kind() == Kind::Network => {
                    endpoint.rest();
                    unreached = Some(error);
                }
                Err(error) => return Err(error.context(endpoint.image(repository, target))),
            }
        }
        Err(unreached.unwrap_or_else(|| Error::new(Kind::Unexpected, "a registry without endpoints")))
    }
}

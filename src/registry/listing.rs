//! Lists that come in pages: tags and referrers (distribution spec, "Content Discovery").
//!
//! Follows `Link` headers (RFC 8288) on the same host, within bounds. Knows JSON of these two lists and nothing of blobs.

use std::collections::{BTreeSet, HashSet};
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use reqwest::header::{ACCEPT, HeaderMap, HeaderValue, LINK};
use serde::Deserialize;
use url::Url;

use super::endpoint::{Ask, Endpoint};
use super::{MAX_MANIFEST_BYTES, Wanted};
use crate::error::{Context as _, Error, Kind, Result};
use crate::image::{Body, Descriptor, Digest, Manifest, RepositoryName, Tag, Target, media};
use crate::text;

/// Pages of one list; with a thousand tags each this is beyond what exists.
const MAX_PAGES: usize = 10_000;

/// Pages in a row that bring nothing new.
const MAX_IDLE_PAGES: usize = 3;

/// Referrers of one manifest.
const MAX_REFERRERS: usize = 10_000;

/// When a registry that had no referrers API is asked for it again: it may have been upgraded under a program that goes on.
const REFERRERS_API_RECHECK_INTERVAL: Duration = Duration::from_hours(1);

#[derive(Deserialize)]
struct TagPage {
    // `null` where there is none (distribution, Go's empty slice).
    tags: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct ReferrersPage {
    manifests: Option<Vec<serde_json::Value>>,
}

/// The pages of one list that were seen, and how much may still come.
struct Pages<'a> {
    endpoint: &'a Endpoint,
    seen: HashSet<Url>,
    idle: usize,
}

impl<'a> Pages<'a> {
    fn new(endpoint: &'a Endpoint) -> Self {
        Self { endpoint, seen: HashSet::new(), idle: 0 }
    }

    /// The page after this one, if there is one.
    fn next(&mut self, current: &Url, headers: &HeaderMap, brought: bool) -> Result<Option<Url>> {
        let Some(mut next) = next_link(current, headers) else { return Ok(None) };
        // Proxies that end TLS make registries announce http, or an inner name. The list goes on where it began.
        let path = next.path().to_owned();
        let query = next.query().map(str::to_owned);
        next = current.clone();
        next.set_path(&path);
        next.set_query(query.as_deref());
        self.idle = if brought { 0 } else { self.idle + 1 };
        let endless = || {
            Error::new(Kind::Network, format!("{} sends a list that does not end", self.endpoint.host))
                .hint("Tell the registry's operator; single images can be mirrored by their tag or digest.")
        };
        if self.idle >= MAX_IDLE_PAGES || self.seen.len() >= MAX_PAGES || !self.seen.insert(next.clone()) {
            return Err(endless());
        }
        Ok(Some(next))
    }
}

/// The target of `Link: <…>; rel="next"`.
pub(super) fn next_link(current: &Url, headers: &HeaderMap) -> Option<Url> {
    for value in headers.get_all(LINK) {
        let mut rest = value.to_str().ok()?;
        while let Some((_, after)) = rest.split_once('<') {
            let (target, after) = after.split_once('>')?;
            // The parameters end at a comma, but not at one within quotes.
            let mut quoted = false;
            let end = after
                .find(|c| {
                    quoted ^= c == '"';
                    c == ',' && !quoted
                })
                .unwrap_or(after.len());
            let is_next =
                after[..end].split(';').filter_map(|parameter| parameter.split_once('=')).any(|(name, value)| {
                    name.trim().eq_ignore_ascii_case("rel")
                        && value
                            .trim()
                            .trim_matches('"')
                            .split_ascii_whitespace()
                            .any(|rel| rel.eq_ignore_ascii_case("next"))
                });
            if is_next {
                return current.join(target).ok();
            }
            rest = &after[end..];
        }
    }
    None
}

impl Endpoint {
    pub(super) async fn tags(&self, repository: &RepositoryName, wanted: Wanted) -> Result<Vec<Tag>> {
        let what = || format!("the tags of {}/{repository} can't be listed", self.registry);
        let mut next = Some(self.repository_url(repository, "tags/list?n=1000")?);
        let mut pages = Pages::new(self);
        let (mut tags, mut skipped, mut room) = (BTreeSet::new(), 0u64, wanted.bytes());
        while let Some(url) = next {
            let mut ask = Ask::get(url.clone()).about(repository);
            ask.headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
            let page = match self.document(&ask, room, &mut self.patience()).await {
                // What came before it is a beginning.
                Err(error) if error.kind() == Kind::Verification && wanted == Wanted::Beginning && !tags.is_empty() => {
                    break;
                }
                page => page.context(what)?,
            };
            room -= page.bytes.len();
            let list: TagPage = serde_json::from_slice(&page.bytes).map_err(|error| {
                let why = text::printable_within(&error.to_string(), 200);
                Error::new(Kind::Verification, format!("not a list of tags: {why}")).context(what())
            })?;
            let before = tags.len();
            for name in list.tags.unwrap_or_default() {
                match name.parse::<Tag>() {
                    Ok(tag) if tags.len() < wanted.entries() => {
                        tags.insert(tag);
                    }
                    Ok(_) => {}
                    Err(_) => skipped += 1,
                }
            }
            if tags.len() >= wanted.entries() {
                break;
            }
            next = pages.next(&url, &page.headers, tags.len() > before).context(what)?;
        }
        if skipped > 0 {
            tracing::warn!(registry = %self.registry, %repository, skipped, "tags that the OCI grammar does not allow");
        }
        Ok(tags.into_iter().collect())
    }

    pub(super) async fn referrers(
        &self,
        repository: &RepositoryName,
        subject: &Digest,
        tags: Option<&BTreeSet<Tag>>,
    ) -> Result<Vec<Descriptor>> {
        match self.referrers_by_api(repository, subject).await {
            Ok(Some(found)) => Ok(found),
            Ok(None) => self.referrers_by_tag(repository, subject, tags).await,
            // Registries that don't know the path refuse it in many ways; whether it was a refusal in earnest, the tag will show.
            Err(error) if matches!(error.kind(), Kind::NotFound | Kind::Auth) => {
                self.referrers_by_tag(repository, subject, tags).await
            }
            Err(error) => Err(error),
        }
        .context(|| format!("referrers of {}/{repository}@{subject}", self.registry))
    }

    /// Nothing if the registry has no such API.
    async fn referrers_by_api(&self, repository: &RepositoryName, subject: &Digest) -> Result<Option<Vec<Descriptor>>> {
        if self.lacks_referrers_api(repository) {
            return Ok(None);
        }
        let mut next = Some(self.repository_url(repository, &format!("referrers/{subject}"))?);
        let mut pages = Pages::new(self);
        let mut found = Vec::new();
        let mut digests = HashSet::new();
        while let Some(url) = next {
            let mut ask = Ask::get(url.clone()).about(repository);
            ask.headers.insert(ACCEPT, HeaderValue::from_static(media::OCI_INDEX));
            let mut patience = self.patience();
            let (answer, grant) = self.exchange(&ask, &mut patience).await?;
            let status = answer.response.status();
            if !status.is_success() && found.is_empty() && matches!(status.as_u16(), 400 | 404 | 405 | 406 | 501) {
                if matches!(status.as_u16(), 404 | 405 | 501) {
                    self.note_lack_of_referrers_api(repository);
                }
                return Ok(None);
            }
            let page = match self.read(answer, MAX_MANIFEST_BYTES).await {
                Ok(page) => page.success(self, &grant)?,
                Err(setback) => {
                    patience.after(setback).await?;
                    self.document(&ask, MAX_MANIFEST_BYTES, &mut patience).await?
                }
            };
            let content_type = page.headers.get("content-type").and_then(|value| value.to_str().ok());
            if content_type.map(media::essence).as_deref() != Some(media::OCI_INDEX) {
                return Ok(None);
            }
            let list: ReferrersPage = serde_json::from_slice(&page.bytes).map_err(|error| {
                let why = text::printable_within(&error.to_string(), 200);
                Error::new(Kind::Verification, format!("not a list of referrers: {why}"))
            })?;
            let before = found.len();
            for entry in list.manifests.unwrap_or_default() {
                match serde_json::from_value::<Descriptor>(entry) {
                    Ok(descriptor) if digests.insert(descriptor.digest) => found.push(descriptor),
                    Ok(_) => {}
                    Err(error) => tracing::debug!(registry = %self.registry, %error, "a referrer that can't be read"),
                }
                if found.len() > MAX_REFERRERS {
                    return Err(Error::new(Kind::Verification, format!("more than {MAX_REFERRERS} of them")));
                }
            }
            next = pages.next(&url, &page.headers, found.len() > before)?;
        }
        Ok(Some(found))
    }

    /// Registries that are one behind several names differ by the first part of a repository's name.
    fn place_of(&self, repository: &RepositoryName) -> String {
        let name = self.remote_name(repository.as_str());
        name.split_once('/').map_or(name.as_str(), |(first, _)| first).to_owned()
    }

    fn lacks_referrers_api(&self, repository: &RepositoryName) -> bool {
        let lacking = self.lacks_referrers_api.lock().unwrap_or_else(PoisonError::into_inner);
        lacking.get(&self.place_of(repository)).is_some_and(|since| since.elapsed() < REFERRERS_API_RECHECK_INTERVAL)
    }

    fn note_lack_of_referrers_api(&self, repository: &RepositoryName) {
        let mut lacking = self.lacks_referrers_api.lock().unwrap_or_else(PoisonError::into_inner);
        lacking.insert(self.place_of(repository), Instant::now());
    }

    /// By the referrers tag schema (distribution spec, "Referrers Tag Schema").
    async fn referrers_by_tag(
        &self,
        repository: &RepositoryName,
        subject: &Digest,
        tags: Option<&BTreeSet<Tag>>,
    ) -> Result<Vec<Descriptor>> {
        let tag: Tag = format!("sha256-{}", subject.hex()).parse()?;
        if tags.is_some_and(|tags| !tags.contains(&tag)) {
            return Ok(Vec::new());
        }
        let fetched = match self.manifest(repository, &Target::Tag(tag)).await {
            Ok(fetched) => fetched,
            Err(error) if error.kind() == Kind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        match Manifest::parse(&fetched.bytes, fetched.content_type.as_deref()).map(|manifest| manifest.body) {
            Ok(Body::Index { manifests }) => Ok(manifests),
            Ok(Body::Image { .. }) => Ok(Vec::new()),
            Err(error) => {
                tracing::debug!(registry = %self.registry, %repository, %subject, %error, "a fallback tag that is not an index");
                Ok(Vec::new())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(values: &[&str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(LINK, value.parse().unwrap());
        }
        let current = "https://ghcr.io/v2/a/tags/list?n=2".parse().unwrap();
        next_link(&current, &headers).map(|url| url.to_string())
    }

    #[test]
    fn links() {
        let expected = Some("https://ghcr.io/v2/a/tags/list?n=2&last=b".to_owned());
        for link in [
            "</v2/a/tags/list?n=2&last=b>; rel=\"next\"",
            "<list?n=2&last=b>;rel=next",
            "<https://ghcr.io/v2/a/tags/list?n=2&last=b>; title=\"a, <b>\"; REL=\"prev next\"",
            "</first>; rel=\"first\", </v2/a/tags/list?n=2&last=b>; rel=\"next\"",
        ] {
            assert_eq!(next(&[link]), expected, "{link}");
        }
        assert_eq!(next(&["</x>; rel=\"last\"", "</v2/a/tags/list?n=2&last=b>; rel=\"next\""]), expected);
        for link in ["", "</x>", "</x>; rel=\"last\"", "x; rel=\"next\"", "</x; rel=\"next\""] {
            assert_eq!(next(&[link]), None, "{link}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_link_header_is_survived(link in "[<>;,=\"a-z /?:.]{0,60}") {
            let _ = next(&[&link]);
        }
    }
}

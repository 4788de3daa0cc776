//! One host that is asked: requests, redirects, authorization, patience.
//!
//! Knows HTTP; must not know what the documents say.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use lru::LruCache;
use reqwest::header::{AUTHORIZATION, HeaderMap, LOCATION};
use reqwest::{Method, StatusCode};
use url::Url;

use super::authorization::{Grant, Identity, Keyring};
use super::credentials::Credentials;
use super::document::MAX_REFUSAL_BYTES;
use super::failure::{Refused, is_passing, of_transport};
use super::plain_http::PlainHttp;
use super::retry::{Patience, Setback};
use super::safe_url::SafeUrl;
use super::{Observer, Quota, RetryPolicy, Timeouts};
use crate::error::{Error, Kind, Result};
use crate::image::{Digest, RepositoryName, Target};

/// How many redirects are followed.
const MAX_REDIRECTS: usize = 5;

/// How long an endpoint that has a substitute is left alone after it could not be reached.
const MIRROR_COOLDOWN: Duration = Duration::from_mins(1);

/// What all endpoints have in common.
pub(super) struct Shared {
    pub(super) credentials: Credentials,
    pub(super) retry: RetryPolicy,
    pub(super) timeouts: Timeouts,
    pub(super) observer: Arc<dyn Observer>,
}

/// One host, and how it is reached.
pub(super) struct Endpoint {
    /// Name in messages, in hints and for credentials; Docker Hub is `docker.io`.
    pub(super) host: String,
    /// The registry whose images it gives out, as the observer knows it.
    pub(super) registry: String,
    /// `https://host:port/`, or with http where that is allowed; [`Endpoint::base`] says which it is now.
    pub(super) written: Url,
    /// Put before every repository (proxies that hold several registries).
    pub(super) prefix: Option<RepositoryName>,
    /// Plain http: whether it is allowed, or has turned out to be what the host speaks.
    pub(super) plain_http: PlainHttp,
    /// How often something is tried at a host that has a substitute.
    pub(super) tries: Option<u32>,
    pub(super) http: reqwest::Client,
    pub(super) keyring: Keyring,
    pub(super) rests_until: Mutex<Option<Instant>>,
    /// Manifests that were given to a request without credentials, and when: asking again whether anyone may pull is no use.
    pub(super) given_to_anyone: Mutex<LruCache<(RepositoryName, Digest), Instant>>,
    /// First parts of repositories' names under which there is no referrers API, and since when that is known.
    pub(super) lacks_referrers_api: Mutex<HashMap<String, Instant>>,
    pub(super) shared: Arc<Shared>,
}

pub(super) struct Ask {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) form: Option<String>,
    pub(super) repository: String,
    pub(super) identity: Identity,
    pub(super) redirects: Redirects,
}

/// Where an answer may point to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Redirects {
    /// Anywhere, without credentials: blobs are often at a storage provider's.
    Anywhere,
    /// To the same scheme, host and port: a token is believed only from whom the registry named.
    SameOrigin,
    /// Nowhere: what was sent is a secret.
    Never,
}

impl Ask {
    pub(super) fn get(url: Url) -> Self {
        Self {
            method: Method::GET,
            url,
            headers: HeaderMap::new(),
            form: None,
            repository: String::new(),
            identity: Identity::User,
            redirects: Redirects::Anywhere,
        }
    }

    #[must_use]
    pub(super) fn about(mut self, repository: &RepositoryName) -> Self {
        repository.as_str().clone_into(&mut self.repository);
        self
    }
}

/// `host[:port]` of a URL.
pub(super) fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// The head of an answer; its body is still to come.
pub(super) struct Answer {
    pub(super) response: reqwest::Response,
    /// Whether it came from another host, to which this one had pointed.
    pub(super) foreign: bool,
}

impl Endpoint {
    pub(super) fn patience(&self) -> Patience {
        Patience::new(
            match self.tries {
                Some(tries) => self.shared.retry.impatient(tries),
                None => self.shared.retry,
            },
            self.shared.observer.clone(),
            &self.registry,
        )
    }

    /// Patience with a host that has a substitute.
    pub(super) fn impatience(&self) -> Patience {
        Patience::new(self.shared.retry.impatient(2), self.shared.observer.clone(), &self.registry)
    }

    /// `host[:port]` as it is in URLs.
    pub(super) fn authority(&self) -> String {
        authority(&self.written)
    }

    /// A repository's name at this host.
    pub(super) fn remote_name(&self, repository: &str) -> String {
        self.prefix.as_ref().map_or_else(|| repository.to_owned(), |prefix| format!("{prefix}/{repository}"))
    }

    pub(super) fn url(&self, path: &str) -> Result<Url> {
        let base = self.base();
        base.join(path)
            .map_err(|_| Error::new(Kind::Usage, format!("{} and this name don't make a valid URL", SafeUrl(&base))))
    }

    pub(super) fn repository_url(&self, repository: &RepositoryName, rest: &str) -> Result<Url> {
        self.url(&format!("v2/{}/{rest}", self.remote_name(repository.as_str())))
    }

    /// An image in words.
    pub(super) fn image(&self, repository: &RepositoryName, target: &Target) -> String {
        let separator = if matches!(target, Target::Tag(_)) { ':' } else { '@' };
        format!("{}/{repository}{separator}{target}", self.registry)
    }

    pub(super) fn rest(&self) {
        *self.rests_until.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + MIRROR_COOLDOWN);
    }

    pub(super) fn rests(&self) -> bool {
        self.rests_until.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|until| Instant::now() < until)
    }

    /// Asks with authorization, renewing it once if it is refused, and with patience. Any other answer is the caller's to judge.
    pub(super) async fn exchange(&self, ask: &Ask, patience: &mut Patience) -> Result<(Answer, Arc<Grant>)> {
        let mut renewed = false;
        loop {
            let (grant, fresh) = self.grant(&ask.repository, ask.identity, patience).await?;
            match self.once(ask, grant.header.as_ref(), &grant).await {
                Ok(answer) if answer.response.status() == StatusCode::UNAUTHORIZED && !answer.foreign => {
                    // What was granted just now will not be granted differently, unless the registry only now says how.
                    let news = self.learn(answer.response.headers()).await;
                    if renewed || (fresh && !news) {
                        return Ok((answer, grant));
                    }
                    renewed = true;
                    self.forget(&ask.repository, ask.identity, &grant).await;
                    let (other, _) = self.grant(&ask.repository, ask.identity, patience).await?;
                    if other.header == grant.header {
                        return Ok((answer, grant));
                    }
                }
                Ok(answer) => return Ok((answer, grant)),
                Err(setback) => patience.after(setback).await?,
            }
        }
    }

    /// Asks once, following redirects; an answer that will pass with time is a setback. Credentials go to no other host.
    pub(super) async fn once(
        &self,
        ask: &Ask,
        authorization: Option<&reqwest::header::HeaderValue>,
        grant: &Grant,
    ) -> Result<Answer, Setback> {
        let mut url = self.as_it_speaks(&ask.url);
        let mut origin = url.origin();
        let mut foreign = false;
        let mut redirects = 0;
        while redirects <= MAX_REDIRECTS {
            let mut headers = ask.headers.clone();
            if foreign {
                headers.remove(AUTHORIZATION);
            } else if let Some(value) = authorization {
                headers.insert(AUTHORIZATION, value.clone());
            }
            let mut request = self.http.request(ask.method.clone(), url.clone()).headers(headers);
            if let Some(form) = &ask.form {
                request = request.body(form.clone());
            }
            let response = match tokio::time::timeout(self.shared.timeouts.response, request.send()).await {
                Ok(Ok(response)) => response,
                Ok(Err(error)) => {
                    if !foreign && self.falls_back(&url, &error) {
                        url = self.as_it_speaks(&url);
                        origin = url.origin();
                        continue;
                    }
                    let host = if foreign { authority(&url) } else { self.host.clone() };
                    return Err(of_transport(error, &host, self.is_plain()));
                }
                Err(_) => {
                    let waited = self.shared.timeouts.response.as_secs_f32();
                    let words = format!("{} did not answer within {waited} s", self.host);
                    return Err(Setback::backoff(Error::new(Kind::Network, words)));
                }
            };
            if !foreign && let Some(quota) = Quota::from_headers(response.headers()) {
                self.shared.observer.quota(&self.registry, quota);
            }
            let target = match response.status().as_u16() {
                301 | 302 | 303 | 307 | 308 if ask.redirects != Redirects::Never => response.headers().get(LOCATION),
                _ => None,
            };
            let Some(target) = target else {
                return self.judge(Answer { response, foreign }, grant).await;
            };
            let next = self.redirected(&url, target)?;
            // Once elsewhere, always elsewhere: coming back does not bring the credentials back.
            foreign |= next.origin() != origin;
            if foreign && ask.redirects == Redirects::SameOrigin {
                let words = format!("the token server of {} points to another host, which is refused", self.host);
                return Err(Setback::never(Error::new(Kind::Auth, words).hint("Tell the registry's operator.")));
            }
            redirects += 1;
            tracing::debug!(from = %SafeUrl(&url), to = %SafeUrl(&next), "redirected");
            url = next;
        }
        Err(Setback::never(Error::new(
            Kind::Network,
            format!("{} redirects more than {MAX_REDIRECTS} times", self.host),
        )))
    }

    fn redirected(&self, from: &Url, target: &reqwest::header::HeaderValue) -> Result<Url, Setback> {
        let refuse = |why: &str| Setback::never(Error::new(Kind::Network, format!("{} {why}", self.host)));
        let mut next = std::str::from_utf8(target.as_bytes())
            .ok()
            .and_then(|text| from.join(text).ok())
            .ok_or_else(|| refuse("redirects to something that is not a URL"))?;
        if !(next.scheme() == "https" || next.scheme() == "http" && next.has_host()) {
            return Err(refuse("redirects to something that is neither http nor https"));
        }
        if next.scheme() == "http" && !self.may_be_plain(&next, false) {
            return Err(refuse(&format!("redirects from https to plain http ({}), which is refused", SafeUrl(&next))));
        }
        // A redirect must not choose credentials for us.
        let _ = next.set_username("");
        let _ = next.set_password(None);
        Ok(next)
    }

    /// Turns an answer that will pass with time into a setback.
    async fn judge(&self, answer: Answer, grant: &Grant) -> Result<Answer, Setback> {
        let status = answer.response.status();
        if !is_passing(status) {
            return Ok(answer);
        }
        let (headers, foreign) = (answer.response.headers().clone(), answer.foreign);
        // Words that break off are as good as none.
        let body = self.read(answer, MAX_REFUSAL_BYTES).await.map(|document| document.bytes).unwrap_or_default();
        let (host, secrets) = (&self.host, &self.keyring.secrets(grant));
        Err(Refused { status, headers: &headers, body: &body, host, foreign, grant, secrets }.setback())
    }
}
